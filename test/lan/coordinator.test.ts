import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { checkJob } from '../e2e/support/job-checks.ts';
import { until } from '../e2e/support/wait.ts';
import { tellFigure } from '../../scripts/test/figures.ts';
import { onHosts } from './support/hosts.ts';
import { type LanNode, onLan } from './support/lan-farm.ts';
import { firstGrant, lostBy, makersOf } from './support/work.ts';

const FRAMES = 30;
/** Three times the bar of 1 s: a node that stands still, as on a busy machine, moves its deadlines by as much. */
const LEADERLESS_MS = 3_000;

describe('a farm of five whose coordinator is killed while it renders', () => {
  it('has another at once, which grants on, and no frame is lost', onHosts, (t: TestContext) =>
    onLan(async (lan, farm) => {
      const nodes = await farm.begin(lan, 'a', 'b', 'c', 'd', 'e');
      const leader = await farm.led();
      const others = nodes.filter((node) => node !== leader);
      const [submitter] = others as [LanNode];
      const blend = await farm.house.scene('sound', `frames=${FRAMES}`);
      const { job } = await submitter.submit(blend, '--samples', '300');
      // Before that all wait for their Blenders to start, and the kill would measure that.
      await until(
        'all machines to render',
        async () => (await makersOf(submitter, job)).size === nodes.length,
      );
      const before = await Promise.all(others.map(async (node) => (await node.farm()).coordinators.length));

      const killedAt = Date.now();
      await leader.kill();
      const next = await farm.led(others);
      const { at, firstGrantAt } = await until('it to grant', () => firstGrant(next, killedAt));
      tellFigure(t, 'coordinator killed, until the next one led', at - killedAt);
      tellFigure(t, 'coordinator killed, until the next grant', firstGrantAt - killedAt);
      for (const [index, node] of others.entries()) {
        const reigns = (await node.farm()).coordinators.slice(before[index]);
        assert.equal(reigns[0]?.cause, 'lost');
        assert.equal(reigns.at(-1)?.name, next.name);
        assert.ok(reigns[0].leaderlessMs < LEADERLESS_MS, `${node.name}: ${reigns[0].leaderlessMs} ms`);
      }
      await leader.start();
      await farm.whole();
      assert.equal((await farm.led()).name, next.name, 'the one that has the farm keeps it');
      assert.equal(await checkJob(nodes, submitter, job, FRAMES), FRAMES);
      const lost = await lostBy(submitter, job);
      assert.deepEqual(
        lost.filter((name) => name !== leader.name),
        [],
        'nobody else lost a task',
      );
    }),
  );
});
