import assert from 'node:assert/strict';
import { it } from 'node:test';
import { THUMBNAILS_SHOWN, THUMBNAILS_SOUGHT_MAX } from '../../../node/src/core/options.ts';
import { NewestThumbnails } from '../../../node/src/core/thumbnails.ts';

it('the place of a thumbnail that went is given to the next, but in a job with very many tasks', () => {
  for (const [count, shown] of [
    [THUMBNAILS_SOUGHT_MAX, [5, 4, 3, 2]],
    [THUMBNAILS_SOUGHT_MAX + 1, [5, 4, 3]],
  ] as const) {
    const thumbnails = new NewestThumbnails();
    const results = new Map(
      Array.from({ length: 7 }, (_, index) => [index, { wallTime: index, thumbnail: `${index}` }]),
    );
    for (const [index, { wallTime }] of results) thumbnails.keep(index, wallTime);
    let looks = 0;
    const seen = () =>
      thumbnails.of({
        count,
        indices: () => results.keys(),
        result: (index) => (looks++, results.get(index)),
      });
    assert.deepEqual(
      seen().map(({ task }) => task),
      [6, 5, 4, 3],
    );
    assert.ok(looks <= 2 * THUMBNAILS_SHOWN, 'as long as all are right no others are looked at');
    results.delete(6);
    assert.deepEqual(
      seen().map(({ task }) => task),
      shown,
    );
  }
});
