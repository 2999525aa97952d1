import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { JobView } from '@cuadro/protocol';
import { checkJob, doneEverywhere } from '../e2e/support/job-checks.ts';
import { until } from '../e2e/support/wait.ts';
import { hoursOff, onHostsWithClocks } from './support/clocks.ts';
import { tellFigure } from '../../scripts/test/figures.ts';
import { type LanNode, onLan } from './support/lan-farm.ts';
import { detailsOf } from './support/work.ts';

const HOURS = { a: 0, b: 3, c: -3, d: 0, e: 0 };
const FRAMES = 10;
/** More than all machines take at once, one running and one ahead each, so that jobs queue behind one another. */
const TASKS = 30;
const SLEEP_MS = 1_000;
/** Far below the hours that a forecast by the wrong clock would be off by, and far above what a busy machine adds. */
const FORECAST_OFF_MS = 60_000;

describe('a farm of five in which one clock is three hours ahead and one three hours behind', () => {
  it(
    'orders jobs as they were submitted, forecasts by no clock, and collects all frames',
    onHostsWithClocks,
    (t: TestContext) =>
      onLan(async (lan, farm) => {
        const hosts = Object.entries(HOURS).map(([name, hours]) =>
          lan.host({ name, networks: [1], ...(hours !== 0 && { wrap: hoursOff(hours) }) }),
        );
        const nodes = await farm.beginOn(hosts, Object.keys(HOURS));
        await farm.led();
        // While they found their farm, some lead farms of their own that dissolve into it.
        const before = await lossesSeenBy(nodes);
        const [right, ahead, behind] = nodes as [LanNode, LanNode, LanNode];
        // Later on the clock and earlier in truth, and the other way round.
        const submitters = [ahead, right, behind, right, ahead];
        const jobs: JobView[] = [];
        for (const [index, node] of submitters.entries()) {
          const settings = { frames: `1-${TASKS}`, message: '', sleepMs: SLEEP_MS };
          const body = { type: 'echo-sleep', name: `number ${index + 1}`, settings };
          jobs.push((await node.client.call('submit', { body })).job);
        }
        const hour = 3_600_000;
        const shown = jobs.map(({ submittedAt }) => Math.round((submittedAt - Date.now()) / hour) + 0);
        assert.deepEqual(shown, [3, 0, -3, 0, 3], 'the clocks are as wrong as they should be');

        const last = jobs.at(-1) as JobView;
        const forecasts = await until('all machines to forecast the last job', () =>
          forecastsOf(nodes, last),
        );
        const forecastAt = performance.now();
        await doneEverywhere(nodes, last);
        const leftMs = performance.now() - forecastAt;
        const offMs = Math.max(...forecasts.map((forecast) => Math.abs(forecast - leftMs)));
        tellFigure(
          t,
          `clocks three hours off, error of the forecast of ${Math.round(leftMs / 1_000)} s`,
          offMs,
        );
        assert.ok(offMs < FORECAST_OFF_MS, `${forecasts.join(', ')} for ${leftMs} ms`);
        await grantedInOrder(right, jobs);

        const blend = await farm.house.scene('sound', `frames=${FRAMES}`);
        for (const node of [ahead, behind]) {
          const { job } = await node.submit(blend, '--samples', '50');
          assert.equal(await checkJob(nodes, node, job, FRAMES), FRAMES);
        }
        const makers = new Set(
          (await Promise.all(jobs.map((job) => detailsOf(right, job)))).flat().map(({ machine }) => machine),
        );
        assert.deepEqual(makers, new Set(Object.keys(HOURS)), 'all machines took part');
        assert.deepEqual(await lossesSeenBy(nodes), before, 'nobody lost its coordinator by a clock');
      }),
  );
});

/** The reigns that each machine saw begin because a coordinator was lost. */
async function lossesSeenBy(nodes: readonly LanNode[]) {
  const reigns = await Promise.all(nodes.map((node) => node.reigns()));
  return reigns.map((seen) => seen.filter(({ cause }) => cause === 'lost'));
}

/** What each machine forecasts for a job; undefined while one of them can't tell yet. */
async function forecastsOf(nodes: readonly LanNode[], { id }: JobView): Promise<number[] | undefined> {
  const views = await Promise.all(nodes.map((node) => node.client.call('job', { params: { job: id } })));
  const forecasts = views.map(({ live }) => live.remainingMs);
  return forecasts.every((forecast) => forecast !== undefined) ? forecasts : undefined;
}

/** Every first grant of a job came before every first grant of those that were submitted after it. */
async function grantedInOrder(node: LanNode, jobs: readonly JobView[]): Promise<void> {
  const grants = await Promise.all(
    jobs.map(async (job) =>
      (await detailsOf(node, job)).map(({ attempts }) => placeOf(attempts[0]?.attempt ?? '')),
    ),
  );
  for (const [index, own] of grants.slice(1).entries()) {
    const earlier = grants[index] as number[];
    assert.ok(
      Math.max(...earlier) < Math.min(...own),
      `job ${index + 2} before job ${index + 1}: ${own.join()} and ${earlier.join()}`,
    );
  }
}

/** An attempt's place in the order of all: its term, then its sequence (SPEC R41). */
function placeOf(attempt: string): number {
  const [term = 0, sequence = 0] = attempt.split('.').map(Number);
  return term * 1e6 + sequence;
}
