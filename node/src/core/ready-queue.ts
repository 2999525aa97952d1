import type { PeerId, TaskIndex } from '@cuadro/protocol';
import { Heap } from './heap.ts';
import type { TaskOrder } from './order.ts';

/** What a queue asks of its job. */
export interface ReadyProbe {
  /** Open, granted to nobody, and everything it needs has a result. */
  isFree(index: TaskIndex): boolean;
  /** The machines on which it failed, in a fixed order. */
  failedOn(index: TaskIndex): readonly PeerId[];
  /** Monotonic time before which it isn't tried again on a machine where it failed. */
  notBefore(index: TaskIndex): number;
}

/** Tasks that failed on the same machines: who is one of those skips them all at once. */
interface Bucket {
  peers: ReadonlySet<PeerId>;
  key: string;
  byRank: Heap<number>;
  byTime: Heap<{ at: number; rank: number }>;
}

interface Candidate {
  rank: number;
  take(): void;
}

/**
 * The tasks of one group that may be granted next, in order, at O(1) amortised: a cursor walks over those never
 * offered, and only what came back stands in heaps. Entries are checked when they are met, not when they become
 * wrong; whatever makes a task free must `offer` it.
 */
export class ReadyQueue {
  readonly #start: TaskIndex;
  readonly #count: number;
  readonly #order: TaskOrder;
  readonly #probe: ReadyProbe;
  readonly #returned = new Heap<number>((a, b) => a - b);
  readonly #buckets = new Map<string, Bucket>();
  #cursor = 0;

  constructor(span: { start: TaskIndex; count: number }, order: TaskOrder, probe: ReadyProbe) {
    this.#start = span.start;
    this.#count = span.count;
    this.#order = order;
    this.#probe = probe;
  }

  /** A task became free by an event. */
  offer(index: TaskIndex): void {
    const rank = this.#order.rankOf(index - this.#start);
    if (this.#probe.failedOn(index).length > 0) this.#addToBucket(rank);
    else if (rank < this.#cursor) this.#returned.push(rank);
  }

  /**
   * Takes the first task that this machine may have. `mayRepeat` says whether a task that failed on these
   * machines may go to one of them again, after its pause.
   */
  pick(
    peer: PeerId,
    mayRepeat: (failedOn: ReadonlySet<PeerId>) => boolean,
    now: number,
  ): TaskIndex | undefined {
    let best = this.#firstReturned();
    const next = this.#firstUnseen();
    if (next !== undefined && (best === undefined || next.rank < best.rank)) best = next;
    for (const bucket of this.#buckets.values()) {
      const candidate = this.#firstOf(bucket, peer, mayRepeat, now);
      if (candidate !== undefined && (best === undefined || candidate.rank < best.rank)) best = candidate;
    }
    if (best === undefined) return undefined;
    best.take();
    return this.#indexAt(best.rank);
  }

  /** Whether there is nothing for any machine, now or after a pause. */
  isEmpty(): boolean {
    if (this.#firstReturned() !== undefined || this.#firstUnseen() !== undefined) return false;
    for (const [key, bucket] of this.#buckets) {
      if (this.#cleanTop(bucket) !== undefined) return false;
      this.#buckets.delete(key);
    }
    return true;
  }

  #indexAt(rank: number): TaskIndex {
    return this.#start + this.#order.placeAt(rank);
  }

  #firstReturned(): Candidate | undefined {
    for (let rank = this.#returned.peek(); rank !== undefined; rank = this.#returned.peek()) {
      if (this.#isFresh(rank)) return { rank, take: () => void this.#returned.pop() };
      this.#returned.pop();
    }
    return undefined;
  }

  #firstUnseen(): Candidate | undefined {
    for (; this.#cursor < this.#count; this.#cursor++) {
      const rank = this.#cursor;
      if (this.#isFresh(rank)) return { rank, take: () => void this.#cursor++ };
    }
    return undefined;
  }

  /** Free and never failed; one that failed moves to its bucket. */
  #isFresh(rank: number): boolean {
    const index = this.#indexAt(rank);
    if (!this.#probe.isFree(index)) return false;
    if (this.#probe.failedOn(index).length === 0) return true;
    this.#addToBucket(rank);
    return false;
  }

  #addToBucket(rank: number): void {
    const index = this.#indexAt(rank);
    const peers = this.#probe.failedOn(index);
    const key = peers.join(' ');
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = {
        key,
        peers: new Set(peers),
        byRank: new Heap((a, b) => a - b),
        byTime: new Heap((a, b) => a.at - b.at || a.rank - b.rank),
      };
      this.#buckets.set(key, bucket);
    }
    bucket.byRank.push(rank);
    bucket.byTime.push({ at: this.#probe.notBefore(index), rank });
  }

  #firstOf(
    bucket: Bucket,
    peer: PeerId,
    mayRepeat: (failedOn: ReadonlySet<PeerId>) => boolean,
    now: number,
  ): Candidate | undefined {
    if (!bucket.peers.has(peer)) {
      const rank = this.#cleanTop(bucket);
      return rank === undefined ? undefined : { rank, take: () => void bucket.byRank.pop() };
    }
    if (!mayRepeat(bucket.peers)) return undefined;
    const first = this.#cleanTopByTime(bucket);
    if (first === undefined || first.at > now) return undefined;
    return { rank: first.rank, take: () => void bucket.byTime.pop() };
  }

  #cleanTop(bucket: Bucket): number | undefined {
    for (let rank = bucket.byRank.peek(); rank !== undefined; rank = bucket.byRank.peek()) {
      if (this.#belongs(bucket, rank)) return rank;
      bucket.byRank.pop();
    }
    return undefined;
  }

  #cleanTopByTime(bucket: Bucket): { at: number; rank: number } | undefined {
    for (let top = bucket.byTime.peek(); top !== undefined; top = bucket.byTime.peek()) {
      // Since it came here it may have failed once more, for a longer pause: then a later entry stands for it.
      const isLatest = this.#probe.notBefore(this.#indexAt(top.rank)) <= top.at;
      if (isLatest && this.#belongs(bucket, top.rank)) return top;
      bucket.byTime.pop();
    }
    return undefined;
  }

  #belongs(bucket: Bucket, rank: number): boolean {
    const index = this.#indexAt(rank);
    return this.#probe.isFree(index) && this.#probe.failedOn(index).join(' ') === bucket.key;
  }
}
