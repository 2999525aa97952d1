/**
 * `npm run bench -- NAME [--json] [--OPTION VALUE]`: measures one thing, prints it in plain words, and as its last line one JSON
 * object. It ends with code 0 whether or not the bar is reached (a busy machine can miss), with 1 only where it
 * could not measure, and with 2 for a wrong call.
 */
import { BARS, barText, BENCH_NAMES, type BenchName, reaches } from './bars.ts';
import { type Bench, CouldNotMeasure, type LastLine, rounded, runBench } from './harness.ts';

const BENCHES: Readonly<Record<BenchName, () => Promise<{ bench: Bench }>>> = {
  efficiency: () => import('./efficiency.ts'),
  'efficiency-two': () => import('./efficiency-two.ts'),
  dispatch: () => import('./dispatch.ts'),
  'dispatch-whole': () => import('./dispatch-whole.ts'),
  'dispatch-alone': () => import('./dispatch-alone.ts'),
  'dispatch-processes': () => import('./dispatch-processes.ts'),
  restart: () => import('./restart.ts'),
  'catch-up': () => import('./catch-up.ts'),
  rest: () => import('./rest.ts'),
  cli: () => import('./cli.ts'),
  failover: () => import('./failover.ts'),
  'worker-loss': () => import('./worker-loss.ts'),
  latency: () => import('./latency.ts'),
  'loop-delay': () => import('./loop-delay.ts'),
  scale: () => import('./scale.ts'),
  transfer: () => import('./transfer.ts'),
  swarm: () => import('./swarm.ts'),
  'small-files': () => import('./small-files.ts'),
  'changed-scene': () => import('./changed-scene.ts'),
  store: () => import('./store.ts'),
};

const isBenchName = (name: string): name is BenchName => (BENCH_NAMES as readonly string[]).includes(name);

/** One sentence for each bar: reached or missed, and by which line of the budget table. */
function* verdicts(line: LastLine): Generator<string> {
  for (const bar of BARS[line.bench]) {
    const figure = line[bar.figure];
    const word = reaches(bar, line) ? 'reached' : 'MISSED';
    yield `${word}: ${bar.figure} is ${typeof figure === 'number' ? rounded(figure, 3) : 'not known'}, the bar ${barText(bar)} (${bar.from}).`;
  }
}

/** Names, and what follows options. */
function parted(args: readonly string[]): { names: string[]; options: Map<string, string> } {
  const names: string[] = [];
  const options = new Map<string, string>();
  for (let place = 0; place < args.length; place++) {
    const arg = args[place] ?? '';
    if (arg.startsWith('--')) options.set(arg.slice(2), args[++place] ?? '');
    else names.push(arg);
  }
  return { names, options };
}

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  const { names, options } = parted(args.filter((arg) => arg !== '--json'));
  const [name] = names;
  if (names.length !== 1 || name === undefined || !isBenchName(name)) {
    console.error(`Usage: npm run bench -- NAME [--json]\nBenches: ${BENCH_NAMES.join(', ')}.`);
    return 2;
  }
  const say = json ? () => undefined : (line: string) => console.log(line);
  try {
    const { bench } = await BENCHES[name]();
    const unknown = [...options.keys()].filter((option) => bench.options?.includes(option) !== true);
    if (unknown.length > 0) {
      console.error(`${name} knows no option --${unknown.join(', --')}.`);
      return 2;
    }
    const line = await runBench(bench, say, options);
    for (const verdict of verdicts(line)) say(verdict);
    console.log(JSON.stringify(line));
    return 0;
  } catch (error) {
    const why =
      error instanceof CouldNotMeasure ? error.message : error instanceof Error ? error.stack : error;
    console.error(`${name} could not be measured: ${String(why)}`);
    return 1;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
