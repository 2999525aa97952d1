import { join } from 'node:path';
import { LocalFarm, type LocalNode, until } from '../farm/local-farm.ts';
import { makeScene } from '../scenes/make.ts';
import { type Bench, type BenchContext, type Measured, percentile, rounded } from './harness.ts';

const NODES = 4;
const KILLS = Number(process.env['CUADRO_BENCH_KILLS'] ?? 30);
/** Every third kill takes the submitter: it is made to lead by being the only one that stays. */
const SUBMITTER_EVERY = 3;
const FRAMES = 100_000;
/** A machine renders in full swing once it has made so many frames of the job: Blender has started and loaded the scene. */
const FRAMES_EACH = 2;
const PAGE = 1_000;

export const bench: Bench = {
  name: 'failover',
  measures:
    `${KILLS} times SIGKILL of the coordinator of ${NODES} nodes in processes of their own that render short frames with ` +
    'Blender, all in full swing, every third time of the node that submitted; from the kill to the first grant of the ' +
    'next coordinator. The baseline is the kill to the moment at which it began to lead. Every machine holds one task ' +
    'ahead, so a grant also waits for the end of a frame somewhere; “could grant” does not.',
  run,
};

interface Round {
  /** From the kill until the next coordinator began to lead, knew what the others hold, and granted. */
  ledMs: number;
  collectedMs: number;
  grantMs: number;
  ofSubmitter: boolean;
}

async function run(context: BenchContext): Promise<Measured> {
  const folder = await context.folder('failover');
  const scene = await makeScene('plain', join(folder, 'scene'), {
    blender: process.env['CUADRO_BLENDER'] ?? 'blender',
  });
  const farm = await LocalFarm.open({ folder, nodes: NODES });
  try {
    const rounds: Round[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      rounds.push(await round(farm, scene, kill % SUBMITTER_EVERY === SUBMITTER_EVERY - 1));
      const last = rounds.at(-1) as Round;
      context.say(
        `kill ${kill + 1}${last.ofSubmitter ? ' (submitter)' : ''}: led after ${last.ledMs} ms, could grant after ${last.collectedMs} ms, granted after ${last.grantMs} ms`,
      );
    }
    const grants = rounds.map(({ grantMs }) => grantMs);
    const leads = rounds.map(({ ledMs }) => ledMs);
    const collected = rounds.map(({ collectedMs }) => collectedMs);
    return {
      value: percentile(grants, 0.5),
      unit: 'ms',
      baseline: percentile(leads, 0.5),
      ratio: rounded(percentile(grants, 0.5) / Math.max(1, percentile(leads, 0.5)), 2),
      p99Ms: percentile(grants, 0.99),
      longestMs: Math.max(...grants),
      ledP99Ms: percentile(leads, 0.99),
      couldGrantP50Ms: percentile(collected, 0.5),
      couldGrantP99Ms: percentile(collected, 0.99),
      kills: rounds.length,
      submitterKills: rounds.filter(({ ofSubmitter }) => ofSubmitter).length,
    };
  } finally {
    await farm.close();
  }
}

async function round(farm: LocalFarm, scene: string, ofSubmitter: boolean): Promise<Round> {
  await farm.whole();
  const leader = await until('one coordinator', () => farm.coordinator());
  // The job is the leader's own where the submitter is to be killed, and another's where it isn't.
  const submitter = ofSubmitter
    ? leader
    : (farm.living.find(({ index }) => index !== leader.index) as LocalNode);
  const { job } = await submitter.client.call('submit', {
    body: { path: scene, settings: { frames: `1-${FRAMES}`, film: false, samples: 1 } },
  });
  const other = farm.living.find(({ index }) => index !== leader.index) as LocalNode;
  const params = { job: job.id };
  await fullSwing(other, job.id, farm);
  const killedAt = Date.now();
  await farm.kill(leader.index);
  const next = await until('the next coordinator to grant', async () => {
    for (const node of farm.living) {
      const { coordinators } = await node.client.call('farm', {});
      const reign = coordinators.findLast(({ firstGrantAt }) => firstGrantAt !== undefined);
      if (reign?.firstGrantAt !== undefined && reign.at >= killedAt) return reign;
    }
    return undefined;
  });
  await other.client.call('deleteJob', { params });
  await farm.start(leader.index);
  const after = (at: number | undefined): number => (at ?? Number.NaN) - killedAt;
  return {
    ledMs: after(next.at),
    collectedMs: after(next.collectedAt),
    grantMs: after(next.firstGrantAt),
    ofSubmitter,
  };
}

/**
 * Until every machine has made frames of the job. Right after a submission all wait for their Blenders to start, for
 * seconds where four share two cores, and a kill would measure that.
 */
async function fullSwing(asked: LocalNode, job: string, farm: LocalFarm): Promise<void> {
  await until('all machines to render', async () => {
    const made = new Map<string, number>();
    for (const state of ['done', 'rendered'] as const) {
      const { tasks } = await asked.client.call('tasks', {
        params: { job },
        query: { offset: 0, limit: PAGE, state },
      });
      for (const { machine = '' } of tasks) made.set(machine, (made.get(machine) ?? 0) + 1);
    }
    return farm.living.every(({ name }) => (made.get(name) ?? 0) >= FRAMES_EACH);
  });
}
