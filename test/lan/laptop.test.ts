import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { JobView } from '@cuadro/protocol';
import { verifyFiles, allTasks } from '../../scripts/farm/verify.ts';
import { checkJob, doneEverywhere } from '../e2e/support/job-checks.ts';
import { filesBelow } from '../e2e/support/media.ts';
import { until } from '../e2e/support/wait.ts';
import { onHosts } from './support/hosts.ts';
import { type LanNode, onLan } from './support/lan-farm.ts';

const FRAMES = 30;

/** How it goes and comes back. */
const WAYS = {
  'out of range': {
    go: async ({ host }: LanNode) => host.link('eth0', false),
    comeBack: async ({ host }: LanNode) => host.link('eth0', true),
  },
  'without power': { go: (node: LanNode) => node.kill(), comeBack: (node: LanNode) => node.start() },
};

describe('a laptop that submits a job and leaves once that is safe without it', () => {
  it(
    'finds the job ended by the others when it is back, and collects every frame',
    onHosts,
    (t: TestContext) =>
      onLan(async (lan, farm) => {
        const nodes = await farm.begin(lan, 'laptop', 'b', 'c', 'd');
        const [laptop, ...others] = nodes as [LanNode, LanNode, LanNode, LanNode];
        const blend = await farm.house.scene('sound', `frames=${FRAMES}`);
        // What it rendered itself would be on no other machine for moments, again and again.
        await laptop.ask('drain', '--here');
        for (const [how, { go, comeBack }] of Object.entries(WAYS)) {
          const { job } = await laptop.submit(blend, '--samples', '200', '--name', how);
          const left = await until('the job to be safe without the laptop', () => safe(laptop, job));
          assert.ok(left.counts.open > 0, 'it leaves before the end');
          t.diagnostic(`${left.safety.sentence} It is ${how} with ${left.counts.open} tasks open.`);

          await go(laptop);
          await doneEverywhere(others, job);
          // What the laptop alone held would be missing now.
          const [helper] = others;
          const folder = farm.house.fresh('fetched');
          await helper.ask('fetch', job.id, '--to', folder);
          const fetched = await verifyFiles(await allTasks(helper, job.id), folder);
          assert.equal(fetched.frames, FRAMES);
          assert.ok((await filesBelow(left.outputFolder)).length < FRAMES, 'its own folder has not all yet');

          await comeBack(laptop);
          await farm.whole();
          assert.equal((await laptop.cuadro('watch', job.id)).code, 0);
          assert.equal(await checkJob(nodes, laptop, job, FRAMES), FRAMES);
        }
      }),
  );
});

/**
 * The job once the farm says that it is safe without the machine that submitted it (SPEC R58): its scene and its plan
 * are on two others, and of the results, of which there is one at least, none is on no other.
 */
async function safe(node: LanNode, { id }: JobView): Promise<JobView | undefined> {
  const job = await node.client.call('job', { params: { job: id } });
  const { machines, job: isScarce, resultsOnNone } = job.safety;
  const hasResults = job.counts.rendered + job.counts.done > 0;
  return machines >= 1 && !isScarce && resultsOnNone === 0 && hasResults ? job : undefined;
}
