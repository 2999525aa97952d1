import type { JobView } from '@cuadro/protocol';
import { LocalFarm, until } from '../../../scripts/farm/local-farm.ts';
import { seededRandom } from './crashes.ts';
import type { House } from './house.ts';
import { checkJob, checkStopped, viewOf } from './job-checks.ts';
import { pause } from './wait.ts';

/**
 * Rounds of SIGKILL at seeded random moments in a farm of several real nodes that render real frames: the
 * coordinator, a worker, both at once, or the node that submitted. Whoever is killed comes back. Every frame must
 * arrive, each once, and the farm must be one farm again after each round.
 */

type Victim = 'coordinator' | 'worker' | 'both' | 'submitter';
const VICTIMS: readonly Victim[] = ['coordinator', 'worker', 'both', 'submitter'];
const NODES = 3;
const FRAMES = 24;
/** From the moment at which work is under way to the kill. */
const KILL_WITHIN_MS = 2_500;

export interface FarmRoundsReport {
  rounds: number;
  jobs: number;
  frames: number;
  /** For how long nobody led after each loss of a coordinator, as the next one saw it. */
  leaderlessMs: number[];
}

export async function farmRounds(
  house: House,
  options: { rounds: number; seed: number; say?: (line: string) => void },
): Promise<FarmRoundsReport> {
  const random = seededRandom(options.seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const blend = await house.scene('sound', `frames=${FRAMES}`);
  const farm = await LocalFarm.open({
    folder: house.fresh('farm'),
    nodes: NODES,
    env: { TMPDIR: house.temporary },
  });
  const jobs: { job: JobView; submitter: number }[] = [];
  const report: FarmRoundsReport = { rounds: 0, jobs: 0, frames: 0, leaderlessMs: [] };
  const submit = async (): Promise<void> => {
    const submitter = pick(farm.living);
    const { job } = await submitter.client.call('submit', {
      body: { path: blend, name: `job ${jobs.length + 1}`, settings: { samples: 4 } },
    });
    jobs.push({ job, submitter: submitter.index });
  };
  try {
    for (let round = 0; round < options.rounds; round++) {
      if (await isShortOfWork(farm, jobs.at(-1)?.job.id)) await submit();
      const latest = jobs.at(-1) as (typeof jobs)[number];
      await underWay(farm, latest.job.id);
      await pause(random() * KILL_WITHIN_MS);
      const victim = pick(VICTIMS);
      const killed = await strike(farm, victim, latest.submitter);
      const leader = await until('a coordinator', () => farm.coordinator());
      const reign = (await leader.client.call('farm', {})).coordinators.at(-1);
      if (victim !== 'worker' && reign !== undefined) report.leaderlessMs.push(reign.leaderlessMs);
      await pause(random() * KILL_WITHIN_MS);
      for (const index of killed) {
        await checkStopped(farm.node(index).dataFolder);
        await farm.start(index);
      }
      await farm.whole();
      report.rounds++;
      options.say?.(
        `round ${round + 1}: killed ${victim} (${killed.map((index) => farm.node(index).name).join(', ')})`,
      );
    }
    for (const { job, submitter } of jobs) {
      report.frames += await checkJob(farm.living, farm.node(submitter), job, FRAMES);
    }
    report.jobs = jobs.length;
    return report;
  } finally {
    await farm.close();
  }
}

async function isShortOfWork(farm: LocalFarm, job: string | undefined): Promise<boolean> {
  if (job === undefined) return true;
  const view = await viewOf(farm.living[0], job);
  return (view?.counts.open ?? 0) < FRAMES / 3;
}

/** Something of the job runs, or nothing of it is left. */
async function underWay(farm: LocalFarm, job: string): Promise<void> {
  await until(`job ${job} to be under way`, async () => {
    const view = await viewOf(farm.living[0], job);
    return view !== undefined && (view.live.running > 0 || view.counts.open === 0);
  });
}

async function strike(farm: LocalFarm, victim: Victim, submitter: number): Promise<number[]> {
  const leader = (await until('a coordinator', () => farm.coordinator())).index;
  const worker = farm.living.find(({ index }) => index !== leader)?.index ?? leader;
  const chosen = {
    coordinator: [leader],
    worker: [worker],
    both: [leader, worker],
    submitter: [submitter],
  }[victim];
  await Promise.all(chosen.map((index) => farm.kill(index)));
  return chosen;
}
