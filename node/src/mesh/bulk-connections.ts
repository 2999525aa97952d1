import type { Connection } from '@libp2p/interface';
import type { PeerId } from '@cuadro/protocol';
import type { Clock, SignalOption } from '../system/interface.ts';
import type { AddressBook } from './addresses.ts';
import { dialAny } from './dialer.ts';
import { endConnection } from './end-connection.ts';
import type { FarmLibp2p } from './host.ts';
import { BULK_IDLE_MS, BULK_RETRY_MS, type MeshLimits } from './limits.ts';
import type { Session } from './session.ts';

export interface BulkConnectionsComponents {
  readonly clock: Clock;
  readonly host: FarmLibp2p;
  readonly book: AddressBook;
  readonly limits: Pick<MeshLimits, 'connectMs' | 'upgradeMs' | 'nextAddressMs'>;
}

/** Addresses tried for a second connection: the one that the first goes to, and the best of the others. */
const ADDRESSES_TRIED_MAX = 4;

/**
 * A second connection to a member for streams of their own, so that a pulse never waits behind what a transfer has
 * queued in the first one's socket: on a slow link that is a second's worth. It lives and dies with the session, is
 * made by whoever opens a stream, serves both, and ends when nothing used it for a while.
 */
export class BulkConnections {
  readonly #components: BulkConnectionsComponents;
  readonly #dialling = new Map<PeerId, Promise<Connection | undefined>>();
  /** Members that could not be dialled, and until when that is not tried again: they dialled us, through a NAT. */
  readonly #undialable = new Map<PeerId, number>();
  /** Those made here, and since when each has been idle. */
  readonly #idleSinceMs = new Map<Connection, number>();
  /** Those that the other made, known by a stream on them; others may be about to become its session, or to end. */
  readonly #adopted = new WeakSet<Connection>();
  readonly #controller = new AbortController();

  constructor(components: BulkConnectionsComponents) {
    this.#components = components;
  }

  /** The connection that a stream to this member is to use; the session's own where there can be no other. */
  async to(session: Session, options: SignalOption): Promise<Connection> {
    const existing = this.#existing(session);
    if (existing !== undefined) return existing;
    const { clock } = this.#components;
    if ((this.#undialable.get(session.peer) ?? 0) > clock.now()) return session.connection;
    const dialled = await unlessAborted(this.#dial(session), options);
    return dialled?.status === 'open' ? dialled : session.connection;
  }

  /** A stream came by this connection. */
  adopt(session: Session, connection: Connection): void {
    if (connection !== session.connection) this.#adopted.add(connection);
  }

  /** Ends those that nothing used for a while. */
  tick(): void {
    const nowMs = this.#components.clock.now();
    for (const [connection, sinceMs] of this.#idleSinceMs) {
      if (connection.status !== 'open') this.#idleSinceMs.delete(connection);
      else if (connection.streams.length > 0) this.#idleSinceMs.set(connection, nowMs);
      else if (nowMs - sinceMs > BULK_IDLE_MS) {
        this.#idleSinceMs.delete(connection);
        endConnection(connection, 'It was not used any more.');
      }
    }
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    await Promise.all(this.#dialling.values());
  }

  #existing(session: Session): Connection | undefined {
    return this.#components.host
      .getConnections(session.connection.remotePeer)
      .find(
        (connection) =>
          connection.status === 'open' &&
          (this.#idleSinceMs.has(connection) || this.#adopted.has(connection)),
      );
  }

  /** One attempt at a time; several streams opened together share it. */
  #dial(session: Session): Promise<Connection | undefined> {
    const running = this.#dialling.get(session.peer);
    if (running !== undefined) return running;
    const { clock, host, book, limits } = this.#components;
    const { connection: first, peer } = session;
    const own = first.direction === 'outbound' ? [first.remoteAddr.toString()] : [];
    const dialling = dialAny(
      { clock, host, limits },
      {
        addresses: [...new Set([...own, ...book.of(peer)])].slice(0, ADDRESSES_TRIED_MAX),
        peer,
        signal: this.#controller.signal,
        failed: () => undefined,
      },
    ).then((connection) => {
      this.#dialling.delete(peer);
      if (connection === undefined) this.#undialable.set(peer, clock.now() + BULK_RETRY_MS);
      else if (session.isClosed) endConnection(connection, 'The session has ended.');
      else this.#idleSinceMs.set(connection, clock.now());
      return connection;
    });
    this.#dialling.set(peer, dialling);
    return dialling;
  }
}

/** The caller's wait ends with its signal; the work goes on for others. */
async function unlessAborted<T>(work: Promise<T>, { signal }: SignalOption): Promise<T> {
  if (signal === undefined) return work;
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
