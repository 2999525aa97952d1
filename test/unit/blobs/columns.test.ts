import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BlobIndex } from '../../../node/src/blobs/blob-index.ts';
import { Column, PAGE_ROWS, SteadyColumn } from '../../../node/src/blobs/columns.ts';
import { PinTable } from '../../../node/src/blobs/pins.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';

const NOW_MS = 1_790_000_000_000;
const DAY_MS = 86_400_000;
/** What a column is given; the last ones need more than four bytes. */
const KINDS: ((random: () => number) => number)[] = [
  (random) => Math.floor(random() * 1_000_000),
  (random) => NOW_MS + Math.floor(random() * DAY_MS),
  (random) => 2 ** 32 - 3 + Math.floor(random() * 6),
  (random) => NOW_MS + (Math.floor(random() * 100) - 50) * DAY_MS,
  (random) => random() * 100 - 50,
];

describe('columns of numbers, beside maps that know the same', () => {
  for (const [kind, valueOf] of KINDS.entries()) {
    it(`gives what was set, and nothing of what was cleared: numbers of kind ${kind}`, () => {
      const random = createSeededRandom(kind);
      const column = new Column();
      const known = new Map<number, number>();
      for (let step = 0; step < 4_000; step++) {
        const row = Math.floor(random.float() * 3 * PAGE_ROWS);
        assert.equal(column.get(row), known.get(row) ?? Number.NaN);
        if (random.float() < 0.3) {
          column.clear(row);
          known.delete(row);
          continue;
        }
        const value = valueOf(() => random.float());
        column.set(row, value);
        known.set(row, value);
      }
      for (let row = 0; row < 3 * PAGE_ROWS; row++)
        assert.equal(column.get(row), known.get(row) ?? Number.NaN);
      const values = new Set(known.values());
      for (const value of values) {
        assert.ok(column.has(value));
        assert.equal(column.has(value + 0.25), values.has(value + 0.25));
        assert.equal(column.has(value - 1), values.has(value - 1));
      }
    });
  }

  it('keeps what a page has when a number of another kind comes to it', () => {
    const column = new Column();
    column.set(1, 7);
    column.set(2, 2 ** 40);
    column.set(3, 0.5);
    assert.deepEqual(
      [0, 1, 2, 3].map((row) => column.get(row)),
      [Number.NaN, 7, 2 ** 40, 0.5],
    );
    column.clear(2);
    assert.deepEqual([column.has(7), column.has(2 ** 40), column.get(2)], [true, false, Number.NaN]);
  });

  it('tells no number of a page that has none, and clears nothing in it', () => {
    const column = new Column();
    column.clear(2 * PAGE_ROWS);
    column.set(2 * PAGE_ROWS, 5);
    assert.deepEqual([column.get(0), column.get(9 * PAGE_ROWS)], [Number.NaN, Number.NaN]);
    assert.deepEqual([column.has(0), column.has(5), column.has(2 ** 32 - 1)], [false, true, false]);
  });

  it('steady ones give what was set last, one number all over a page or not', () => {
    const random = createSeededRandom(9);
    const column = new SteadyColumn();
    const known = new Map<number, number>();
    for (let step = 0; step < 8_000; step++) {
      const row = Math.floor(random.float() * 3 * PAGE_ROWS);
      const value = row < PAGE_ROWS ? 4 : Math.floor(random.float() * 3);
      column.set(row, value);
      known.set(row, value);
    }
    for (const [row, value] of known) assert.equal(column.get(row), value);
  });
});

describe('when the disk is told of a use', () => {
  const hash = '1'.repeat(64);
  const indexWith = (usedMs: number): BlobIndex => {
    const index = new BlobIndex(new PinTable());
    index.add(hash, 1, usedMs);
    return index;
  };

  it('counts from the last one that it knows of, not from the last', () => {
    const index = indexWith(NOW_MS + 0.75);
    assert.deepEqual(
      [400, 800, 999, 1_001, 1_500, 2_001].map((ms) => index.touch(hash, NOW_MS + ms, 1_000)),
      [false, false, false, true, false, true],
    );
    assert.equal(index.get(hash)?.usedMs, NOW_MS + 2_001);
  });

  it('is told of one after the same file came again, of which it does not know', () => {
    const index = indexWith(NOW_MS);
    index.add(hash, 1, NOW_MS + 900);
    assert.equal(index.get(hash)?.usedMs, NOW_MS + 900);
    assert.equal(index.touch(hash, NOW_MS + 1_100, 1_000), true);
    index.add(hash, 1, NOW_MS);
    assert.equal(index.get(hash)?.usedMs, NOW_MS + 1_100);
  });

  it('a blob that takes the row of another one has none of its times', () => {
    const index = indexWith(NOW_MS);
    index.touch(hash, NOW_MS + 500, 1_000);
    index.remove(hash);
    const other = '2'.repeat(64);
    index.add(other, 1, NOW_MS + 900);
    assert.equal(index.touch(other, NOW_MS + 1_800, 1_000), false);
    assert.equal(index.touch(other, NOW_MS + 1_900, 1_000), true);
  });
});
