import { type FarmMembers, type Leaving, leavingOf, members, type PeerId } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';

/** Who belongs to the farm, derived anew, which is costly; nobody where there is none. */
export function membersNow(
  queries: Pick<CoreQueries, 'farmRecord' | 'memberRecords'>,
): FarmMembers['members'] {
  const farm = queries.farmRecord();
  return farm === undefined ? new Map() : members(farm, queries.memberRecords()).members;
}

/** What a machine's record says of its leaving, where that counts (SPEC R161). */
export function leavingNow(
  queries: Pick<CoreQueries, 'farmRecord' | 'memberRecords' | 'nodeRecord'>,
  peer: PeerId,
): Leaving | undefined {
  const record = queries.nodeRecord(peer);
  // Hardly a machine ever leaves: for the others nobody derives who belongs to the farm.
  return record?.fields.leaving?.value.wanted === true ? leavingOf(membersNow(queries), record) : undefined;
}
