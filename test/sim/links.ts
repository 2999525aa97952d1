import type { PeerId } from '@cuadro/protocol';
import type { MeshError } from '../../node/src/mesh/errors.ts';
import type { MemoryStream } from '../../node/src/mesh/memory-stream.ts';
import type { Dice } from './dice.ts';

interface Parcel {
  readonly session: Session;
  readonly to: PeerId;
  readonly run: () => void;
}

/** After so long TCP repeats what was lost, and then after twice as long each time. */
const REPEAT_MS = 200;

/** One direction between two machines. */
export class Way {
  isCut = false;
  /** Since when its receiver hears nothing. */
  silentSince: number | undefined;
  /** The least time that a message takes, and what it takes more on average. */
  baseMs = 0.3;
  jitterMs = 0.5;
  /** Share of packets that get lost. */
  loss = 0;
  /** Messages that arrived while the way was cut. */
  readonly held: Parcel[] = [];
  #lastArrival = 0;

  latency(dice: Dice): number {
    let ms = this.baseMs + dice.longTailed(this.jitterMs);
    if (this.loss > 0) {
      for (let repeatMs = REPEAT_MS; repeatMs < 3_000 && dice.chance(this.loss); repeatMs *= 2)
        ms += repeatMs;
    }
    return ms;
  }

  /** How long what was sent already still takes: whatever is sent now comes after it. */
  behindMs(now: number): number {
    return Math.max(0, this.#lastArrival - now);
  }

  /** When what is sent now arrives: never before what was sent earlier. */
  arrival(now: number, dice: Dice): number {
    this.#lastArrival = Math.max(this.#lastArrival, now + this.latency(dice));
    return this.#lastArrival;
  }
}

/** A connection, which its two ends may see differently for a while. */
export class Session {
  readonly peers: readonly [PeerId, PeerId];
  readonly #open = new Set<PeerId>();
  readonly #streams = new Map<PeerId, Set<MemoryStream>>();

  constructor(peers: readonly [PeerId, PeerId]) {
    this.peers = peers;
    for (const peer of peers) {
      this.#open.add(peer);
      this.#streams.set(peer, new Set());
    }
  }

  isOpen(peer: PeerId): boolean {
    return this.#open.has(peer);
  }

  other(peer: PeerId): PeerId {
    return this.peers[0] === peer ? this.peers[1] : this.peers[0];
  }

  /** A stream whose end at `peer` goes with that end of the connection. */
  carry(peer: PeerId, stream: MemoryStream): void {
    const streams = this.#streams.get(peer);
    streams?.add(stream);
    stream.onClose(() => streams?.delete(stream));
  }

  close(peer: PeerId, failure: MeshError): void {
    this.#open.delete(peer);
    const streams = [...(this.#streams.get(peer) ?? [])];
    this.#streams.get(peer)?.clear();
    for (const stream of streams) stream.fail(failure);
  }
}

/** Two machines, the ways between them and their connection. */
export class Pair {
  readonly low: PeerId;
  readonly high: PeerId;
  readonly #up = new Way();
  readonly #down = new Way();
  session: Session | undefined;

  constructor(low: PeerId, high: PeerId) {
    this.low = low;
    this.high = high;
  }

  has(peer: PeerId): boolean {
    return this.low === peer || this.high === peer;
  }

  way(from: PeerId): Way {
    return from === this.low ? this.#up : this.#down;
  }

  open(): Session {
    this.session = new Session([this.low, this.high]);
    return this.session;
  }
}
