import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Heap } from '../../../node/src/core/heap.ts';

interface Item {
  readonly at: number;
}

/** Times differ by less than a millisecond, too. */
const quarters = fc.nat({ max: 19 }).map((number) => number / 4);

describe('a heap', () => {
  it('gives the least of what it holds, as a list that is sorted each time would', () => {
    fc.assert(
      fc.property(fc.array(fc.option(quarters), { maxLength: 40 }), (deeds) => {
        const heap = new Heap<Item>((a, b) => a.at - b.at);
        let naive: number[] = [];
        for (const deed of deeds) {
          if (deed === null) {
            assert.equal(heap.pop()?.at, naive[0]);
            naive = naive.slice(1);
          } else {
            heap.push({ at: deed });
            naive = [...naive, deed].sort((a, b) => a - b);
          }
          assert.deepEqual([heap.peek()?.at, heap.size], [naive[0], naive.length]);
        }
        while (naive.length > 0) assert.equal(heap.pop()?.at, naive.shift());
        assert.deepEqual([heap.pop(), heap.peek(), heap.size], [undefined, undefined, 0]);
      }),
    );
  });

  it('gives few in order, in whatever order they come', () => {
    const orders = (items: readonly number[]): number[][] =>
      items.length === 0
        ? [[]]
        : items.flatMap((item) =>
            orders(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
          );
    const sorted = [0, 1, 2, 3, 4, 5, 6];
    for (const order of orders(sorted)) {
      const heap = new Heap<number>((a, b) => a - b);
      for (const item of order) heap.push(item);
      assert.deepEqual(
        sorted.map(() => heap.pop()),
        sorted,
      );
    }
  });

  it('gives the least also where what is added goes far up after some was taken', () => {
    const deeds = [2, 4, 16, 12, 5, 'pop', 5, 7, 'pop', 6, 'pop', 'pop', 'pop', 'pop', 'pop'] as const;
    const heap = new Heap<number>((a, b) => a - b);
    const taken: (number | undefined)[] = [];
    for (const deed of deeds) {
      if (deed === 'pop') taken.push(heap.pop());
      else heap.push(deed);
    }
    assert.deepEqual(taken, [2, 4, 5, 5, 6, 7, 12]);
    assert.deepEqual([heap.pop(), heap.pop()], [16, undefined]);
  });

  it('looks at few of what it holds', () => {
    let looks = 0;
    const heap = new Heap<number>((a, b) => {
      looks += 1;
      return a - b;
    });
    const count = 1_024;
    for (let at = count; at > 0; at--) heap.push(at);
    assert.ok(looks <= 10 * count, `${looks} to add`);
    looks = 0;
    while (heap.size > 0) heap.pop();
    assert.ok(looks <= 20 * count, `${looks} to take`);
  });
});
