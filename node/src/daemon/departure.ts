import type { CoreQueries } from '../core/interface.ts';
import { leavingNow, membersNow } from '../jobs/members-now.ts';
import { createDeparture, type Departure } from '../replicas/departure.ts';
import type { Logger } from '../system/interface.ts';
import type { Foundation } from './foundation.ts';
import type { Network } from './network.ts';

/** How this machine leaves its farm; one without a network stays. */
export function assembleDeparture(
  { clock, logger, signer }: Pick<Foundation, 'clock' | 'signer'> & { logger: Logger },
  { departing }: Pick<Network, 'departing'>,
  queries: Pick<CoreQueries, 'farmRecord' | 'memberRecords' | 'nodeRecord'>,
  leave: (reason: string, isWanted: () => boolean) => Promise<boolean>,
): Departure {
  if (departing === undefined) return staying;
  const self = signer.peer;
  return createDeparture({
    ...departing,
    wanted: () => leavingNow(queries, self),
    ownRecord: () => queries.nodeRecord(self),
    isMember: () => membersNow(queries).has(self),
    leave,
    clock,
    logger: logger.child({ room: 'replicas' }),
  });
}

const staying: Departure = {
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  changed: () => undefined,
  says: () => undefined,
  view: () => ({
    state: 'staying',
    left: { results: 0, scenes: 0 },
    message: 'This machine is on no network.',
  }),
};
