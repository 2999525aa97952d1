import { once } from 'node:events';
import { watch } from 'node:fs';
import { createInterface } from 'node:readline';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { findOnPath } from '../../node/src/render/blender/confinement.ts';
import {
  type Bench,
  type BenchContext,
  type BenchNode,
  CouldNotMeasure,
  endChild,
  median,
  type Measured,
  probed,
  rounded,
  startNode,
  until,
} from './harness.ts';

/**
 * How much of a machine the farm leaves to rendering. Both sides begin with nothing of the scene loaded and end with
 * the last frame under its final name. The baseline's time holds one Blender start, one scene load and all frames;
 * the farm's holds the submission (tracing, hashing and storing the bundle), scene load, all frames, and what follows
 * each: verifying, thumbnail, durable storage, durable collection. The node runs before the clock starts, with the
 * Blender that it probed with and the one that it keeps ready for tracing; `ratioStarted` leaves the baseline's
 * Blender start out too.
 */
export const bench: Bench = {
  name: 'efficiency',
  measures:
    'seconds from submitting a job of cheap frames to the last frame in its output folder, through a real node; ' +
    'the baseline is one plain warm Blender with the same settings at the same priority, from its start to its last ' +
    'frame. The ratio is baseline ÷ farm: 1 would mean that the farm costs nothing.',
  run,
};

/** One size of picture: how many frames, how fine, and how often both sides take turns. */
export interface Course {
  title: string;
  percent: number;
  samples: number;
  frames: number;
  rounds: number;
}

export const SMALL: Course = { title: '640×360', percent: 100, samples: 4, frames: 40, rounds: 2 };
/** Beside it, with fewer samples and frames: it shows what large files cost. */
const LARGE: Course = { title: '1920×1080', percent: 300, samples: 1, frames: 16, rounds: 1 };
const QUICK_FRAMES = Number(process.env['CUADRO_BENCH_FRAMES'] ?? 0);

interface BaselineRun {
  totalS: number;
  startS: number;
  loadS: number;
  frameS: number[];
}

export interface FarmRun {
  totalS: number;
  /** Until the job was accepted: tracing, hashing and storing the bundle. */
  submitS: number;
  /** From there to the first frame's result: rebuilding the tree, loading the scene, one frame, keeping it. */
  firstS: number;
  /** From the first frame's result to the last one's. */
  framesS: number;
  /** From the last result to the last file in the output folder. */
  tailS: number;
  /** Blender's own time for each frame. */
  renderS: number[];
}

async function run(context: BenchContext): Promise<Measured> {
  const blender = await findOnPath(process.env['CUADRO_BLENDER'] ?? 'blender');
  if (blender === undefined) throw new CouldNotMeasure('There is no Blender on the PATH.');
  const courses = [];
  for (const course of [SMALL, LARGE]) courses.push(await runCourse(context, blender, course));
  const [small, large] = courses as [CourseFigures, CourseFigures];
  const started = small.baselineS - small.baselineLaunchS;
  return {
    value: rounded(small.farmS, 2),
    unit: 's',
    baseline: rounded(small.baselineS, 2),
    ratio: rounded(small.ratio, 3),
    frames: small.frames,
    frameS: rounded(small.frameS, 3),
    phases: small.phases,
    ratioStarted: rounded(started / small.farmS, 3),
    ratio1080: rounded(large.ratio, 3),
    farm1080S: rounded(large.farmS, 2),
    baseline1080S: rounded(large.baselineS, 2),
  };
}

export interface CourseFigures {
  frames: number;
  farmS: number;
  baselineS: number;
  /** Of the baseline's time, its Blender's start. */
  baselineLaunchS: number;
  ratio: number;
  frameS: number;
  phases: Record<string, number>;
}

async function runCourse(context: BenchContext, blender: string, given: Course): Promise<CourseFigures> {
  return takeTurns(context, blender, given, (course, scene, folder) =>
    runFarm(context, course, scene, folder),
  );
}

