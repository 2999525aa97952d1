import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { checkJob } from '../e2e/support/job-checks.ts';
import { until } from '../e2e/support/wait.ts';
import { tellFigure } from '../../scripts/test/figures.ts';
import { onHosts } from './support/hosts.ts';
import { type LanNode, onLan } from './support/lan-farm.ts';
import { firstGrant, longFrames, lossesOf, lostBy, takenOver, tasksOn } from './support/work.ts';

const LONG_FRAMES = 4;
const FRAMES = 24;

/** What one host sends arrives and what is sent to it is lost, or the other way round: TCP stands still on both ways. */
describe('a farm of five of which one hears or is heard in one direction only', () => {
  it('renders on without a worker that hears nothing, and keeps its coordinator', onHosts, (t: TestContext) =>
    onLan(async (lan, farm) => {
      const nodes = await farm.begin(lan, 'a', 'b', 'c', 'd', 'e');
      const leader = await farm.led();
      const blend = await farm.house.scene('sound', `frames=${LONG_FRAMES}`);
      const long = await longFrames(leader, nodes, blend, LONG_FRAMES);
      const { job, machine: deaf, tasks: ran } = long;
      const hearing = nodes.filter((node) => node !== deaf);
      const before = await Promise.all(hearing.map((node) => node.reigns()));

      deaf.host.deafen(1, true);
      const deafAt = performance.now();
      for (const task of ran) {
        await until(`task ${task} to run elsewhere`, () => takenOver(leader, job, task, deaf));
        tellFigure(t, 'worker deaf, until its task was granted again', performance.now() - deafAt);
      }
      await farm.parted(hearing);
      deaf.host.deafen(1, false);
      await farm.whole();
      assert.equal((await farm.led()).name, leader.name);
      const after = await Promise.all(hearing.map((node) => node.reigns()));
      assert.deepEqual(after, before, 'nobody among the others changed its coordinator');
      const lost = (await lostBy(leader, job)).filter((name) => name !== deaf.name);
      assert.deepEqual(lost, [], `nobody else lost a task\n${await lossesOf(nodes, job)}`);
      assert.equal(await checkJob(nodes, leader, job, LONG_FRAMES), LONG_FRAMES);
    }),
  );

  it('replaces a coordinator that is not heard, and keeps the next one', onHosts, (t: TestContext) =>
    onLan(async (lan, farm) => {
      const nodes = await farm.begin(lan, 'a', 'b', 'c', 'd', 'e');
      const leader = await farm.led();
      const others = nodes.filter((node) => node !== leader);
      const [submitter] = others as [LanNode];
      const blend = await farm.house.scene('sound', `frames=${FRAMES}`);
      const { job } = await submitter.submit(blend, '--samples', '100');
      await until('the coordinator to render', () => tasksOn(submitter, job, leader));
      leader.host.mute(1, true);
      const muteAt = Date.now();
      const next = await farm.led(others);
      const { at, firstGrantAt } = await until('it to grant', () => firstGrant(next, muteAt));
      tellFigure(t, 'coordinator mute, until the next one led', at - muteAt);
      tellFigure(t, 'coordinator mute, until the next grant', firstGrantAt - muteAt);
      await farm.parted(others);
      leader.host.mute(1, false);
      const healedAt = performance.now();
      await farm.whole();
      const last = await farm.led();
      tellFigure(t, 'coordinator mute, until one farm again once it is heard', performance.now() - healedAt);
      const story = await Promise.all(nodes.map(async (node) => [node.name, await node.reigns()]));
      const told = `${leader.name} was mute, then ${next.name} led: ${JSON.stringify(story)}`;
      assert.equal(last.name, next.name, told);
      assert.equal(await checkJob(nodes, submitter, job, FRAMES), FRAMES);
    }),
  );
});
