import type { Connection, Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { PeerId } from '@cuadro/protocol';
import type { Clock } from '../system/interface.ts';
import { type Deadline, deadline } from './deadline.ts';
import { endConnection } from './end-connection.ts';
import type { MeshLimits } from './limits.ts';

/** How an attempt at one address ended. `other` proved to be somebody else; `closed` answered and hung up. */
export type DialOutcome = 'connected' | 'refused' | 'silent' | 'closed' | 'other';

export interface DialResult {
  readonly address: string;
  readonly outcome: DialOutcome;
  readonly connection?: Connection;
}

export interface DialInit {
  readonly addresses: readonly string[];
  /** Whom it must be; undefined for whoever is there. */
  readonly peer: PeerId | undefined;
  readonly signal: AbortSignal;
  /** Called for each address that did not lead to the peer, as soon as that is known. */
  readonly failed: (result: DialResult) => void;
}

type DialLimits = Pick<MeshLimits, 'connectMs' | 'upgradeMs' | 'nextAddressMs'>;

/**
 * Tries the addresses of one machine, the next beside the first when that takes long (RFC 8305's principle): most
 * of what is known of a laptop is old. Resolves with the first connection, or undefined when there is none.
 */
export async function dialAny(
  components: { clock: Clock; host: Libp2p; limits: DialLimits },
  init: DialInit,
): Promise<Connection | undefined> {
  const { clock, limits } = components;
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(init.signal.reason);
  init.signal.addEventListener('abort', onAbort, { once: true });
  const waiting = [...init.addresses];
  const { promise, resolve } = Promise.withResolvers<Connection | undefined>();
  let running = 0;
  let cancelNext = (): void => undefined;
  const tryNext = (): void => {
    cancelNext();
    const address = waiting.shift();
    if (address === undefined || controller.signal.aborted) {
      if (running === 0) resolve(undefined);
      return;
    }
    running += 1;
    cancelNext = clock.after(limits.nextAddressMs, tryNext);
    void dialOne(components, address, { ...init, signal: controller.signal }).then((result) => {
      running -= 1;
      if (result.outcome === 'connected') resolve(result.connection);
      else {
        init.failed(result);
        tryNext();
      }
    });
  };
  tryNext();
  try {
    return await promise;
  } finally {
    cancelNext();
    controller.abort();
    init.signal.removeEventListener('abort', onAbort);
  }
}

async function dialOne(
  components: { clock: Clock; host: Libp2p; limits: DialLimits },
  address: string,
  init: Pick<DialInit, 'peer' | 'signal'>,
): Promise<DialResult> {
  const { clock, host, limits } = components;
  const bound = deadline(clock, limits.connectMs, init, () => new Error('No answer.'));
  let answered = false;
  try {
    const connection = await host.dial(multiaddr(address), {
      // Without a peer in the address libp2p neither joins other attempts nor takes an old connection for a new one.
      force: true,
      signal: bound.signal,
      onProgress: (event) => {
        answered ||= takenBy(event.type, bound, limits);
      },
    });
    if (init.signal.aborted) {
      // Another address was faster; this connection was not wanted any more.
      endConnection(connection, 'Reached at another address.');
      return { address, outcome: 'closed' };
    }
    if (init.peer !== undefined && connection.remotePeer.toString() !== init.peer)
      return { address, outcome: 'other' };
    return { address, outcome: 'connected', connection };
  } catch (error) {
    return { address, outcome: outcomeOf(error, answered && !bound.signal.aborted) };
  } finally {
    bound.release();
  }
}

/** The machine has taken the connection: from here on it only needs processor time. */
function takenBy(event: string, bound: Deadline, limits: DialLimits): boolean {
  if (event !== 'upgrader:encrypt-outbound-connection') return false;
  bound.extend(limits.upgradeMs);
  return true;
}

function outcomeOf(error: unknown, answered: boolean): DialOutcome {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const refused = errors.some((each) => (each as NodeJS.ErrnoException).code === 'ECONNREFUSED');
  if (refused) return 'refused';
  return answered ? 'closed' : 'silent';
}

/** What a failed attempt says of the machine; nothing where somebody answered. */
export function stateAfter(failed: readonly DialResult[]): 'refused' | 'silent' | 'unwanted' {
  if (failed.some(({ outcome }) => outcome === 'closed' || outcome === 'other')) return 'unwanted';
  return failed.length > 0 && failed.every(({ outcome }) => outcome === 'refused') ? 'refused' : 'silent';
}