/** Baseline and farm in turns, which shares out what else the machine does meanwhile; `given` may be cut short. */
export async function takeTurns(
  context: BenchContext,
  blender: string,
  given: Course,
  run: (course: Course, scene: string, folder: string) => Promise<FarmRun>,
): Promise<CourseFigures> {
  const course = { ...given, frames: QUICK_FRAMES || given.frames };
  const folder = await context.folder('efficiency');
  const scene = await makeScene(context, blender, course, folder);
  context.say(`\n${course.title}, ${course.frames} frames of ${course.samples} samples:`);
  const baselines: BaselineRun[] = [];
  const farms: FarmRun[] = [];
  for (let round = 1; round <= course.rounds; round++) {
    const baseline = await runBaseline(context, blender, course, scene, join(folder, `baseline-${round}`));
    baselines.push(baseline);
    context.say(
      `  baseline ${seconds(baseline.totalS)} = start ${seconds(baseline.startS)} + load ` +
        `${seconds(baseline.loadS)} + frames ${seconds(sum(baseline.frameS))} (median ${seconds(median(baseline.frameS))} each)`,
    );
    const farm = await run(course, scene, join(folder, `farm-${round}`));
    farms.push(farm);
    context.say(
      `  farm     ${seconds(farm.totalS)} = submit ${seconds(farm.submitS)} + first frame ${seconds(farm.firstS)} + ` +
        `other frames ${seconds(farm.framesS)} + last file ${seconds(farm.tailS)}; ` +
        `Blender rendered for ${seconds(sum(farm.renderS))} of it (median ${seconds(median(farm.renderS))} each)`,
    );
  }
  const figures = compare(course, baselines, farms);
  context.say(`  ratio ${figures.ratio.toFixed(3)}`);
  return figures;
}

function compare(course: Course, baselines: BaselineRun[], farms: FarmRun[]): CourseFigures {
  const farmS = mean(farms.map(({ totalS }) => totalS));
  const baselineS = mean(baselines.map(({ totalS }) => totalS));
  const phase = (of: (farm: FarmRun) => number): number => rounded(mean(farms.map(of)), 3);
  return {
    frames: course.frames,
    farmS,
    baselineS,
    baselineLaunchS: mean(baselines.map(({ startS }) => startS)),
    ratio: baselineS / farmS,
    frameS: median(baselines.flatMap(({ frameS }) => frameS)),
    phases: {
      submitS: phase((farm) => farm.submitS),
      firstFrameS: phase((farm) => farm.firstS),
      framesS: phase((farm) => farm.framesS),
      tailS: phase((farm) => farm.tailS),
      renderS: phase((farm) => sum(farm.renderS)),
      baselineStartS: rounded(mean(baselines.map(({ startS, loadS }) => startS + loadS)), 3),
      baselineRenderS: rounded(mean(baselines.map(({ frameS }) => sum(frameS))), 3),
    },
  };
}

const PYTHON_FLAGS = ['-b', '--factory-startup', '--disable-autoexec', '-noaudio', '--python-exit-code', '7'];
const script = (name: string): string => join(import.meta.dirname, name);

