import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import {
  type Bench,
  type BenchContext,
  type BenchNode,
  CouldNotMeasure,
  endChild,
  type Measured,
  median,
  ownNetwork,
  probed,
  processorMs,
  resident,
  residentMB,
  rounded,
  startNode,
} from './harness.ts';

/**
 * Memory counts as settled when it moved by less than this share for so long, while the process hardly ran: one that reads
 * the notes of a million tasks stands as still in between, and what that leaves is given back a minute after the
 * last time at the latest.
 */
const SETTLED_SHARE = 0.01;
const SETTLED_LOOKS = 130;
const QUIET_SHARE = 0.05;
const LOOK_MS = 500;
const LOOKS_MAX = 720;
const MILLION = 1_000_000;

export const bench: Bench = {
  name: 'rest',
  measures:
    'resident memory of the node process (its worker threads included, Blender and other child processes not), once ' +
    'it has started on a network, looked for Blender and gone quiet; the baseline is a bare Node process that waits. Beside it: ' +
    'the same node with a paused job of 1,000,000 tasks.',
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const baseline = await bareNode(context);
  const dataFolder = join(await context.folder('rest'), 'data');
  await ownNetwork(dataFolder);
  const node = await startNode(context, dataFolder, { offline: false });
  const hasBlender = await probed(node);
  const atRest = await settledMB(node);
  context.say(
    `At rest ${atRest.toFixed(1)} MB${hasBlender ? ', with a Blender in a process of its own that is not counted' : ', without a Blender'}; a bare Node ${baseline.toFixed(1)} MB.`,
  );
  const { job } = await node.client.call('submit', {
    body: {
      type: 'echo-sleep',
      paused: true,
      settings: { frames: `1-${MILLION}`, message: '', sleepMs: 0 },
      outputFolder: join(node.dataFolder, 'out'),
    },
  });
  if (job.counts.total !== MILLION) throw new CouldNotMeasure('The job of a million tasks has another size.');
  const million = await settledMB(node);
  context.say(`With a paused job of 1,000,000 tasks ${million.toFixed(1)} MB.`);
  await endChild(node.child);
  return {
    value: rounded(atRest, 1),
    unit: 'MB',
    baseline: rounded(baseline, 1),
    ratio: rounded(atRest / baseline, 2),
    millionTasksMB: rounded(million, 1),
  };
}

interface Look {
  atMs: number;
  allMB: number;
  fileMB: number;
  ranMs: number;
}

/** The median of the looks at which memory stood still; the last looks where it never did. */
export async function settledMB(node: BenchNode): Promise<number> {
  return (await settled(node)).allMB;
}

/** The same, and how much of it are pages of files. */
export async function settled(node: BenchNode): Promise<{ allMB: number; fileMB: number }> {
  const pid = node.child.pid as number;
  const looks: Look[] = [];
  while (looks.length < LOOKS_MAX) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const [memory, ranMs] = [resident(pid), processorMs(pid)];
    if (memory === undefined || ranMs === undefined)
      throw new CouldNotMeasure('Memory can be read on Linux only, of a node that lives.');
    looks.push({ ...memory, ranMs, atMs: performance.now() });
    if (isSettled(looks.slice(-SETTLED_LOOKS))) break;
  }
  const last = looks.slice(-SETTLED_LOOKS);
  return { allMB: median(last.map(({ allMB }) => allMB)), fileMB: median(last.map(({ fileMB }) => fileMB)) };
}

function isSettled(looks: readonly Look[]): boolean {
  const [first, last] = [looks[0], looks.at(-1)];
  if (looks.length < SETTLED_LOOKS || first === undefined || last === undefined) return false;
  const all = looks.map(({ allMB }) => allMB);
  const isStill = Math.max(...all) <= Math.min(...all) * (1 + SETTLED_SHARE);
  return isStill && last.ranMs - first.ranMs <= (last.atMs - first.atMs) * QUIET_SHARE;
}

async function bareNode(context: BenchContext): Promise<number> {
  const child = context.spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout as Readable, 'data');
  const resident = residentMB(child.pid as number);
  await endChild(child);
  if (resident === undefined) throw new CouldNotMeasure('Memory can be read on Linux only.');
  return resident;
}
