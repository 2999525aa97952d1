import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cluster } from './cluster.ts';
import { BELEN, CARMEN, framesPlan } from './farm.ts';
import { leading, sentTo } from './members.ts';

/** Whether a job that is submitted now is done everywhere soon. */
function renders(cluster: Cluster, at: number): void {
  const id = cluster.submit(at, framesPlan('1-4'));
  const living = cluster.nodes.filter(({ alive }) => alive);
  cluster.until('done', () => living.every(({ core }) => core.job(id)?.state === 'done'), 20_000);
}

/** The host of them all paused: each of them is late by as much. */
function pause(cluster: Cluster, ms: number): void {
  cluster.now += ms;
  for (const node of cluster.nodes) cluster.input(node, { kind: 'gap', ms });
}

describe('a farm of which all machines stood still at once', () => {
  for (const count of [2, 3, 5]) {
    it(`R180: goes on, with ${count} of them and nothing that any would say by itself`, () => {
      const cluster = new Cluster(count).startAll();
      cluster.until('a coordinator', () => cluster.leader() !== undefined);
      cluster.run(5_000);
      const leader = cluster.leader();
      pause(cluster, 2_000);
      cluster.run(1_000);
      assert.equal(cluster.leader(), leader);
      renders(cluster, count - 1);
    });
  }
});

describe('a node whose own time stood still', () => {
  it('R180: tells its claim to all whom it is connected to, once', () => {
    const farm = leading(BELEN, CARMEN);
    farm.step({ kind: 'peer', peer: CARMEN, state: 'lost' });
    farm.now += 2_000;
    const effects = [...farm.step({ kind: 'gap', ms: 2_000 }), ...farm.advance(60_000)];
    assert.deepEqual(
      [BELEN, CARMEN].map((peer) => sentTo(peer, 'claim', effects).length),
      [1, 0],
    );
  });
});
