import { monitorEventLoopDelay } from 'node:perf_hooks';
import { join } from 'node:path';
import type { RouteBody } from '@cuadro/protocol';
import { LocalFarm, type LocalNode, until } from '../farm/local-farm.ts';
import { makeScene } from '../scenes/make.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, probed, rounded } from './harness.ts';
import { metricOf, metricsOf } from './node-metrics.ts';

const NODES = 3;
const SLOTS = 2;
const TASKS = Number(process.env['CUADRO_BENCH_TASKS'] ?? 100_000);
const TASK_MS = 20;
const MEGABYTES = Number(process.env['CUADRO_BENCH_MEGABYTES'] ?? 1_000);
/** Frames that must have been made before the transfer begins: Blender has started, and goes on. */
const FRAMES_BEFORE = 4;
const PROGRAM = 'dd';
/** Ten times what a quiet machine of two cores takes. */
const TRANSFER_MS = 300_000;
/** The delay's own timer, as in the node. */
const RESOLUTION_MS = 10;

export const bench: Bench = {
  name: 'loop-delay',
  measures:
    `ms that the event loop of a node runs late, p99, the latest of sender, receiver and coordinator: ${NODES} nodes in ` +
    `processes of their own that render with Blender and run a job of ${TASKS.toLocaleString('en-US')} tasks, whose pages are ` +
    `watched, while one of them makes a file of ${MEGABYTES} MB and another takes its second copy and collects it. The baseline ` +
    'is the p99 of this process, which does nothing beside them. The ratio is nodes ÷ baseline.',
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const folder = await context.folder('loop-delay');
  const blender = process.env['CUADRO_BLENDER'] ?? 'blender';
  const scene = await makeScene('plain', join(folder, 'scene'), { blender });
  const farm = await LocalFarm.open({ folder, nodes: NODES, config: { slots: SLOTS } });
  const watching = new AbortController();
  try {
    const coordinator = await farm.whole();
    for (const node of farm.living)
      if (!(await probed(node))) throw new CouldNotMeasure('A node found no Blender that works.');
    const [sender, receiver] = farm.living.filter(({ index }) => index !== coordinator.index) as [
      LocalNode,
      LocalNode,
    ];
    for (const node of farm.living) watch(node, watching.signal);
    await load(coordinator, receiver, scene);
    const own = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    own.enable();
    const seconds = await transfer(sender, receiver);
    own.disable();
    context.say(`${MEGABYTES} MB made, copied and collected in ${seconds.toFixed(1)} s.`);
    const roles = { sender, receiver, coordinator };
    const delays: Record<string, number> = {};
    for (const [role, { client }] of Object.entries(roles)) {
      const page = await metricsOf(client);
      const figures = ['p50', 'p99', 'max'].map((which) => metricOf(page, `cuadro_loop_delay_${which}_ms`));
      const [p50 = Number.NaN, p99 = Number.NaN, longest = Number.NaN] = figures;
      context.say(
        `${role}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${longest.toFixed(1)} ms.`,
      );
      Object.assign(delays, {
        [`${role}P50Ms`]: rounded(p50, 1),
        [`${role}P99Ms`]: rounded(p99, 1),
        [`${role}MaxMs`]: rounded(longest, 1),
      });
    }
    const latest = Math.max(...Object.keys(roles).map((role) => delays[`${role}P99Ms`] ?? Number.NaN));
    const baseline = Math.max(0.1, own.percentile(99) / 1e6 - RESOLUTION_MS);
    return {
      value: latest,
      unit: 'ms',
      baseline: rounded(baseline, 1),
      ratio: rounded(latest / baseline, 2),
      ...delays,
      transferS: rounded(seconds, 1),
    };
  } finally {
    watching.abort();
    await farm.close();
  }
}

/** As an open dashboard does: every event is read, and let go. */
function watch({ client }: LocalNode, signal: AbortSignal): void {
  const follow = async (): Promise<void> => {
    for await (const _event of client.events(signal));
  };
  follow().catch(() => undefined);
}

async function submit({ client }: LocalNode, body: RouteBody<'submit'>): Promise<string> {
  return (await client.call('submit', { body })).job.id;
}

/** The large job runs on one machine, Blender on two, of which the receiver is one. */
async function load(coordinator: LocalNode, receiver: LocalNode, scene: string): Promise<void> {
  await submit(coordinator, {
    type: 'echo-sleep',
    settings: { frames: `1-${TASKS}`, message: '', sleepMs: TASK_MS },
    priority: 1,
  });
  const frames = await submit(receiver, {
    path: scene,
    settings: { frames: '1-100000', film: false, samples: 4 },
    priority: 2,
    machineLimit: NODES - 1,
  });
  await until('frames', async () => {
    const { counts } = await receiver.client.call('job', { params: { job: frames } });
    return counts.done + counts.rendered >= FRAMES_BEFORE;
  });
}

/** The submitter is asked first to hold what another made, and collects it. Resolves with the seconds that it took. */
async function transfer(sender: LocalNode, receiver: LocalNode): Promise<number> {
  await sender.client.call('setConfig', { body: { programs: [PROGRAM] } });
  const startedAt = performance.now();
  const job = await submit(receiver, {
    type: 'command',
    settings: {
      program: PROGRAM,
      args: ['if=/dev/urandom', 'of={output}/large.bin', 'bs=1000000', `count=${MEGABYTES}`],
    },
    priority: 3,
  });
  const made = async () => {
    const view = await receiver.client.call('job', { params: { job } });
    if (view.state === 'failed')
      throw new CouldNotMeasure(`The large file was not made: ${view.reason ?? 'no reason given'}`);
    return view.counts.done === 1 && (view.live.collected ?? 0) >= 1;
  };
  await until('the large file to be copied and collected', made, TRANSFER_MS);
  return (performance.now() - startedAt) / 1_000;
}
