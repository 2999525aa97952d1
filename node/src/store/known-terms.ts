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

  beyond(): number {
    return this.#highest + UNSEEN_TERMS;
  }

  #take(term: number): void {
    this.#highest = Math.max(this.#highest, term);
  }
}
