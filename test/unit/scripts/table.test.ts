import assert from 'node:assert/strict';
import { it } from 'node:test';
import { figureText, growth, tableOf } from '../../../scripts/bench/table.ts';

it('finds the power that figures grow with', () => {
  const sizes = [10, 100, 300, 1_000];
  const of = (power: number): number[] => sizes.map((size) => 7 * size ** power);
  for (const power of [-1, 0, 0.5, 1, 2]) {
    const found = growth(sizes, of(power));
    assert.ok(found !== undefined && Math.abs(found - power) < 1e-9, `n^${power}: ${found}`);
  }
  assert.equal(growth([10], [1]), undefined, 'one size has no shape');
  assert.equal(growth([10, 100], [0, 3]), undefined, 'and nothing has none either');
  assert.equal(growth([10, 100, 1_000], [undefined, 3, 30])?.toFixed(9), '1.000000000');
});

it('says figures as people read them', () => {
  assert.deepEqual([0, 0.1234, 1.234, 12.34, 123.4, 1_000_000, undefined, Number.NaN].map(figureText), [
    '0',
    '0.123',
    '1.23',
    '12.3',
    '123',
    '1,000,000',
    '–',
    '–',
  ]);
});

it('puts the growth below the rows', () => {
  const lines = tableOf(
    [
      { key: 'nodes', title: 'nodes' },
      { key: 'bytes', title: 'kB/s' },
      { key: 'name', title: 'sort', grows: false },
    ],
    [
      { nodes: 10, bytes: 5, name: 1 },
      { nodes: 1_000, bytes: 500, name: 2 },
    ],
  );
  assert.deepEqual(lines, [
    ' nodes    kB/s  sort',
    '    10       5     1',
    ' 1,000     500     2',
    'growth  n^1.00      ',
  ]);
});
