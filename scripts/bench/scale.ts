import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultMeshLimits } from '../../node/src/mesh/limits.ts';
import {
  type Bench,
  type BenchContext,
  CouldNotMeasure,
  endChild,
  type Measured,
  rounded,
  startNode,
} from './harness.ts';
import { settled } from './rest.ts';
import { makeHistory } from './restart.ts';
import type { FarmFigures, Rates } from './scale-farm.ts';
import type { JobFigures } from './scale-job.ts';
import { type Column, type Row, tableOf } from './table.ts';

const NODES = [10, 100, 300, 1_000];
const TASKS = [1_000, 10_000, 100_000, 1_000_000];
/** What a farm or a job of the largest size may take of the heap, in MB, while it is built up. */
const HEAP_MB = 8_192;

export const bench: Bench = {
  name: 'scale',
  measures:
    'how messages, processor time, failover and memory grow with the machines of a farm and with the tasks of a job. Farms are ' +
    'simulated: a virtual clock, a network in memory; up to 8 members whole, all others light (what one says is real). All ' +
    'render frames of 10 s. Gossip counts once where it is said and once at each who hears it; the beats of connections ' +
    '(SPEC R102) are not in it, and computed beside it; of the processor, what encrypts and the kernel are not in it. Sampled ' +
    'are 5 virtual seconds at rest, 10 while all render, one coordinator killed and one whose power is cut, and of each job 4,000 ' +
    'grants; never a whole job. Jobs are measured in the brain alone and in a real node that restarts with them. The value ' +
    'is the time from the end of the coordinator of the largest farm until all follow the next; the baseline the same in ' +
    'the smallest. `--nodes 10,100` and `--tasks 1000` measure some of the sizes, `--tasks none` none.',
  options: ['nodes', 'tasks'],
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const farms: FarmFigures[] = [];
  for (const nodes of sizesOf(context.option('nodes'), NODES)) {
    farms.push(await figuresOf<FarmFigures>(context, 'scale-farm.ts', nodes));
    context.say(`A farm of ${nodes}: ${Math.round(farms.at(-1)?.seconds ?? 0)} s.`);
  }
  for (const line of farmTables(farms)) context.say(line);
  const jobs: (JobFigures & RestartFigures)[] = [];
  for (const tasks of sizesOf(context.option('tasks'), TASKS)) {
    const inBrain = await figuresOf<JobFigures>(context, 'scale-job.ts', tasks);
    jobs.push({ ...inBrain, ...(await restart(context, tasks)) });
    context.say(`A job of ${tasks} tasks is measured.`);
  }
  if (jobs.length > 0) for (const line of jobTable(jobs)) context.say(line);
  const [smallest, largest] = [farms[0], farms.at(-1)];
  const value = rounded(largest?.killed.followedMs ?? Number.NaN, 1);
  const baseline = rounded(smallest?.killed.followedMs ?? Number.NaN, 1);
  const largestJob = jobs.at(-1);
  return {
    value,
    unit: 'ms',
    baseline,
    ratio: rounded(value / baseline, 2),
    nodes: largest?.nodes,
    powerCutMs: largest && rounded(largest.powerCut.followedMs, 1),
    gossipPerSecond: largest && rounded(largest.rendering.gossip, 1),
    grantMicroseconds: largest && rounded(largest.grantUs),
    tasks: largestJob?.tasks,
    /** Of the size that the bar is about, and of no other. */
    ...(largestJob?.tasks === 1_000_000 && { jobMB: rounded(largestJob.nodeMB, 1) }),
    restartS: largestJob && rounded(largestJob.restartS, 2),
  };
}

function sizesOf(option: string | undefined, all: readonly number[]): number[] {
  if (option === undefined) return [...all];
  if (option === 'none') return [];
  const sizes = option.split(',').map(Number);
  if (sizes.some((size) => !Number.isInteger(size) || size < 1))
    throw new CouldNotMeasure(`"${option}" is no list of sizes.`);
  return sizes.sort((a, b) => a - b);
}

/** One size in a process of its own: what another left behind costs it neither memory nor time. */
async function figuresOf<Figures>(context: BenchContext, script: string, size: number): Promise<Figures> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = context.spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, path, String(size)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new CouldNotMeasure(`${script} ${size} ended with ${code ?? 'a signal'}.`);
  return JSON.parse(text) as Figures;
}

interface RestartFigures {
  tasks: number;
  restartS: number;
  nodeMB: number;
  /** Of it, pages of files: programs, and what the database has mapped. */
  fileMB: number;
}

