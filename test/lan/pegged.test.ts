import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, it, type TestContext } from 'node:test';
import type { JobView } from '@cuadro/protocol';
import { checkJob, viewOf } from '../e2e/support/job-checks.ts';
import { pause, until } from '../e2e/support/wait.ts';
import { tellFigure } from '../../scripts/test/figures.ts';
import { onHosts } from './support/hosts.ts';
import { type LanNode, onLan } from './support/lan-farm.ts';
import { framesMade, lostBy, makersOf } from './support/work.ts';
import { pegged } from './support/spinners.ts';

/** `scripts/lan-figures.ts` asks for more. */
const MINUTES = Number(process.env['CUADRO_PEGGED_MINUTES'] ?? 1);
const FRAMES = 20;
/** How often it is looked whether a job is wanted. */
const LOOK_MS = 1_000;

/**
 * Render machines run at full load, and failure detectors that do not doubt themselves declare live nodes dead. On every
 * host each core has a program that wants all of it, beside Blender and the node; the hosts share this machine's cores.
 */
describe('a farm of five whose cores are all pegged', () => {
  it(`renders for ${MINUTES} min, and nobody is named late, silent or lost`, onHosts, (t: TestContext) =>
    onLan(async (lan, farm) => {
      const nodes = await farm.begin(lan, 'a', 'b', 'c', 'd', 'e');
      const leader = await farm.led();
      const [submitter] = nodes.filter((node) => node !== leader) as [LanNode];
      const blend = await farm.house.scene('sound', `frames=${FRAMES}`);
      const jobs = [(await submit(submitter, blend)).job];
      await until(
        'all machines to render',
        async () => (await makersOf(submitter, jobs[0] as JobView)).size === nodes.length,
      );
      const before = await accusations(nodes);
      const reigns = await Promise.all(nodes.map((node) => node.reigns()));
      const madeBefore = await framesMade(submitter, jobs[0] as JobView);

      const spinners = availableParallelism();
      const release = pegged(
        nodes.map(({ host }) => host),
        spinners,
        MINUTES * 60_000 + 120_000,
      );
      const end = performance.now() + MINUTES * 60_000;
      while (performance.now() < end) {
        const last = await viewOf(submitter, jobs.at(-1)?.id ?? '');
        if ((last?.counts.open ?? FRAMES) < FRAMES / 2) jobs.push((await submit(submitter, blend)).job);
        await pause(LOOK_MS);
      }
      const made = await Promise.all(jobs.map((job) => framesMade(submitter, job)));
      const after = await accusations(nodes);
      const reignsAfter = await Promise.all(nodes.map((node) => node.reigns()));
      await release();

      const told = Object.keys(after).map(
        (kind) => [kind, (after[kind] ?? 0) - (before[kind] ?? 0)] as const,
      );
      const sum = told.reduce((total, [, count]) => total + count, 0);
      const frames = made.reduce((total, count) => total + count, -madeBefore);
      tellFigure(t, `all cores pegged for ${MINUTES} min, false accusations`, sum, '');
      tellFigure(t, `all cores pegged for ${MINUTES} min, frames rendered meanwhile`, frames, '');
      await stalls(t, nodes);
      assert.deepEqual(
        told.filter(([, count]) => count > 0),
        [],
        'nobody was accused',
      );
      assert.deepEqual(reignsAfter, reigns, 'nobody changed its coordinator');
      assert.ok(frames > 0, 'rendering went on');
      for (const job of jobs) {
        assert.equal(await checkJob(nodes, submitter, job, FRAMES), FRAMES);
        assert.deepEqual(await lostBy(submitter, job), []);
      }
    }),
  );
});

/** Frames that cost next to nothing, so that there are some although Blender gives way to everything else. */
const submit = (node: LanNode, blend: string) => node.submit(blend, '--samples', '1');

/** What all machines held against others so far, by kind, and connections that were found lost. */
async function accusations(nodes: readonly LanNode[]): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const node of nodes) {
    const { reachable: _reachable, ...changes } = await node.counts('cuadro_members_changed_total');
    const kinds = { ...(await node.counts('cuadro_accused_total')), ...changes };
    for (const [kind, count] of Object.entries(kinds)) sums[kind] = (sums[kind] ?? 0) + count;
  }
  return sums;
}

/** How late the loops ran since the nodes began, to say what the machines went through. */
async function stalls(t: TestContext, nodes: readonly LanNode[]): Promise<void> {
  const pages = await Promise.all(nodes.map((node) => node.client.text('metrics', {})));
  const longest = pages.map((page) => Number(/^cuadro_loop_delay_max_ms (\S+)$/m.exec(page)?.[1]));
  tellFigure(t, 'all cores pegged, longest delay of a node’s loop', Math.max(...longest));
}
