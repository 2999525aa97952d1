import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { checkJob, doneEverywhere } from '../e2e/support/job-checks.ts';
import { until } from '../e2e/support/wait.ts';
import { tellFigure } from '../../scripts/test/figures.ts';
import { onHosts } from './support/hosts.ts';
import { type LanNode, onLan } from './support/lan-farm.ts';
import { lostBy } from './support/work.ts';

/**
 * Every packet may be lost, on every way. TCP repeats what is lost, at 30 of 100 after pauses of seconds: then members
 * fall silent for longer than a connection lasts (3.5 s, SPEC R102), and what must hold is only that the work goes on.
 */
const NETWORKS = [
  { percent: 10, frames: 16, endsMs: 180_000 },
  { percent: 30, frames: 8, endsMs: 300_000 },
];
/** Where a tenth is lost, five losses on end make such a silence: once in 100,000 beats. */
const STEADY_PERCENT = 10;
/** Changes of coordinator that a node may see at most in a minute: more would be an election without end. */
const CHANGES_A_MINUTE = 6;
/** The longest pause between two tries of a plan, and the try. */
const PLAN_MS = 150_000;

describe('a farm of five on a network that loses packets', () => {
  for (const { percent, frames, endsMs } of NETWORKS) {
    it(`renders a job where ${percent} of 100 are lost, and all hold the same`, onHosts, (t: TestContext) =>
      onLan(async (lan, farm) => {
        const nodes = await farm.begin(lan, 'a', 'b', 'c', 'd', 'e');
        const leader = await farm.led();
        const [submitter] = nodes.filter((node) => node !== leader) as [LanNode];
        const blend = await farm.house.scene('sound', `frames=${frames}`);
        const reignsSeen = () => Promise.all(nodes.map((node) => node.reigns()));
        const before = await reignsSeen();

        for (const { host } of nodes) host.lose(1, percent);
        const lossyAt = performance.now();
        const { job } = await submitter.submit(blend, '--samples', '100');
        await doneEverywhere(nodes, job, endsMs);
        const tookMs = performance.now() - lossyAt;
        const after = await reignsSeen();
        for (const { host } of nodes) host.lose(1, 0);
        const healedAt = performance.now();
        await farm.whole();
        await farm.led();
        const healedMs = performance.now() - healedAt;

        const changes = after.map((reigns, index) => reigns.length - (before[index]?.length ?? 0));
        const lost = await lostBy(submitter, job);
        const lossy = `${percent} of 100 packets lost`;
        tellFigure(t, `${lossy}, ${frames} frames from submission to done on all machines`, tookMs);
        tellFigure(t, `${lossy}, most changes of coordinator that a machine saw`, Math.max(...changes), '');
        tellFigure(t, `${lossy}, tasks lost to silence`, lost.length, '');
        tellFigure(t, `${lossy}, until one farm again once none are`, healedMs);
        if (percent <= STEADY_PERCENT) assert.deepEqual(after, before, 'nobody changed its coordinator');
        const bound = Math.ceil((tookMs / 60_000) * CHANGES_A_MINUTE);
        assert.ok(
          Math.max(...changes) <= bound,
          `${changes.join(', ')} changes of coordinator in ${tookMs} ms`,
        );
        // A machine that could not fetch the plan while packets were lost tries again after a pause that grew.
        await until('all machines to know the plan', () => namesKnown(nodes, job.id), PLAN_MS);
        assert.equal(await checkJob(nodes, submitter, job, frames), frames);
      }),
    );
  }
});

/** Whether all machines name the tasks of a job as its plan does. */
async function namesKnown(nodes: readonly LanNode[], job: string): Promise<boolean> {
  const lists = await Promise.all(nodes.map((node) => node.client.call('tasks', { params: { job } })));
  return lists.every(({ tasks }) => tasks.length > 0 && tasks.every(({ name }) => !name.startsWith('#')));
}
