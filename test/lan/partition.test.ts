import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { JobView, TaskDetail } from '@cuadro/protocol';
import { agreed, checkJob, doneEverywhere } from '../e2e/support/job-checks.ts';
import { until } from '../e2e/support/wait.ts';
import { tellFigure } from '../../scripts/test/figures.ts';
import { onHosts } from './support/hosts.ts';
import { type LanNode, onLan } from './support/lan-farm.ts';

const FRAMES = 60;
const OWN_FRAMES = 8;
/** Frames of the common job that each half makes before the network is whole again. */
const FRAMES_APART = 5;
/** Five Blenders start at once, on as few cores as there are. */
const SETTING_UP_MS = 180_000;

/**
 * DESIGN.md section 1: in a network cut both halves render, at worst a frame is rendered twice, and the halves merge.
 */
describe('a farm of five whose network is cut in two', () => {
  it('renders in both halves, and is one farm again with every frame once', onHosts, (t: TestContext) =>
    onLan(async (lan, farm) => {
      const nodes = await farm.begin(lan, 'a', 'b', 'c', 'd', 'e');
      const leader = await farm.led();
      const [far, near, ...rest] = nodes.filter((node) => node !== leader) as [LanNode, LanNode, LanNode];
      // The old coordinator and one more here; there three, the larger part, who must find one of their own.
      const halves = [
        [leader, near],
        [far, ...rest],
      ] as const;
      const blend = await farm.house.scene('sound', `frames=${FRAMES}`);
      const { job } = await near.submit(blend, '--samples', '300', '--name', 'common');
      const watching = near.cuadro('watch', job.id);
      await until(
        'three machines to hold the scene, and all to render',
        async () => {
          const { holders } = await leader.client.call('job', { params: { job: job.id } });
          const machines = await leader.nodes();
          return holders >= 3 && machines.every(({ live }) => live.running.length > 0);
        },
        SETTING_UP_MS,
      );
      const epochBefore = await leader.farm();

      const there = halves[1].map(({ host }) => host);
      lan.part(1, there);
      await Promise.all(halves.map((half) => farm.parted(half)));
      const leaders = await Promise.all(halves.map((half) => farm.led(half)));
      assert.equal(leaders[0]?.name, leader.name, 'the half with the coordinator keeps it');
      const madeBefore = await Promise.all(halves.map((half) => madeBy(half, job)));
      const own = await Promise.all(
        halves.map(async ([, submitter], half) => {
          const name = `of half ${half + 1}`;
          const words = ['--frames', `1-${OWN_FRAMES}`, '--samples', '100', '--name', name];
          return { submitter, submitted: await submitter.submit(blend, ...words) };
        }),
      );
      for (const { submitted } of own) {
        assert.ok(submitted.job.acknowledged && submitted.machines === 2, submitted.message);
      }
      for (const [index, half] of halves.entries()) {
        const before = madeBefore[index] ?? 0;
        await until('this half to make frames of its own', async () => {
          const made = await madeBy(half, job);
          return made >= before + FRAMES_APART;
        });
      }

      lan.join();
      const healedAt = performance.now();
      await farm.whole();
      await farm.led();
      tellFigure(
        t,
        'network cut in two while it renders, until one farm again',
        performance.now() - healedAt,
      );
      const jobs = [job, ...own.map(({ submitted }) => submitted.job)];
      for (const { id } of jobs) await doneEverywhere(nodes, { id, name: id });
      const endedAt = performance.now();
      const { tasks: views } = await agreed(nodes, (node) => shownBy(node, jobs));
      tellFigure(
        t,
        'network cut in two, until all show the same after the last end',
        performance.now() - endedAt,
      );
      assert.equal((await watching).code, 0);
      assert.equal(await checkJob(nodes, near, job, FRAMES), FRAMES);
      for (const { submitter, submitted } of own) await checkJob(nodes, submitter, submitted.job, OWN_FRAMES);

      const twice = views.filter(({ attempts }) => attempts.filter(isResult).length > 1);
      for (const { name, attempts } of twice) {
        const machines = attempts.filter(isResult).map(({ machine }) => machine);
        const here = machines.filter((machine) => halves[0].some((node) => node.name === machine));
        assert.deepEqual(
          [machines.length, here.length],
          [2, 1],
          `${name} was made by ${machines.join(' and ')}: the cut explains one in each half`,
        );
      }
      tellFigure(t, `network cut in two, of ${views.length} tasks rendered in both halves`, twice.length, '');
      const after = await leader.farm();
      assert.ok(after.epochTerm > epochBefore.epochTerm);
    }),
  );
});

const isResult = ({ state }: TaskDetail['attempts'][number]): boolean =>
  state === 'rendered' || state === 'done';

/** Tasks of a job that machines of this half made, as one of them sees it. */
async function madeBy(half: readonly LanNode[], job: JobView): Promise<number> {
  const { tasks } = await (half[0] as LanNode).client.call('tasks', { params: { job: job.id } });
  return tasks.filter(({ machine }) => half.some(({ name }) => name === machine)).length;
}

interface Shown {
  jobs: (Omit<JobView, 'live'> & { live: undefined })[];
  tasks: TaskDetail[];
}

/** What a node's records say; what is live, as collected files are, differs from machine to machine. */
async function shownBy(node: LanNode, jobs: readonly JobView[]): Promise<Shown> {
  const views = await node.ask<JobView[]>('jobs');
  const tasks: TaskDetail[] = [];
  for (const { id, counts } of jobs) {
    const details = Array.from({ length: counts.total }, (_, index) => node.task(id, index));
    tasks.push(...(await Promise.all(details)));
  }
  return { jobs: views.map((view) => ({ ...view, live: undefined })), tasks };
}
