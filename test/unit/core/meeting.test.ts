import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cluster } from './cluster.ts';

/** Two nodes that lead alone in the same term, for the same time, and hear of each other: the `first` a moment earlier. */
function meeting(first: 0 | 1, laterMs: number): Cluster {
  const cluster = new Cluster(2);
  cluster.cut(0, 1);
  cluster.startAll();
  cluster.run(8_000);
  assert.deepEqual(cluster.leaders(), ['A', 'B'], 'each leads alone');
  const [one, other] = [cluster.node(first), cluster.node(1 - first)];
  one.connected.add(other.peer);
  other.connected.add(one.peer);
  cluster.input(one, { kind: 'peer', peer: other.peer, state: 'reachable' });
  cluster.run(laterMs);
  cluster.input(other, { kind: 'peer', peer: one.peer, state: 'reachable' });
  return cluster;
}

describe('R44: two coordinators of one term and one age meet', () => {
  for (const first of [0, 1] as const) {
    for (const laterMs of [0, 1, 3, 10, 100]) {
      it(`one stays, where ${first === 0 ? 'the lower' : 'the higher'} id hears ${laterMs} ms earlier`, () => {
        const cluster = meeting(first, laterMs);
        const took = cluster.until('one coordinator', () => cluster.leader() !== undefined, 5_000);
        assert.ok(took <= 1_500, `${took} ms with two`);
      });
    }
  }
});
