import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SubmittedView } from '@cuadro/protocol';
import { LocalFarm, type LocalNode, until } from '../../../scripts/farm/local-farm.ts';
import { allTasks } from '../../../scripts/farm/verify.ts';
import { seededRandom } from './crashes.ts';
import type { House } from './house.ts';
import { checkJob, checkStopped, viewOf } from './job-checks.ts';
import {
  arriving,
  beginsWithFile,
  collecting,
  momentOf,
  type Stage,
  STAGES,
  type StrikeJob,
  tracesOf,
  workOf,
} from './strikes.ts';
import { pause } from './wait.ts';
import { ShownDone } from './shown-done.ts';
import { WatchedFolders } from './watched-folders.ts';

/**
 * Rounds of SIGKILL at seeded random moments in a farm of several real nodes that render real frames: while one
 * submits, fetches a scene, renders, gives copies away or collects; sometimes the coordinator goes with it. Whoever
 * is killed comes back, its store checked before. Every frame of what was acknowledged must arrive, each once; what
 * was not is there whole or not at all; what any node showed as done before a kill must count in the end; no file may
 * ever stand half-written in an output folder; and the farm must be one farm again after each round.
 */

const NODES = 3;
const FRAMES = 24;
/** MiB of a texture that is new in each job, so that its scene has to be fetched. */
const TEXTURE_MIB = 8;
const BITMAP_HEAD_BYTES = 54;
/** From the kill to the new start of who was killed. */
const AWAY_WITHIN_MS = 2_500;
/** From the last kill to the end of each job, on any machine. */
const END_WITHIN_MS = 240_000;
const VANISHED = /5 machines vanished while they ran it/;
/** Between two looks at what nodes show, of which the last is to be as late as may be before a kill. */
const LOOK_EVERY_MS = 50;
/** How often the coordinator is killed along with whoever else. */
const BOTH_SHARE = 0.2;

export interface FarmRoundsReport {
  rounds: number;
  /** Nodes that were killed: some rounds kill the coordinator as well. */
  kills: number;
  /** Rounds by the stage at whose moment they killed. */
  aimed: Record<Stage, number>;
  /** Those of them whose kills interrupted it. */
  struck: Record<Stage, number>;
  jobs: number;
  frames: number;
  /** For how long nobody led after each loss of a coordinator, as the next one saw it. */
  leaderlessMs: number[];
  /** Tasks that were given up because five machines were killed while they ran them, and asked for again at the end. */
  givenUp: number;
  /** Results that a node showed as done before a kill, and that count in the end. */
  shownDone: number;
  /** Kills that interrupted each; one kill may interrupt several, or nothing of these. */
  interrupted: Record<Stage | 'nothing', number>;
}

const NONE: Record<Stage, number> = { submit: 0, fetch: 0, render: 0, replicate: 0, collect: 0 };

/** Nothing done yet. */
export const emptyReport = (): FarmRoundsReport => ({
  rounds: 0,
  kills: 0,
  aimed: { ...NONE },
  struck: { ...NONE },
  jobs: 0,
  frames: 0,
  givenUp: 0,
  shownDone: 0,
  leaderlessMs: [],
  interrupted: { ...NONE, nothing: 0 },
});

interface Init {
  rounds: number;
  seed: number;
  say?: (line: string) => void;
  /** Filled as it goes, so that also of a run that fails it can be told how far it came. */
  report?: FarmRoundsReport;
}

export async function farmRounds(house: House, init: Init): Promise<FarmRoundsReport> {
  const blend = await house.scene('sound', `big=${TEXTURE_MIB}`, `frames=${FRAMES}`);
  const farm = await LocalFarm.open({
    folder: house.fresh('farm'),
    nodes: NODES,
    env: { TMPDIR: house.temporary },
  });
  try {
    const rounds = new Rounds(farm, blend, init);
    try {
      await rounds.run();
      return await rounds.end();
    } finally {
      rounds.close();
    }
  } finally {
    await farm.close();
  }
}

class Rounds {
  readonly #farm: LocalFarm;
  readonly #blend: string;
  readonly #init: Init;
  readonly #random: () => number;
  readonly #jobs: StrikeJob[] = [];
  readonly #unanswered: { name: string; submitter: number }[] = [];
  readonly #report: FarmRoundsReport;
  readonly #watched = new WatchedFolders(FRAMES);
  readonly #shownDone = new ShownDone();
  #submitted = 0;

  constructor(farm: LocalFarm, blend: string, init: Init) {
    this.#farm = farm;
    this.#blend = blend;
    this.#init = init;
    this.#report = init.report ?? emptyReport();
    this.#random = seededRandom(init.seed);
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }

