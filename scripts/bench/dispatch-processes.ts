import { LocalFarm, type LocalNode } from '../farm/local-farm.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, rounded, until } from './harness.ts';
import { metricOf, metricsOf } from './node-metrics.ts';

const NODES = 17;
const SLOTS = 4;
const TASKS = Number(process.env['CUADRO_BENCH_TASKS'] ?? 4_000);
const WARM_UP_TASKS = 400;
/** Seventeen nodes have started on a loaded machine by then. */
const START_MS = 120_000;

export const bench: Bench = {
  name: 'dispatch-processes',
  measures:
    `tasks/s of ${TASKS.toLocaleString('en-US')} tasks that do nothing, by ${NODES} whole nodes in processes of their own over libp2p on ` +
    'loopback, from submission to the moment when every task is done, held durably by two; reported, since all of ' +
    'them share the cores of one machine. Judged is what they gossip meanwhile, in messages/s of the whole farm, each ' +
    'counted once by the node that originated it. The baseline is the bar for gossip; the ratio is gossip ÷ bar.',
  run,
};

const GOSSIP_BAR = 100;

async function run(context: BenchContext): Promise<Measured> {
  const farm = new LocalFarm({
    folder: await context.folder('dispatch-processes'),
    nodes: NODES,
    // A Blender for each would only take the memory of 17.
    config: { slots: SLOTS, blender: '/nowhere/blender' },
  });
  try {
    const leader = await assemble(farm);
    await dispatch(leader, WARM_UP_TASKS);
    const before = await gossiped(farm);
    const startedAt = performance.now();
    await dispatch(leader, TASKS);
    const seconds = (performance.now() - startedAt) / 1_000;
    const gossipPerSecond = ((await gossiped(farm)) - before) / seconds;
    const rate = TASKS / seconds;
    context.say(
      `${TASKS} tasks in ${seconds.toFixed(2)} s; ${gossipPerSecond.toFixed(1)} gossiped messages/s in the whole farm.`,
    );
    return {
      value: rounded(rate),
      unit: 'tasks/s',
      baseline: GOSSIP_BAR,
      ratio: rounded(gossipPerSecond / GOSSIP_BAR, 2),
      gossipPerSecond: rounded(gossipPerSecond, 1),
      tasks: TASKS,
      nodes: NODES,
      slots: SLOTS,
    };
  } finally {
    await farm.close();
  }
}

/** One after the other: seventeen that start at once on two cores found a farm each, and take minutes to become one. */
async function assemble(farm: LocalFarm): Promise<LocalNode> {
  for (let index = 0; index < NODES; index++) {
    await farm.start(index);
    if (index === 0) await farm.whole();
  }
  return farm.whole(START_MS);
}

async function gossiped(farm: LocalFarm): Promise<number> {
  const pages = await Promise.all(farm.living.map(({ client }) => metricsOf(client)));
  return pages.reduce((sum, page) => sum + metricOf(page, 'cuadro_gossip_sent_total'), 0);
}

async function dispatch({ client }: LocalNode, count: number): Promise<void> {
  const { job } = await client.call('submit', {
    body: { type: 'echo-sleep', settings: { frames: `1-${count}`, message: '', sleepMs: 0 } },
  });
  const view = await until(
    'all tasks to be done',
    async () => {
      const seen = await client.call('job', { params: { job: job.id } });
      return seen.counts.done === count || seen.state === 'failed' ? seen : undefined;
    },
    { everyMs: 100 },
  );
  if (view.state !== 'done') throw new CouldNotMeasure(`The job failed: ${view.reason ?? 'no reason given'}`);
}
