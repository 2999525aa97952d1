import { LocalFarm, type LocalNode, until } from '../farm/local-farm.ts';
import { type Bench, type BenchContext, type Measured, percentile, rounded } from './harness.ts';

const NODES = 3;
const KILLS = 10;

export const bench: Bench = {
  name: 'worker-loss',
  measures:
    `${KILLS} times SIGKILL of a worker that runs a task, among ${NODES} nodes in processes of their own; from the ` +
    'kill to its task running on another machine. The baseline is the lease of a machine that refuses a redial, 2 s.',
  run,
};

const REFUSED_LEASE_MS = 2_000;

async function run(context: BenchContext): Promise<Measured> {
  const farm = await LocalFarm.open({ folder: await context.folder('worker-loss'), nodes: NODES });
  try {
    const lostMs: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      lostMs.push(await round(farm));
      context.say(`kill ${kill + 1}: its task ran again after ${lostMs.at(-1)} ms`);
    }
    const longest = Math.max(...lostMs);
    return {
      value: longest,
      unit: 'ms',
      baseline: REFUSED_LEASE_MS,
      ratio: rounded(longest / REFUSED_LEASE_MS, 2),
      p50Ms: percentile(lostMs, 0.5),
    };
  } finally {
    await farm.close();
  }
}

async function round(farm: LocalFarm): Promise<number> {
  await farm.whole();
  const leader = await until('one coordinator', () => farm.coordinator());
  const victim = farm.living.find(({ index }) => index !== leader.index) as LocalNode;
  // One task for each machine's slot, long enough to outlive the kill, and so short that the others are free soon.
  const { job } = await leader.client.call('submit', {
    body: { type: 'echo-sleep', settings: { frames: `1-${NODES}`, message: '', sleepMs: 1_500 } },
  });
  const params = { job: job.id };
  const task = await until('the victim to run a task', async () => {
    const nodes = await leader.client.call('nodes', {});
    return nodes.find(({ name }) => name === victim.name)?.live.running.find((run) => run.job === job.id)
      ?.task;
  });
  const killedAt = performance.now();
  await farm.kill(victim.index);
  await until('its task to run elsewhere', async () => {
    const { tasks } = await leader.client.call('tasks', { params });
    const { live, state } = tasks.find(({ index }) => index === task) as (typeof tasks)[number];
    return state !== 'open' || (live.running && live.machine !== victim.name);
  });
  const took = performance.now() - killedAt;
  await leader.client.call('deleteJob', { params });
  await farm.start(victim.index);
  return Math.round(took);
}
