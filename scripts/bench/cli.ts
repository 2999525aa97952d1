import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import {
  type Bench,
  type BenchContext,
  CouldNotMeasure,
  cuadroCommand,
  endChild,
  type Measured,
  median,
  percentile,
  probed,
  rounded,
  startNode,
} from './harness.ts';

const ROUNDS = 25;
const JOBS = 20;

export const bench: Bench = {
  name: 'cli',
  measures:
    'milliseconds from starting the command to its first output, p50: `cuadro --help` (the value) and `cuadro jobs` ' +
    `with ${JOBS} jobs on a running node; the baseline is \`node -e\` that prints one letter. The ratio is help ÷ baseline.`,
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const node = await startNode(context, join(await context.folder('cli'), 'data'));
  await probed(node);
  for (let i = 0; i < JOBS; i++) {
    await node.client.call('submit', {
      body: {
        type: 'echo-sleep',
        name: `Job ${i}`,
        paused: true,
        settings: { frames: '1-10' },
        outputFolder: join(node.dataFolder, 'out', String(i)),
      },
    });
  }
  const commands = {
    bare: ['-e', 'process.stdout.write("x")'],
    help: [cuadroCommand, '--help'],
    jobs: [cuadroCommand, 'jobs', '--data', node.dataFolder],
  };
  const times: Record<keyof typeof commands, number[]> = { bare: [], help: [], jobs: [] };
  // The first round fills caches and is not counted; then all take turns.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, args] of Object.entries(commands) as [keyof typeof commands, string[]][]) {
      const ms = await firstOutputMs(context, args);
      if (round > 0) times[name].push(ms);
    }
  }
  await endChild(node.child);
  const [bare, help, jobs] = [median(times.bare), median(times.help), median(times.jobs)];
  for (const [name, list] of Object.entries(times))
    context.say(`${name}: p50 ${median(list).toFixed(0)} ms, p90 ${percentile(list, 0.9).toFixed(0)} ms`);
  return {
    value: rounded(help, 1),
    unit: 'ms',
    baseline: rounded(bare, 1),
    ratio: rounded(help / bare, 2),
    jobsMs: rounded(jobs, 1),
    jobsRatio: rounded(jobs / bare, 2),
  };
}

async function firstOutputMs(context: BenchContext, args: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const child = context.spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let firstAt: number | undefined;
  (child.stdout as Readable).on('data', () => (firstAt ??= performance.now()));
  const [code] = (await closed) as [number | null];
  if (code !== 0 || firstAt === undefined)
    throw new CouldNotMeasure(`node ${args.join(' ')} ended with code ${code}.`);
  return firstAt - startedAt;
}
