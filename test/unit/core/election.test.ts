import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { Cluster } from './cluster.ts';
import { framesPlan } from './farm.ts';

/** Further ones by CUADRO_SEEDS=100. */
const SEEDS = Array.from({ length: Number(process.env['CUADRO_SEEDS'] ?? 8) }, (_, i) => i + 1);

/** Frames of a job that have their result on a node. */
const rendered = (cluster: Cluster, node: number, job: string): number =>
  cluster.node(node).core.job(job)?.counts.rendered ?? 0;

const pairs = (count: number): [number, number][] =>
  Array.from({ length: count }, (_, a) => a).flatMap((a) =>
    Array.from({ length: count - a - 1 }, (_, i): [number, number] => [a, a + i + 1]),
  );

describe('R44: who coordinates', () => {
  for (const seed of SEEDS) {
    it(`is one of five that start at once, and stays it (seed ${seed})`, () => {
      const cluster = new Cluster(5, { seed }).startAll();
      cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
      cluster.run(2_000);
      const leader = cluster.leader();
      assert.notEqual(leader, undefined);
      cluster.run(20_000);
      assert.equal(cluster.leader(), leader);
    });

    it(`moves within half a second when its node is killed, and the work goes on (seed ${seed})`, () => {
      const cluster = new Cluster(5, { seed }).startAll();
      cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
      cluster.run(5_000);
      const job = cluster.submit(1, framesPlan('1-60'));
      cluster.run(3_000);
      const before = cluster.leader() as number;
      cluster.kill(before);
      const took = cluster.until('another coordinator', () => cluster.leader() !== undefined);
      assert.ok(took <= 500, `${took} ms without one`);
      const other = cluster.nodes.findIndex(({ alive }) => alive);
      cluster.until('all frames', () => rendered(cluster, other, job) === 60);
      cluster.start(before);
      cluster.run(3_000);
      assert.notEqual(cluster.leader(), before, 'who comes back follows');
      assert.notEqual(cluster.leader(), undefined);
      assert.equal(rendered(cluster, before, job), 60, 'and learns what was done meanwhile');
    });

    it(`is not moved by a laptop that is cut and restored twenty times (seed ${seed})`, () => {
      const cluster = new Cluster(4, { seed }).startAll();
      cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
      cluster.run(5_000);
      const leader = cluster.leader() as number;
      const laptop = (leader + 1) % 4;
      const others = [0, 1, 2, 3].filter((index) => index !== laptop);
      for (let time = 0; time < 20; time++) {
        cluster.split([laptop]);
        cluster.run(2_000 + time * 700);
        for (const index of others) {
          assert.equal(cluster.node(index).core.epoch?.peer, cluster.node(leader).peer, `time ${time}`);
        }
        cluster.split([laptop], true);
        cluster.run(1_000 + time * 300);
      }
      cluster.run(5_000);
      assert.equal(cluster.leader(), leader);
    });

    it(`stays with the larger half when a cut heals, and every frame is there (seed ${seed})`, () => {
      const cluster = new Cluster(5, { seed }).startAll();
      cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
      cluster.run(5_000);
      const leader = cluster.leader() as number;
      const small = [leader, (leader + 1) % 5];
      const large = [0, 1, 2, 3, 4].filter((index) => !small.includes(index));
      const job = cluster.submit(leader, framesPlan('1-80'));
      cluster.run(2_000);
      cluster.split(small);
      cluster.run(10_000);
      const other = cluster.node(large[0] as number).core.epoch?.peer;
      assert.notEqual(other, cluster.node(leader).peer, 'the other half has its own');
      assert.ok(cluster.node(leader).core.isCoordinator, 'and this half keeps its own');
      cluster.split(small, true);
      cluster.until('one coordinator', () => cluster.leader() !== undefined, 5_000);
      assert.equal(cluster.node(cluster.leader() as number).peer, other);
      for (const index of [0, 1, 2, 3, 4]) {
        cluster.until('all frames', () => rendered(cluster, index, job) === 80);
      }
      cluster.run(2_000);
      assert.equal(cluster.node(0).core.farm().live.running, 0);
    });

    it(`is kept although one link to it is sick (seed ${seed})`, () => {
      const cluster = new Cluster(5, { seed }).startAll();
      cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
      cluster.run(5_000);
      const leader = cluster.leader() as number;
      for (let other = 0; other < 5; other++) {
        if (other === leader) continue;
        cluster.cut(leader, other);
        cluster.run(20_000);
        assert.equal(cluster.leader(), leader);
        cluster.restore(leader, other);
        cluster.run(1_000);
      }
    });

    it(`moves on when its node and the first successor are killed at once (seed ${seed})`, () => {
      const cluster = new Cluster(5, { seed }).startAll();
      cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
      cluster.run(5_000);
      const job = cluster.submit(0, framesPlan('1-40'));
      cluster.run(2_000);
      const first = cluster.leader() as number;
      cluster.kill(first);
      cluster.run(seed * 20);
      const second = cluster.nodes.findIndex(({ alive, core }) => alive && core.isCoordinator);
      cluster.kill(second >= 0 ? second : (first + 1) % 5);
      const took = cluster.until('another coordinator', () => cluster.leader() !== undefined);
      assert.ok(took <= 1_000, `${took} ms without one`);
      const other = cluster.leader() as number;
      cluster.until('all frames', () => rendered(cluster, other, job) === 40);
    });

    it(`settles and ends all work after any faults (seed ${seed})`, () => {
      const random = createSeededRandom(seed * 7_919);
      const pick = (count: number): number => Math.floor(random.float() * count);
      const cluster = new Cluster(5, { seed }).startAll();
      cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
      const jobs = [1, 2, 3].map((id) => cluster.submit(pick(5), framesPlan('1-30'), { id }));
      for (let fault = 0; fault < 60; fault++) {
        const [a, b] = [pick(5), pick(5)];
        const kind = pick(5);
        if (kind === 0 && cluster.nodes.filter(({ alive }) => alive).length > 2) cluster.kill(a);
        else if (kind === 1) cluster.start(a);
        else if (kind === 2 && a !== b) cluster.cut(a, b);
        else if (kind === 3 && a !== b) cluster.restore(a, b);
        else if (kind === 4) cluster.split([a, b], random.float() < 0.5);
        cluster.run(pick(2_000));
      }
      for (const [a, b] of pairs(5)) cluster.restore(a, b);
      cluster.startAll();
      cluster.until('one coordinator', () => cluster.leader() !== undefined, 15_000);
      for (const job of jobs) {
        for (let node = 0; node < 5; node++) {
          cluster.until(`all frames of ${job} on ${node}`, () => rendered(cluster, node, job) === 30);
        }
      }
      cluster.run(2_000);
      const leader = cluster.leader();
      assert.notEqual(leader, undefined);
      assert.equal(cluster.node(0).core.farm().live.running, 0, 'nothing runs once all has ended');
    });
  }

  it('is this node at once where the farm has no other member', () => {
    const cluster = new Cluster(1).startAll();
    assert.equal(cluster.leader(), 0);
  });

  it('is found again after all were killed at once', () => {
    const cluster = new Cluster(3).startAll();
    cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
    cluster.run(3_000);
    const job = cluster.submit(0, framesPlan('1-20'));
    cluster.run(3_000);
    for (const index of [0, 1, 2]) cluster.kill(index);
    cluster.run(1_000);
    cluster.startAll();
    cluster.until('all frames', () => rendered(cluster, 2, job) === 20);
  });
});