async function makeScene(
  context: BenchContext,
  blender: string,
  course: Course,
  folder: string,
): Promise<string> {
  const scene = join(folder, 'bench.blend');
  const numbers = { samples: course.samples, percent: course.percent, frames: course.frames };
  const options = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = context.spawn(
    blender,
    [...PYTHON_FLAGS, '--python', script('scene.py'), '--', '--out', scene, ...options],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new CouldNotMeasure(`Blender did not make the scene (exit code ${code}).`);
  return scene;
}

async function runBaseline(
  context: BenchContext,
  blender: string,
  course: Course,
  scene: string,
  out: string,
): Promise<BaselineRun> {
  await mkdir(out);
  const startedAt = performance.now();
  // The farm's Blender runs at this priority too, so that it leaves the machine to its owner.
  const child = context.spawn(
    'nice',
    [
      '-n',
      '10',
      blender,
      ...PYTHON_FLAGS,
      '--python',
      script('baseline.py'),
      '--',
      scene,
      out,
      '1',
      String(course.frames),
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const closed = once(child, 'close');
  const frameS: number[] = [];
  let loadS = 0;
  let lastAt = startedAt;
  for await (const line of createInterface({ input: child.stdout as Readable })) {
    const [kind, , figure] = line.split(' ');
    if (kind === 'PHASE') loadS = Number(figure);
    if (kind !== 'FRAME') continue;
    frameS.push(Number(figure));
    lastAt = performance.now();
  }
  const [code] = (await closed) as [number | null];
  if (code !== 0 || frameS.length !== course.frames)
    throw new CouldNotMeasure(`The plain Blender ended with code ${code} after ${frameS.length} frames.`);
  const totalS = (lastAt - startedAt) / 1_000;
  return { totalS, startS: totalS - loadS - sum(frameS), loadS, frameS };
}

/** A node of its own each time: nothing of the scene is stored or loaded when the clock starts. */
async function runFarm(
  context: BenchContext,
  course: Course,
  scene: string,
  folder: string,
): Promise<FarmRun> {
  await mkdir(folder);
  const node = await startNode(context, join(folder, 'data'));
  if (!(await probed(node))) throw new CouldNotMeasure('The node found no Blender that works.');
  try {
    return await submitAndWait(node, course, scene, join(folder, 'frames'));
  } finally {
    await endChild(node.child);
  }
}

export async function submitAndWait(
  node: Pick<BenchNode, 'client'>,
  course: Course,
  scene: string,
  out: string,
): Promise<FarmRun> {
  const { client } = node;
  const submittedAt = performance.now();
  const body = {
    path: scene,
    outputFolder: out,
    settings: { frames: `1-${course.frames}`, film: false },
  };
  const { job } = await client.call('submit', { body });
  const acceptedAt = performance.now();
  const results = watchResults(node, job.id, course.frames);
  const collectedAt = await lastFile(out, course.frames, results);
  // Events gather for a moment before they are told.
  await until('the last event', () => (Number.isNaN(results.lastAt) ? undefined : true), {
    timeoutMs: 3_000,
  }).catch(() => undefined);
  results.end();
  const { tasks } = await client.call('tasks', { params: { job: job.id } });
  const { firstAt, lastAt } = results;
  return {
    totalS: (collectedAt - submittedAt) / 1_000,
    submitS: (acceptedAt - submittedAt) / 1_000,
    firstS: (firstAt - acceptedAt) / 1_000,
    framesS: (lastAt - firstAt) / 1_000,
    tailS: (collectedAt - lastAt) / 1_000,
    renderS: tasks.map(({ renderMs }) => (renderMs ?? Number.NaN) / 1_000),
  };
}

/**
 * When the last frame got its final name. The system tells of new names: looking for them again and again would take
 * time from the very cores that are measured.
 */
async function lastFile(
  out: string,
  frames: number,
  results: { state: string; reason: string | undefined },
): Promise<number> {
  const there = new Set<string>();
  const last = Promise.withResolvers<number>();
  const see = (name: string | null): void => {
    if (name !== null && /^frame_\d+\.png$/.test(name)) there.add(name);
    if (there.size === frames) last.resolve(performance.now());
  };
  const watcher = watch(out, (_event, name) => see(name));
  try {
    for (const name of await readdir(out)) see(name);
    const over = (): true | undefined => there.size === frames || results.state === 'failed' || undefined;
    await Promise.race([last.promise, until('the last frame', over, { everyMs: 1_000 })]);
    if (there.size === frames) return await last.promise;
    throw new CouldNotMeasure(`The job failed: ${results.reason ?? 'no reason given'}`);
  } finally {
    watcher.close();
  }
}

/** When the first and the last result were told by the node's live events (which gather for a moment). */
function watchResults(node: Pick<BenchNode, 'client'>, job: string, frames: number) {
  const stop = new AbortController();
  const seen = new Set<number>();
  const results = {
    firstAt: Number.NaN,
    lastAt: Number.NaN,
    state: 'queued' as string,
    reason: undefined as string | undefined,
    end: () => stop.abort(),
  };
  const follow = async (): Promise<void> => {
    for await (const { event } of node.client.events(stop.signal)) {
      const now = performance.now();
      if (event.kind === 'job' && event.job.id === job)
        Object.assign(results, { state: event.job.state, reason: event.job.reason });
      if (event.kind !== 'tasks' || event.job !== job) continue;
      for (const task of event.tasks) if (task.files.length > 0) seen.add(task.index);
      if (seen.size > 0 && Number.isNaN(results.firstAt)) results.firstAt = now;
      if (seen.size === frames && Number.isNaN(results.lastAt)) results.lastAt = now;
    }
  };
  // Without events only the split into phases is lost.
  follow().catch(() => undefined);
  return results;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
const seconds = (value: number): string => `${value.toFixed(2)} s`;