/** A node that starts with the job done: until it answers about it, and what it takes once it has gone quiet. */
async function restart(context: BenchContext, tasks: number): Promise<RestartFigures> {
  const folder = join(await context.folder(`scale-${tasks}`), 'data');
  await mkdir(folder);
  const job = await makeHistory(folder, tasks);
  const node = await startNode(context, folder);
  const { counts } = await node.client.call('job', { params: { job } });
  const restartS = (performance.now() - node.spawnedAt) / 1_000;
  if (counts.rendered + counts.done !== tasks)
    throw new CouldNotMeasure(`The restarted node knows of other results: ${JSON.stringify(counts)}.`);
  const { allMB: nodeMB, fileMB } = await settled(node);
  await endChild(node.child);
  return { tasks, restartS, nodeMB, fileMB };
}

const SIZE: Column = { key: 'nodes', title: 'nodes' };

function* farmTables(farms: readonly FarmFigures[]): Generator<string> {
  const traffic: Column[] = [
    SIZE,
    { key: 'nodeMessages', title: 'node msg/s' },
    { key: 'nodeKB', title: 'node kB/s' },
    { key: 'coordinatorMessages', title: 'coordinator msg/s' },
    { key: 'coordinatorKB', title: 'coordinator kB/s' },
    { key: 'gossip', title: 'gossip/s of all' },
    { key: 'coordinatorPercent', title: 'coordinator CPU %' },
    { key: 'beats', title: 'beats/s (computed)' },
  ];
  yield 'At rest, in and out:';
  yield* tableOf(
    traffic,
    farms.map(({ nodes, atRest }) => trafficOf(nodes, atRest)),
  );
  yield 'While each renders a frame of 10 s after the other:';
  yield* tableOf(
    traffic,
    farms.map(({ nodes, rendering }) => trafficOf(nodes, rendering)),
  );
  yield 'Of the coordinator, and of what it is to a node:';
  yield* tableOf(
    [
      SIZE,
      { key: 'grants', title: 'grants/s' },
      { key: 'grantUs', title: 'CPU µs/grant' },
      { key: 'stepUs', title: 'of it brain' },
      { key: 'killedMs', title: 'killed: followed ms' },
      { key: 'killedGrantMs', title: 'grants ms' },
      { key: 'killedRanMs', title: 'of CPU ms' },
      { key: 'powerMs', title: 'power cut: followed ms' },
      { key: 'powerGrantMs', title: 'grants ms' },
      { key: 'powerRanMs', title: 'of CPU ms' },
      { key: 'nodeMB', title: 'node MB' },
    ],
    farms.map((farm) => ({
      nodes: farm.nodes,
      grants: farm.grantsPerSecond,
      grantUs: farm.grantUs,
      stepUs: farm.stepUs,
      killedMs: farm.killed.followedMs,
      killedGrantMs: farm.killed.grantsMs,
      killedRanMs: farm.killed.ranMs,
      powerMs: farm.powerCut.followedMs,
      powerGrantMs: farm.powerCut.grantsMs,
      powerRanMs: farm.powerCut.ranMs,
      nodeMB: farm.nodeMB,
    })),
  );
}

const trafficOf = (nodes: number, { node, coordinator, gossip, coordinatorShare }: Rates): Row => ({
  nodes,
  nodeMessages: node.messages,
  nodeKB: node.bytes / 1_000,
  coordinatorMessages: coordinator.messages,
  coordinatorKB: coordinator.bytes / 1_000,
  gossip,
  coordinatorPercent: coordinatorShare * 100,
  beats: beatsOf(nodes),
});

/** Between any two members one a second each way, in and out: every member is connected with every other. */
const beatsOf = (nodes: number): number => (2 * (nodes - 1) * 1_000) / defaultMeshLimits.beatMs;

function* jobTable(jobs: readonly (JobFigures & RestartFigures)[]): Generator<string> {
  yield 'A job by its tasks: the brain with all open and with a result of each, and the node that restarts with them done:';
  yield* tableOf(
    [
      { key: 'tasks', title: 'tasks' },
      { key: 'openMB', title: 'open MB' },
      { key: 'doneMB', title: 'done MB' },
      { key: 'grantUs', title: 'CPU µs/grant' },
      { key: 'pageMs', title: 'page ms' },
      { key: 'failedPageMs', title: 'empty page ms' },
      { key: 'viewMs', title: 'job view ms' },
      { key: 'resultsMs', title: 'results ms' },
      { key: 'restartS', title: 'restart s' },
      { key: 'nodeMB', title: 'node MB' },
      { key: 'fileMB', title: 'of it files MB' },
    ],
    jobs.map((job) => ({ ...job })),
  );
}
