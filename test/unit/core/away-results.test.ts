import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AwayResults } from '../../../node/src/core/away-results.ts';

const GROUPS = 3;
const TASKS = 6;
const groupOf = (index: number): number => index % GROUPS;

describe('results out of reach', () => {
  it('R59: are counted by group as they come and go', () => {
    const deed = fc.record({
      kind: fc.constantFrom('add', 'delete', 'substitute'),
      index: fc.nat({ max: TASKS - 1 }),
      since: fc.nat({ max: 99 }),
    });
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 30 }), (deeds) => {
        const away = new AwayResults();
        const naive = new Map<number, number>();
        const substitutes = new Set<number>();
        for (const { kind, index, since } of deeds) {
          const isKnown = naive.has(index);
          if (kind === 'add') {
            assert.equal(away.add(index, groupOf(index), since), !isKnown);
            naive.set(index, since);
          } else if (kind === 'delete') {
            assert.equal(away.delete(index), isKnown);
            naive.delete(index);
            substitutes.delete(index);
          } else if (isKnown) {
            away.substitutes.add(index);
            substitutes.add(index);
          }
          assert.equal(away.size, naive.size);
          assert.deepEqual(away.indices(), [...naive.keys()]);
          assert.deepEqual(new Set(away.substitutes), substitutes);
          for (let task = 0; task < TASKS; task++) {
            assert.equal(away.has(task), naive.has(task));
            assert.equal(away.get(task)?.since, naive.get(task));
          }
          for (let group = 0; group < GROUPS; group++) {
            const inGroup = [...naive.keys()].filter((task) => groupOf(task) === group);
            assert.equal(away.countIn(group), inGroup.length);
          }
        }
        for (const [index, entry] of away.entries())
          assert.deepEqual(entry, {
            group: groupOf(index),
            since: naive.get(index),
            failed: 0,
            notBefore: 0,
          });
      }),
    );
  });
});
