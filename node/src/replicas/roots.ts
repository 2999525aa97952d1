import { PEER_ROOTS_KEPT, ROOTS_KEPT } from './limits.ts';

/** The roots that this node had lately, with the time at which it left each. */
export class OwnRoots {
  current: string | undefined;
  readonly #left = new Map<string, number>();

  set(root: string, nowMs: number): void {
    if (root === this.current) return;
    if (this.current !== undefined) this.#left.set(this.current, nowMs);
    this.current = root;
    this.#left.delete(root);
    for (const oldest of this.#left.keys()) {
      if (this.#left.size <= ROOTS_KEPT) break;
      this.#left.delete(oldest);
    }
  }

  /** When this node went on from that root; undefined for one that it has now, never had, or had long ago. */
  leftAt(root: string): number | undefined {
    return this.#left.get(root);
  }
}

/** The roots that one peer told lately. */
export class PeerRoots {
  readonly #own: OwnRoots;
  #heard: { readonly root: string; lastAt: number }[] = [];
  #since: number | undefined;

  constructor(own: OwnRoots) {
    this.#own = own;
  }

  get latest(): string | undefined {
    return this.#heard.at(-1)?.root;
  }

  hear(root: string, nowMs: number): void {
    this.#since = this.differsSince() ?? nowMs;
    const last = this.#heard.at(-1);
    if (last?.root === root) last.lastAt = nowMs;
    else this.#heard = [...this.#heard, { root, lastAt: nowMs }].slice(-PEER_ROOTS_KEPT);
  }

  /** What was heard before counts no more: an exchange has changed both. */
  clear(): void {
    this.#heard = [];
    this.#since = undefined;
  }

  /**
   * Since when the two differ, undefined while they are the same. A root that either had lately is a common state:
   * they differ only since it was left (SPEC R47), so whoever merely lags by some gossip is never long different.
   */
  differsSince(): number | undefined {
    const { current } = this.#own;
    const { latest } = this;
    if (current === undefined || latest === undefined || latest === current) return undefined;
    const weLeft = this.#own.leftAt(latest);
    const theyLeft = this.#heard.findLast(({ root }) => root === current)?.lastAt;
    const times = [this.#since, weLeft, theyLeft].filter((time) => time !== undefined);
    return Math.max(...times);
  }
}
