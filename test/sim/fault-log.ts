import type { Fault, Tally } from './tally.ts';

/** What went wrong, and when. */
export class FaultLog {
  readonly #tally: Pick<Tally, 'fault'>;
  /** When each began. */
  readonly #at: number[] = [];

  constructor(tally: Pick<Tally, 'fault'>) {
    this.#tally = tally;
  }

  get count(): number {
    return this.#at.length;
  }

  add(kind: Fault, now: number): void {
    this.#at.push(now);
    this.#tally.fault(kind);
  }

  /** The longest time without a fault, from the first on. */
  longestPauseMs(untilMs: number): number {
    const at = [...this.#at, untilMs];
    return at.reduce((longest, ms, i) => (i === 0 ? longest : Math.max(longest, ms - (at[i - 1] ?? ms))), 0);
  }
}
