import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { checkJob } from '../e2e/support/job-checks.ts';
import { pause, until } from '../e2e/support/wait.ts';
import { tellFigure } from '../../scripts/test/figures.ts';
import { onHosts } from './support/hosts.ts';
import { type LanNode, onLan } from './support/lan-farm.ts';
import { firstGrant, longFrames, lossesOf, lostBy, makersOf, takenOver } from './support/work.ts';

const ASLEEP_MS = 30_000;
/** Of the job that is under way when the host falls asleep. */
const LONG_FRAMES = 4;
/** Of the one that the others make meanwhile, and that the host finds when it wakes. */
const FRAMES = 16;
/** Of the one that is under way when the coordinator falls asleep. */
const LATER_FRAMES = 40;

/**
 * A host that stands still with all that runs on it, and goes on 30 s later as if nothing had been. Its kernel still
 * answers for it: nothing is reset, and whoever dials it is let in and hears nothing.
 */
describe('a host of five that is suspended for 30 s while it renders', () => {
  it('loses its task to others, takes no harm, and gives up what has moved on', onHosts, (t: TestContext) =>
    onLan(async (lan, farm) => {
      const nodes = await farm.begin(lan, 'a', 'b', 'c', 'd', 'e');
      const leader = await farm.led();
      const blend = await farm.house.scene('sound', `frames=${LONG_FRAMES}`);
      const long = await longFrames(leader, nodes, blend, LONG_FRAMES);
      const { job, machine: sleeper, tasks: ran } = long;
      const awake = nodes.filter((node) => node !== sleeper);
      const before = await Promise.all(awake.map((node) => node.reigns()));

      sleeper.host.suspend(true);
      const [suspendedAt, wakes] = [performance.now(), pause(ASLEEP_MS)];
      for (const task of ran) {
        await until(`task ${task} to run elsewhere`, () => takenOver(leader, job, task, sleeper));
        tellFigure(t, 'worker suspended, until its task was granted again', performance.now() - suspendedAt);
      }
      const meanwhile = await leader.submit(
        blend,
        '--frames',
        `1-${FRAMES}`,
        '--samples',
        '300',
        '--name',
        'meanwhile',
      );
      await wakes;
      sleeper.host.suspend(false);
      const wokenAt = performance.now();
      await farm.whole();
      assert.equal((await farm.led()).name, leader.name);
      tellFigure(t, 'worker suspended, until it was back after it woke', performance.now() - wokenAt);

      assert.equal(await checkJob(nodes, leader, job, LONG_FRAMES), LONG_FRAMES);
      assert.equal(await checkJob(nodes, leader, meanwhile.job, FRAMES), FRAMES);
      assert.deepEqual(
        await Promise.all(awake.map((node) => node.reigns())),
        before,
        'nobody changed its coordinator',
      );
      await nobodyElseLost(nodes, [job, meanwhile.job], sleeper);
    }),
  );

  it('coordinated, and finds another in its place, whom it follows', onHosts, (t: TestContext) =>
    onLan(async (lan, farm) => {
      const nodes = await farm.begin(lan, 'a', 'b', 'c', 'd', 'e');
      const sleeper = await farm.led();
      const awake = nodes.filter((node) => node !== sleeper);
      const [submitter] = awake as [LanNode];
      const blend = await farm.house.scene('sound', `frames=${LATER_FRAMES}`);
      const { job } = await submitter.submit(blend, '--samples', '100');
      await until(
        'all machines to render',
        async () => (await makersOf(submitter, job)).size === nodes.length,
      );

      sleeper.host.suspend(true);
      const [suspendedAt, wakes] = [Date.now(), pause(ASLEEP_MS)];
      const next = await farm.led(awake);
      const { at, firstGrantAt } = await until('it to grant', () => firstGrant(next, suspendedAt));
      tellFigure(t, 'coordinator suspended, until the next one led', at - suspendedAt);
      tellFigure(t, 'coordinator suspended, until the next grant', firstGrantAt - suspendedAt);
      const before = await Promise.all(awake.map((node) => node.reigns()));
      await wakes;
      sleeper.host.suspend(false);
      const wokenAt = performance.now();
      const last = await farm.led();
      tellFigure(t, 'coordinator suspended, until it followed after it woke', performance.now() - wokenAt);
      assert.equal(last.name, next.name, JSON.stringify(await submitter.reigns()));
      await farm.whole();

      assert.equal(await checkJob(nodes, submitter, job, LATER_FRAMES), LATER_FRAMES);
      assert.deepEqual(
        await Promise.all(awake.map((node) => node.reigns())),
        before,
        'nobody else changed its coordinator',
      );
      await nobodyElseLost(nodes, [job], sleeper);
    }),
  );
});

/** Nobody but the sleeper lost a task; nobody was removed; the sleeper, when it woke, held nothing against the others. */
async function nobodyElseLost(
  nodes: readonly LanNode[],
  jobs: readonly { id: string }[],
  sleeper: LanNode,
): Promise<void> {
  for (const job of jobs) {
    const story = await lossesOf(nodes, job);
    const lost = await lostBy(nodes[0] as LanNode, job);
    assert.deepEqual(
      lost.filter((name) => name !== sleeper.name),
      [],
      `nobody else lost a task\n${story}`,
    );
  }
  for (const node of nodes) {
    const { members, removed } = await node.door();
    assert.deepEqual([members.length, removed.length], [nodes.length, 0]);
  }
  const { silent = 0, 'lost-attempt': lost = 0 } = await sleeper.counts('cuadro_accused_total');
  assert.deepEqual({ silent, lost }, { silent: 0, lost: 0 }, 'it doubted itself, and not the others');
}
