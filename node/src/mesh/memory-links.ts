import type { PeerId } from '@cuadro/protocol';
import type { Clock } from '../system/interface.ts';
import { nextTurn } from '../system/turn.ts';
import { MeshError } from './errors.ts';
import type { MemoryStream } from './memory-stream.ts';

/** A connection between two twins; what was sent on it is dropped with it. */
export interface Session {
  readonly peers: readonly [PeerId, PeerId];
  readonly streams: Set<MemoryStream>;
  closed: boolean;
}

/** One direction between two machines. */
interface Link {
  state: 'carries' | 'holds' | 'swallows';
  delayMs: number;
  readonly queue: { readonly session: Session | undefined; readonly action: () => void }[];
  /** Deliveries that fell due while the link held. */
  owed: number;
}

/** Deliveries in a row before timers and sockets get their turn: two twins may answer each other without an end. */
const DELIVERIES_PER_TURN = 10_000;

/** The cables between twins: ordered, asynchronous, and cut or delayed as they are told. */
export class MemoryLinks {
  readonly #clock: Clock | undefined;
  /** By sender and receiver: a text made of both would be made, and sought by all its characters, for each message. */
  readonly #links = new Map<PeerId, Map<PeerId, Link>>();
  readonly #sessions = new Map<PeerId, Map<PeerId, Session>>();
  #inARow = 0;

  constructor(clock: Clock | undefined) {
    this.#clock = clock;
  }

  between(from: PeerId, to: PeerId): Link {
    let links = this.#links.get(from);
    if (links === undefined) this.#links.set(from, (links = new Map()));
    let link = links.get(to);
    if (link === undefined) links.set(to, (link = { state: 'carries', delayMs: 0, queue: [], owed: 0 }));
    return link;
  }

  /** Whether nothing gets through in at least one direction, and the two would notice. */
  isCut(a: PeerId, b: PeerId): boolean {
    return this.between(a, b).state === 'holds' || this.between(b, a).state === 'holds';
  }

  /** Carries an action over; one that belongs to a session is dropped when that has ended. */
  post(from: PeerId, to: PeerId, session: Session | undefined, action: () => void): void {
    const link = this.between(from, to);
    if (link.state === 'swallows' || session?.closed === true) return;
    link.queue.push({ session, action });
    this.later(link.delayMs, () => this.#deliver(link));
  }

  release(from: PeerId, to: PeerId): void {
    const link = this.between(from, to);
    link.state = 'carries';
    for (; link.owed > 0; link.owed -= 1) this.later(0, () => this.#deliver(link));
  }

  /** Calls back after so long, never at once. */
  later(delayMs: number, callback: () => void): void {
    if (delayMs > 0) {
      if (this.#clock === undefined) throw new RangeError('Delays need a clock.');
      this.#clock.after(delayMs, callback);
      return;
    }
    if (this.#inARow === 0) {
      void nextTurn().then(() => {
        this.#inARow = 0;
      });
    }
    this.#inARow += 1;
    if (this.#inARow > DELIVERIES_PER_TURN) void afterTurn(callback);
    else queueMicrotask(callback);
  }

  session(a: PeerId, b: PeerId): Session | undefined {
    return this.#sessions.get(a)?.get(b);
  }

  neighbours(peer: PeerId): PeerId[] {
    return [...(this.#sessions.get(peer)?.keys() ?? [])];
  }

  open(a: PeerId, b: PeerId): Session {
    const session: Session = { peers: [a, b], streams: new Set(), closed: false };
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const sessions = this.#sessions.get(from) ?? new Map<PeerId, Session>();
      this.#sessions.set(from, sessions.set(to, session));
    }
    return session;
  }

  close(session: Session): void {
    session.closed = true;
    const [a, b] = session.peers;
    this.#sessions.get(a)?.delete(b);
    this.#sessions.get(b)?.delete(a);
    for (const stream of session.streams) stream.fail(new MeshError('stream-cut', 'The connection ended.'));
    session.streams.clear();
  }

  #deliver(link: Link): void {
    if (link.state === 'holds') {
      link.owed += 1;
      return;
    }
    const parcel = link.queue.shift();
    if (parcel?.session?.closed === true || link.state === 'swallows') return;
    parcel?.action();
  }
}

async function afterTurn(action: () => void): Promise<void> {
  await nextTurn();
  action();
}
