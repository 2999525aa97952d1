import type { PeerId } from '@cuadro/protocol';

/**
 * Machines in the order in which they became known. It never changes, so the files of a tree, which mostly are known of
 * the same machines, share one: a set for each of 100,000 took 30 MB.
 */
export class PeerSet {
  readonly #peers: ReadonlySet<PeerId>;
  /** The same as a list. */
  readonly list: readonly PeerId[];
  /** What was made of it last: the next file is mostly added the same machine. */
  #last: { readonly peer: PeerId; readonly set: PeerSet } | undefined;

  constructor(peers: readonly PeerId[] = []) {
    this.list = peers;
    this.#peers = new Set(peers);
  }

  get size(): number {
    return this.#peers.size;
  }

  has(peer: PeerId): boolean {
    return this.#peers.has(peer);
  }

  /** With one more, the last; the same set where that is in it already. */
  with(peer: PeerId): PeerSet {
    if (this.#peers.has(peer)) return this;
    if (this.#last?.peer !== peer) this.#last = { peer, set: new PeerSet([...this.list, peer]) };
    return this.#last.set;
  }

  [Symbol.iterator](): IterableIterator<PeerId> {
    return this.#peers.values();
  }
}
