import type { Fault, Tally } from './tally.ts';

/** What went wrong, and when. */
export class FaultLog {
  readonly #tally: Pick<Tally, 'fault'>;
  /** When each began, and before the first one the time of faults. */
  readonly #at: number[] = [];
  #beganAt: number | undefined;

  constructor(tally: Pick<Tally, 'fault'>) {
    this.#tally = tally;
  }

  get count(): number {
    return this.#at.length;
  }

  /** From now on things go wrong. */
  begin(now: number): void {
    this.#beganAt = now;
  }

  add(kind: Fault, now: number): void {
    this.#at.push(now);
    this.#tally.fault(kind);
  }

  /** The longest time without a fault while things go wrong. */
  longestPauseMs(untilMs: number): number {
    const from = this.#beganAt ?? untilMs;
    const at = [from, ...this.#at.filter((ms) => ms > from), untilMs];
    return at.reduce((longest, ms, i) => Math.max(longest, ms - (at[i - 1] ?? ms)), 0);
  }
}
