import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { THUMBNAILS_SHOWN, THUMBNAILS_SOUGHT_MAX } from '../../../node/src/core/options.ts';
import { NewestThumbnails } from '../../../node/src/core/thumbnails.ts';

/** Seven results, each a millisecond newer than the one before, in a job of so many tasks. */
class Job {
  readonly thumbnails = new NewestThumbnails();
  readonly results = new Map(
    Array.from({ length: 7 }, (_, index) => [index, { wallTime: index, thumbnail: `${index}` }]),
  );
  /** How often a result was asked for. */
  looks = 0;
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
    for (const [index, { wallTime }] of this.results) this.thumbnails.keep(index, wallTime);
  }

  shown(): number[] {
    const shown = this.thumbnails.of({
      count: this.#count,
      indices: () => this.results.keys(),
      result: (index) => (this.looks++, this.results.get(index)),
    });
    return shown.map(({ task }) => task);
  }

  /** All is right where it stands: no other results are looked at. */
  assertNoSearch(shown: readonly number[]): void {
    this.looks = 0;
    assert.deepEqual(this.shown(), shown);
    assert.ok(this.looks <= 2 * THUMBNAILS_SHOWN, `${this.looks} looks`);
  }
}

describe('the newest thumbnails of a job', () => {
  for (const [count, shown] of [
    // A film of some minutes has them all; of a hundred thousand tasks nobody waits for a search.
    [5_000, [5, 4, 3, 2]],
    [THUMBNAILS_SOUGHT_MAX, [5, 4, 3, 2]],
    [THUMBNAILS_SOUGHT_MAX + 1, [5, 4, 3]],
    [50_000, [5, 4, 3]],
  ] as const)
    it(`of ${count} tasks are ${shown.length} after one of them went`, () => {
      const job = new Job(count);
      job.assertNoSearch([6, 5, 4, 3]);
      job.results.delete(6);
      assert.deepEqual(job.shown(), shown);
    });

  it('are sought once after one became older, not each time they are shown', () => {
    const job = new Job(7);
    job.results.set(6, { wallTime: 0, thumbnail: 'older' });
    job.thumbnails.keep(6, 0);
    assert.deepEqual(job.shown(), [5, 4, 3, 2]);
    job.assertNoSearch([5, 4, 3, 2]);
  });

  it('are not sought where a result came once more', () => {
    const job = new Job(7);
    job.thumbnails.keep(5, 5);
    job.assertNoSearch([6, 5, 4, 3]);
  });
});
