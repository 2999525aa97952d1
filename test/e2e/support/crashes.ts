import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobView, SubmittedView } from '../../../protocol/src/index.ts';
import { collected, type House, jobIn, type NodeProcess, tasksOf } from './house.ts';
import { checkStopped } from './job-checks.ts';
import { decodePicture, filesBelow, frameNames, probeFilm } from './media.ts';
import { blendersOf, kill, processesWith } from './processes.ts';
import { pause, until } from './wait.ts';
import { WatchedFolders } from './watched-folders.ts';

/**
 * Rounds of SIGKILL at seeded random moments over jobs of real frames: the node, its Blender, or both. Whatever
 * was accepted must arrive, and nothing half-made may ever be seen.
 */

export interface CrashReport {
  rounds: Strike[];
  jobs: number;
  frames: number;
}

interface Strike {
  victim: Victim;
  /** Milliseconds from the moment below to the kill. */
  afterMs: number;
  /** From the start of the node or of its Blender, or from the next result: when it is being stored and collected. */
  from: 'start' | 'result';
}

type Victim = 'node' | 'Blender' | 'both';
const VICTIMS: readonly Victim[] = ['node', 'Blender', 'both'];
/** From a node's start to its kill: its own start, Blender's start and the first frames fall into it. */
const NODE_KILL_MS = 5_000;
/** From the moment a Blender is there to its kill: scene loading and frames fall into it. */
const BLENDER_KILL_MS = 2_000;
/** After a result: its storing, its record, its collection and the next frame fall into it. */
const RESULT_KILL_MS = 300;
/** Characters of the node's log that a failure shows. */
const LOG_SHOWN = 4_000;
const FRAMES = 30;
/** Enough for a tenth of a second or more a frame, so that a kill seldom finds everything done. */
const SAMPLES = 100;

/** A small seeded generator (mulberry32), so that a failing run can be repeated. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Runs the rounds, ends all jobs, and checks everything; `say` tells each round. */
export async function crashRounds(
  house: House,
  options: { rounds: number; seed: number; say?: (line: string) => void },
): Promise<CrashReport> {
  const random = seededRandom(options.seed);
  const blend = await house.scene('sound', `frames=${FRAMES}`);
  const watched = new WatchedFolders(FRAMES);
  const jobs: JobView[] = [];
  const report: CrashReport = { rounds: [], jobs: 0, frames: 0 };
  let node = await house.node();
  const submit = async (): Promise<void> => {
    const { job } = await house.json<SubmittedView>(['submit', blend, '--samples', String(SAMPLES)]);
    watched.add(job.outputFolder);
    jobs.push(job);
  };
  try {
    await submit();
    for (let round = 0; round < options.rounds; round++) {
      const current = await node.client.call('job', { params: { job: (jobs.at(-1) as JobView).id } });
      // With little left to do the next kill would hit nothing.
      if (current.counts.open < FRAMES / 3) await submit();
      const strike = nextStrike(random);
      node = await carryOut(house, node, strike);
      report.rounds.push(strike);
      await watched.check();
      const { victim, afterMs, from } = strike;
      const then = `${watched.seen} files so far`;
      options.say?.(`round ${round + 1}: killed ${victim} ${afterMs} ms after a ${from}, ${then}`);
    }
    for (const job of jobs) report.frames += await checkJob(node, job);
    await watched.check();
    report.jobs = jobs.length;
    await checkLeftovers(house, node, jobs);
    return report;
  } catch (error) {
    const log = await readFile(join(node.dataFolder, 'node.log'), 'utf8').catch(() => '');
    throw new Error(`${(error as Error).message}\nThe node's log ends with:\n${log.slice(-LOG_SHOWN)}`, {
      cause: error,
    });
  } finally {
    watched.close();
  }
}

function nextStrike(random: () => number): Strike {
  const victim = VICTIMS[Math.floor(random() * VICTIMS.length)] as Victim;
  const from = random() < 0.5 ? 'start' : 'result';
  const longest = from === 'result' ? RESULT_KILL_MS : victim === 'node' ? NODE_KILL_MS : BLENDER_KILL_MS;
  return { victim, from, afterMs: Math.round(random() * longest) };
}

/** Kills, and starts the node again where it was killed. Nothing of the old one may be left when it runs. */
async function carryOut(
  house: House,
  node: NodeProcess,
  { victim, afterMs, from }: Strike,
): Promise<NodeProcess> {
  if (from === 'result') await nextResult(node);
  else if (victim !== 'node') await until('a Blender to work', () => firstOf(blendersOf(node.dataFolder)));
  await pause(afterMs);
  if (victim !== 'node') for (const pid of await blendersOf(node.dataFolder)) kill(pid);
  if (victim === 'Blender') return node;
  const others = (await processesWith(node.dataFolder)).filter(({ pid }) => pid !== node.pid);
  await node.kill();
  await until(
    `what the killed node had started to end: ${others.map(({ command }) => command).join('; ')}`,
    async () => (await processesWith(node.dataFolder)).length === 0,
    5_000,
  );
  await checkStopped(node.dataFolder);
  return house.node();
}

/** Waits until one more task has a result, or all have. */
async function nextResult(node: NodeProcess): Promise<void> {
  const count = async () => {
    const jobs = await node.client.call('jobs', {});
    const sum = (of: (counts: JobView['counts']) => number) =>
      jobs.reduce((all, job) => all + of(job.counts), 0);
    return { results: sum(({ rendered }) => rendered), open: sum(({ open }) => open) };
  };
  const before = await count();
  await until('a result', async () => {
    const now = await count();
    return now.results > before.results || now.open === 0;
  });
}

async function firstOf(pids: Promise<number[]>): Promise<number | undefined> {
  return (await pids)[0];
}

/** Every frame is there and whole, no task is lost, and the film has the right length. */
async function checkJob(node: NodeProcess, job: JobView): Promise<number> {
  const ended = await jobIn(node.client, job.id, ['done', 'failed', 'canceled', 'skipped'], 180_000);
  const told = (await tasksOf(node.client, job.id)).filter(({ state }) => state !== 'rendered');
  assert.equal(ended.state, 'done', `${ended.reason ?? ''} ${JSON.stringify(told)}`);
  await collected(node.client, job.id);
  const tasks = await tasksOf(node.client, job.id);
  assert.deepEqual(
    tasks.map(({ state }) => state),
    Array.from({ length: FRAMES + 1 }, () => 'rendered'),
  );
  assert.deepEqual(await filesBelow(job.outputFolder), [...frameNames(FRAMES), 'shot.mp4'].sort());
  for (const name of frameNames(FRAMES)) {
    assert.deepEqual(await decodePicture(join(job.outputFolder, name)), { width: 96, height: 54 }, name);
  }
  const film = await probeFilm(join(job.outputFolder, 'shot.mp4'));
  assert.equal(film.frames, FRAMES);
  assert.ok(film.audio);
  return FRAMES;
}

/** After the last job nothing lies about in the data folder, and an ordered end leaves no process. */
async function checkLeftovers(house: House, node: NodeProcess, jobs: readonly JobView[]): Promise<void> {
  assert.equal((await node.client.call('jobs', {})).length, jobs.length);
  await until('the work folder to be empty', async () => {
    return (await filesBelow(join(node.dataFolder, 'work'))).length === 0;
  });
  assert.deepEqual(await filesBelow(join(node.dataFolder, 'incoming')), []);
  assert.deepEqual(await filesBelow(join(node.dataFolder, 'quarantine')), []);
  const { code } = await node.stop();
  assert.equal(code, 0, node.errors());
  assert.deepEqual(await processesWith(house.root), []);
}
