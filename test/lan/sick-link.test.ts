import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { doneEverywhere } from '../e2e/support/job-checks.ts';
import { until } from '../e2e/support/wait.ts';
import { tellFigure } from '../../scripts/test/figures.ts';
import { onHosts } from './support/hosts.ts';
import { type LanNode, onLan } from './support/lan-farm.ts';
import { allWantWork } from './support/work.ts';

/** Longer than it takes to find a silent connection dead (3.5 s, SPEC R102) and to end a lease (4 s, SPEC R52). */
const SLEEP_MS = 9_000;
const TASKS = 3;

describe('a farm of three with one sick link', () => {
  it('keeps its coordinator, and loses nothing that runs beyond the link', onHosts, (t: TestContext) =>
    onLan(async (lan, farm) => {
      const nodes = await farm.begin(lan, 'a', 'b', 'c');
      const leader = await farm.led();
      const [far, between] = nodes.filter((node) => node !== leader) as [LanNode, LanNode];
      await allWantWork(leader);
      const words = ['--type', 'echo-sleep', '--frames', `1-${TASKS}`, '--set', `sleepMs=${SLEEP_MS}`];
      const { job } = await between.ask<{ job: { id: string; name: string } }>('submit', ...words);
      await until('all machines to be at work', async () =>
        (await leader.nodes()).every(({ live }) => live.running.length === 1),
      );
      const histories = () => Promise.all(nodes.map((node) => node.reigns()));
      const before = await histories();

      lan.sicken(1, leader.host, far.host, true);
      const sickAt = performance.now();
      await until('the coordinator to have no connection beyond the link', async () => {
        const there = (await leader.nodes()).find(({ name }) => name === far.name);
        return there?.live.reachable === false;
      });
      tellFigure(t, 'one sick link, until it was found dead', performance.now() - sickAt);
      await doneEverywhere(nodes, job);
      for (let index = 0; index < TASKS; index++) {
        const { attempts } = await leader.task(job.id, index);
        const states = attempts.map(({ state, machine }) => `${state} by ${machine}`);
        assert.equal(attempts.length, 1, states.join(', '));
      }
      assert.deepEqual(await histories(), before, 'and nobody changed its coordinator');
      lan.sicken(1, leader.host, far.host, false);
      await farm.whole();
      assert.equal((await farm.led()).name, leader.name);
    }),
  );
});
