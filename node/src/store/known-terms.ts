import type { KnownRecord } from '@cuadro/protocol';

/** Elections of which no record tells, at most: far more than a farm sees between two results. */
const UNSEEN_TERMS = 1_000;

/**
 * Where the highest term seen can't be read any more, one beyond all that the records tell of is taken: a node that
 * resumed an epoch would give attempts the names of others (SPEC R40).
 */
export class KnownTerms {
  #highest = 0;

  see(record: KnownRecord): void {
    if (record.kind !== 'task') return;
    for (const { attempt } of Object.values(record.results)) this.#take(attempt.epoch.term);
    for (const { attempt } of Object.values(record.failures)) this.#take(attempt.epoch.term);
  }

  /** The stored term, where it can be trusted to be the highest; else one beyond all that `known` has seen. */
  static of(stored: number | 'damaged' | undefined, known: KnownTerms | undefined): number {
    if (known === undefined) return typeof stored === 'number' ? stored : 0;
    const beyond = known.#highest + UNSEEN_TERMS;
    return typeof stored === 'number' ? Math.max(stored, beyond) : beyond;
  }

  #take(term: number): void {
    this.#highest = Math.max(this.#highest, term);
  }
}
