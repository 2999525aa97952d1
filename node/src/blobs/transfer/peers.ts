import type { PeerId } from '@cuadro/protocol';
import type { Clock, Logger } from '../../system/interface.ts';
import type { BlobHash } from '../interface.ts';
import type { TransferStatus } from './interface.ts';
import { swarmLimits, transferLimits, type TransferOptions } from './limits.ts';
import type { Turn } from './wants.ts';

interface Peer {
  lanes: number;
  busyUntilMs: number;
  shunnedUntilMs: number;
  askBytes: number;
  heardMs: number;
}

/** What the transfer knows of other machines, whatever the file. */
export class Peers {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #options: TransferOptions;
  readonly #peers = new Map<PeerId, Peer>();
  readonly #liars = new Map<PeerId, { count: number; hash: BlobHash }>();
  #lanes = 0;

  constructor(components: { clock: Clock; logger: Logger }, options: TransferOptions) {
    this.#clock = components.clock;
    this.#logger = components.logger;
    this.#options = options;
  }

  /** Whether one more request may go to it now, so that there are at most `most`. */
  hasLane(peer: PeerId, most = this.#options.lanesPerPeer): boolean {
    return this.#lanes < this.#options.lanes && this.#of(peer).lanes < most;
  }

  /** Takes a lane; the returned function gives it back. */
  enter(peer: PeerId): () => void {
    const known = this.#of(peer);
    known.lanes += 1;
    this.#lanes += 1;
    return () => {
      known.lanes -= 1;
      this.#lanes -= 1;
    };
  }

  turnOf(peer: PeerId, nowMs: number): Turn {
    const { busyUntilMs, shunnedUntilMs } = this.#of(peer);
    if (shunnedUntilMs > nowMs) return 'never';
    return busyUntilMs <= nowMs ? 'now' : busyUntilMs;
  }

  busy(peer: PeerId): void {
    this.#of(peer).busyUntilMs = this.#clock.now() + transferLimits.busyMs;
  }

  /** What one request asks of it where others have the rest: about what it brings in a second. */
  askBytesOf(peer: PeerId): number {
    return this.#of(peer).askBytes;
  }

  /** What came of one request. */
  brought(peer: PeerId, bytes: number, tookMs: number): void {
    this.#of(peer).askBytes = askBytesAfter(bytes, tookMs);
  }

  /** Something of a file came from it. */
  heard(peer: PeerId): void {
    this.#of(peer).heardMs = this.#clock.now();
  }

  /** When that was last, by the clock of the transfer. */
  heardMsOf(peer: PeerId): number {
    return this.#of(peer).heardMs;
  }

  /** It sent what doesn't fit: told, counted, and left alone for a while. */
  lied(peer: PeerId, hash: BlobHash, what: string): void {
    const count = (this.#liars.get(peer)?.count ?? 0) + 1;
    this.#liars.set(peer, { count, hash });
    this.#of(peer).shunnedUntilMs = this.#clock.now() + this.#options.liarPauseMs;
    this.#logger.warn('A machine sent what does not fit; it is not asked for a while.', {
      peer,
      hash,
      what,
      count,
    });
  }

  get liars(): TransferStatus['liars'] {
    return Object.fromEntries(this.#liars);
  }

  /** Those that are left alone for the moment, for what they sent. */
  get shunned(): PeerId[] {
    const nowMs = this.#clock.now();
    return [...this.#liars.keys()].filter((peer) => this.#of(peer).shunnedUntilMs > nowMs);
  }

  #of(peer: PeerId): Peer {
    let known = this.#peers.get(peer);
    if (known === undefined) {
      const askBytes = swarmLimits.askBytesFirst;
      const heardMs = Number.NEGATIVE_INFINITY;
      known = { lanes: 0, busyUntilMs: 0, shunnedUntilMs: 0, askBytes, heardMs };
      this.#peers.set(peer, known);
    }
    return known;
  }
}

/** What a machine is best asked for that brought so much in so long: what it brings in a second, within bounds. */
export function askBytesAfter(bytes: number, tookMs: number): number {
  // A whole number of bytes: a request with any other is refused.
  const second = Math.round((bytes / Math.max(1, tookMs)) * 1_000);
  return Math.min(transferLimits.requestBytes, Math.max(swarmLimits.askBytesFirst, second));
}