  async run(): Promise<void> {
    for (let round = 1; round <= this.#init.rounds; round++) {
      const stage = this.#pick(STAGES);
      if (await this.#isShortOfWork()) await this.#submit(this.#pick(this.#farm.living));
      const { victims, interrupted } = await this.#strike(stage);
      this.#report.aimed[stage]++;
      if (interrupted.includes(stage)) this.#report.struck[stage]++;
      this.#report.kills += victims.length;
      await pause(this.#random() * AWAY_WITHIN_MS);
      for (const index of victims) {
        await checkStopped(this.#farm.node(index).dataFolder);
        await this.#farm.start(index);
      }
      await this.#farm.whole();
      await this.#watched.check();
      this.#report.rounds++;
      for (const one of interrupted.length > 0 ? interrupted : (['nothing'] as const))
        this.#report.interrupted[one]++;
      const names = victims.map((index) => this.#farm.node(index).name).join(', ');
      this.#init.say?.(
        `round ${round}: killed ${names}, aiming at ${stage}; interrupted: ${interrupted.join(', ') || 'nothing'}`,
      );
    }
  }

  /** All jobs to their ends, and everything looked at. */
  async end(): Promise<FarmRoundsReport> {
    await this.#takeUpUnanswered();
    for (const { job } of this.#jobs) await this.#askAgain(job);
    for (const { job, submitter } of this.#jobs) {
      this.#report.frames += await checkJob(this.#farm.living, this.#farm.node(submitter), job, FRAMES);
    }
    await this.#watched.check();
    for (const node of this.#farm.living) await this.#shownDone.check(node);
    this.#report.shownDone = this.#shownDone.count;
    for (const { index, dataFolder } of this.#farm.living) {
      await this.#farm.stop(index);
      await checkStopped(dataFolder);
    }
    this.#report.jobs = this.#jobs.length;
    return this.#report;
  }

  close(): void {
    this.#watched.close();
  }

  /** No further machine is risked for a task with which five vanished (SPEC R54): a person has to ask for it again. */
  async #askAgain(job: StrikeJob['job']): Promise<void> {
    const [node] = this.#farm.living as [LocalNode];
    await until(
      `${job.name} to end`,
      async () => (await viewOf(node, job.id))?.counts.open === 0,
      END_WITHIN_MS,
    );
    const failed = (await allTasks(node, job.id)).filter(({ state }) => state === 'failed');
    if (failed.length === 0) return;
    for (const { index } of failed) {
      const { name, why } = await node.client.call('task', { params: { job: job.id, task: `#${index}` } });
      assert.match(why, VANISHED, `${name} of ${job.name} failed by the kills`);
    }
    this.#report.givenUp += failed.length;
    await node.client.call('requeue', { params: { job: job.id }, body: { tasks: 'failed' } });
  }

  async #isShortOfWork(): Promise<boolean> {
    const latest = this.#jobs.at(-1);
    if (latest === undefined) return true;
    return ((await viewOf(this.#farm.living[0], latest.job.id))?.counts.open ?? 0) < FRAMES / 3;
  }

  /** Submits a scene of which one texture is new. */
  async #submit(node: LocalNode, name = this.#nextName()): Promise<SubmittedView> {
    const answer = await node.client.call('submit', {
      body: { path: this.#blend, name, settings: { samples: 4 } },
    });
    this.#watched.add(answer.job.outputFolder);
    this.#jobs.push({ job: answer.job, submitter: node.index });
    return answer;
  }

  #nextName(): string {
    return `job ${++this.#submitted}`;
  }

  async #strike(stage: Stage): Promise<{ victims: number[]; interrupted: Stage[] }> {
    const latest = this.#jobs.at(-1) as StrikeJob;
    const fraction = this.#random();
    const whichFraction = this.#random();
    const submitter = this.#pick(this.#farm.living);
    const others = this.#farm.living.filter((node) => node !== submitter);
    const victim = {
      submit: submitter,
      fetch: this.#pick(others),
      render: this.#pick(this.#farm.living),
      replicate: this.#pick(this.#farm.living),
      collect: this.#farm.node(latest.submitter),
    }[stage];
    const isBoth = this.#random() < BOTH_SHARE;
    const name = this.#nextName();
    // Known before, so that nothing comes between the moment and the kill but one question.
    const leader = (await until('a coordinator', () => this.#farm.coordinator())).index;
    const arrivingBefore = await arriving(victim);
    const before = { arriving: arrivingBefore, collecting: await collecting(victim, this.#farm) };
    const asked = stage === 'submit' || stage === 'fetch' ? await this.#ask(submitter, name) : undefined;
    const outputFolders = this.#jobs.flatMap(({ job, submitter: at }) =>
      at === victim.index ? [job.outputFolder] : [],
    );
    const moment = momentOf({ stage, victim, outputFolders, fraction, whichFraction, arrivingBefore });
    const victims = [...new Set([victim.index, ...(isBoth ? [leader] : [])])];
    const interrupted = new Set(await this.#killAt(moment, { stage, victim, victims }));
    const isCutOff = asked !== undefined && asked.state !== 'answered';
    if (isCutOff && victims.includes(submitter.index)) interrupted.add('submit');
    for (const trace of await tracesOf(victim, this.#farm, before)) interrupted.add(trace);
    if (victims.includes(leader)) await this.#noteSuccession();
    await asked?.settled;
    if (asked?.state === 'broken') this.#noteUnanswered(submitter, name, victims);
    return { victims, interrupted: STAGES.filter((one) => interrupted.has(one)) };
  }

  /** Kills them when the moment comes, and gives what the victim was at by its own account. */
  async #killAt(moment: Promise<void>, { stage, victim, victims }: Strike): Promise<Stage[]> {
    const kill = () => Promise.all(victims.map((index) => this.#farm.kill(index)));
    const look = () => Promise.all([workOf(victim), this.#shownDone.note(this.#farm.living)]);
    if (!beginsWithFile(stage)) {
      await moment;
      const [work] = await look();
      await kill();
      return work ?? [];
    }
    // Asked until the kill, as nothing may come between it and the moment.
    let isOver = false;
    const killed = moment.finally(() => (isOver = true)).then(kill);
    killed.catch(() => undefined);
    let work: Stage[] = [];
    while (!isOver) {
      // What a node showed in an answer that the kill broke off, nobody saw.
      const looked = await look().catch((error: unknown) => {
        if (!isOver) throw error;
      });
      work = looked?.[0] ?? work;
      await pause(LOOK_EVERY_MS);
    }
    await killed;
    return work;
  }

  async #noteSuccession(): Promise<void> {
    const leader = await until('a coordinator', () => this.#farm.coordinator());
    const reign = (await leader.client.call('farm', {})).coordinators.at(-1);
    if (reign !== undefined) this.#report.leaderlessMs.push(reign.leaderlessMs);
  }

  /** Submits a scene with a new texture, and doesn't wait for the answer. */
  async #ask(node: LocalNode, name: string): Promise<Asked> {
    await renew(this.#blend);
    const asked: Asked = { state: 'open', settled: Promise.resolve() };
    asked.settled = this.#submit(node, name).then(
      () => {
        asked.state = 'answered';
      },
      () => {
        asked.state = 'broken';
      },
    );
    return asked;
  }

  /** What was not acknowledged may be there all the same, and is then a job like any other. */
  #noteUnanswered(submitter: LocalNode, name: string, victims: readonly number[]): void {
    if (!victims.includes(submitter.index)) throw new Error(`${name} was refused by a node that lived.`);
    this.#unanswered.push({ name, submitter: submitter.index });
  }

  async #takeUpUnanswered(): Promise<void> {
    const known = (await this.#farm.living[0]?.client.call('jobs', {})) ?? [];
    for (const { name, submitter } of this.#unanswered) {
      const job = known.find((one) => one.name === name);
      if (job === undefined) continue;
      this.#watched.add(job.outputFolder);
      this.#jobs.push({ job, submitter });
    }
    const names = new Set(this.#jobs.map(({ job }) => job.name));
    const strange = known.filter((job) => !names.has(job.name)).map(({ name }) => name);
    if (strange.length > 0) throw new Error(`Nobody submitted ${strange.join(', ')}.`);
  }
}

interface Strike {
  readonly stage: Stage;
  readonly victim: LocalNode;
  /** All that are killed. */
  readonly victims: readonly number[];
}

/** A submission that is under way. */
interface Asked {
  state: 'open' | 'answered' | 'broken';
  settled: Promise<void>;
}

/** Gives the scene's large texture other pixels, in its place. */
async function renew(blend: string): Promise<void> {
  const file = await open(join(dirname(blend), 'textures', 'big.bmp'), 'r+');
  try {
    await file.write(randomBytes(TEXTURE_MIB * 2 ** 20 - 4_096), 0, undefined, BITMAP_HEAD_BYTES);
  } finally {
    await file.close();
  }
}
