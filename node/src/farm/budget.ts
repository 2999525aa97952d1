import type { MemberRecord } from '@cuadro/protocol';
import type { Clock } from '../system/interface.ts';
import { SIGNATURES_AT_ONCE, SIGNATURES_PER_SECOND } from './options.ts';

/** How many signatures of strangers are checked: a bucket that fills at a steady rate. */
export class SignatureBudget {
  readonly #clock: Clock;
  #left = SIGNATURES_AT_ONCE;
  #at: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#at = clock.now();
  }

  /** Whether these records may be checked now. */
  spend(records: readonly MemberRecord[]): boolean {
    const now = this.#clock.now();
    this.#left = Math.min(
      SIGNATURES_AT_ONCE,
      this.#left + ((now - this.#at) / 1_000) * SIGNATURES_PER_SECOND,
    );
    this.#at = now;
    const cost = records.reduce((sum, record) => sum + signaturesOf(record), 0);
    if (cost > this.#left) return false;
    this.#left -= cost;
    return true;
  }
}

const signaturesOf = ({ admissions, removals }: MemberRecord): number =>
  1 + Object.keys(admissions).length + Object.keys(removals).length;
