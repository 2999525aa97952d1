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
  residentMB,
  rounded,
  startNode,
} from './harness.ts';

/** Memory counts as settled when it moved by less than this share for this many looks. */
const SETTLED_SHARE = 0.01;
const SETTLED_LOOKS = 8;
const LOOK_MS = 500;
const LOOKS_MAX = 60;
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

/** The median of the looks at which memory stood still; the last looks where it never did. */
export async function settledMB(node: BenchNode): Promise<number> {
  const looks: number[] = [];
  while (looks.length < LOOKS_MAX) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const now = residentMB(node.child.pid as number);
    if (now === undefined)
      throw new CouldNotMeasure('Memory can be read on Linux only, of a node that lives.');
    looks.push(now);
    const last = looks.slice(-SETTLED_LOOKS);
    if (last.length === SETTLED_LOOKS && Math.max(...last) <= Math.min(...last) * (1 + SETTLED_SHARE)) break;
  }
  return median(looks.slice(-SETTLED_LOOKS));
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
