import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BARS } from '../../../scripts/bench/bars.ts';
import { bench as smallFiles } from '../../../scripts/bench/small-files.ts';
import { bench as store } from '../../../scripts/bench/store.ts';

/** The files of the bundles that a text speaks of. */
const filesIn = (text: string): string[] =>
  [...text.matchAll(/(?:bundle|scene) of ([\d,]+) (?:small )?files/g)].map(([, count]) => count ?? '');

for (const { name, measures } of [smallFiles, store])
  it(`a bar of ${name} speaks of as many files as that moves`, () => {
    const ofBars = BARS[name].flatMap(({ from }) => filesIn(from));
    assert.ok(ofBars.length > 0);
    for (const count of ofBars) assert.deepEqual(filesIn(measures), [count]);
  });

it('100,000 files have no higher bar than fewer have', () => {
  const limitOf = (name: 'small-files' | 'store', figure: string): number | undefined =>
    BARS[name].find((bar) => bar.figure === figure)?.limit;
  assert.equal(limitOf('store', 'filesMB'), 400);
  assert.equal(limitOf('small-files', 'highestMB'), 400);
});
