import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Holders } from '@cuadro/protocol';
import { CopyCounts } from '../../../node/src/core/copy-counts.ts';

const PEERS = ['ana', 'belen', 'carmen', 'dolores'];
const TASKS = 5;

const holders: fc.Arbitrary<Holders> = fc
  .array(fc.record({ peer: fc.constantFrom(...PEERS), held: fc.boolean() }), { maxLength: 4 })
  .map((entries) =>
    Object.fromEntries(entries.map(({ peer, held }, index) => [peer, { held, counter: index + 1 }])),
  );

/** Who holds each task's result; nobody that of one without. */
type Held = (readonly string[])[];

const heldBy = (all: Holders | undefined): string[] =>
  Object.entries(all ?? {}).flatMap(([peer, { held }]) => (held ? peer : []));

function judge(counts: CopyCounts, held: Held): void {
  const some = held.filter((peers) => peers.length > 0);
  assert.equal(counts.onOne, some.filter((peers) => peers.length === 1).length);
  for (const peer of [...PEERS, 'nobody']) {
    // Of more than two holders none is the last, and they are counted nowhere.
    const few = some.filter((peers) => peers.length <= 2);
    const others = few.map((peers) => peers.filter((other) => other !== peer).length);
    assert.deepEqual(counts.without(peer), {
      onNone: others.filter((left) => left === 0).length,
      onOne: others.filter((left) => left === 1).length,
    });
  }
  const alone = PEERS.flatMap((peer) => {
    const results = some.filter((peers) => peers.length === 1 && peers[0] === peer).length;
    return results === 0 ? [] : [[peer, results] as const];
  });
  assert.deepEqual(
    [...counts.alone()].sort(([a], [b]) => (a < b ? -1 : 1)),
    alone,
  );
  for (const away of [[], ['ana'], ['ana', 'carmen'], PEERS]) {
    const isAway = (peer: string): boolean => away.includes(peer);
    const gone = (peers: readonly string[]): boolean =>
      peers.length > 0 && peers.length <= 2 && peers.every(isAway);
    assert.equal(counts.someHeldOnlyBy(isAway), held.some(gone));
    for (const orMore of [false, true])
      assert.deepEqual(
        [...counts.mayBeHeldOnlyBy(isAway, orMore)],
        held.flatMap((peers, index) =>
          gone(peers) || (orMore && (peers.length === 0 || peers.length > 2)) ? index : [],
        ),
      );
  }
}

describe('counts of copies', () => {
  it('R58, R59: say what a look at every task would', () => {
    const deed = fc.tuple(fc.nat({ max: TASKS - 1 }), fc.option(holders, { nil: undefined }));
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 20 }), (deeds) => {
        const counts = new CopyCounts(TASKS);
        const held: Held = Array.from({ length: TASKS }, () => []);
        judge(counts, held);
        for (const [index, all] of deeds) {
          counts.put(index, all);
          held[index] = heldBy(all);
          judge(counts, held);
        }
      }),
    );
  });
});
