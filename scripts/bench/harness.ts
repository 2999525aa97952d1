import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectNode, type NodeClient } from '../../node/src/cli/client.ts';
import { BARS, type BenchName, reaches } from './bars.ts';

/** What the benches share: folders and processes that end with them, words, numbers, and the last line. */

export const root = fileURLToPath(new URL('../..', import.meta.url));
/** The command as people run it. */
export const cuadroCommand = join(root, 'node', 'bin', 'cuadro.js');

/** What a bench measured. */
export interface Measured {
  value: number;
  unit: string;
  /** The same by the bare thing, taken in the same run. */
  baseline: number;
  /** How `value` compares with `baseline`; each bench says which way. */
  ratio: number;
  /** Further figures by name; bars may name them. */
  [figure: string]: unknown;
}

export interface BenchContext {
  /** A line for people; nothing under `--json`. */
  say(line: string): void;
  /** What was given after `--NAME`; undefined where nothing was. */
  option(name: string): string | undefined;
  /** A new folder, deleted at the end. */
  folder(label: string): Promise<string>;
  /** Starts a process that is ended with the bench, whatever happens. */
  spawn(file: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
}

export interface Bench {
  name: BenchName;
  /** One sentence: what is measured, from where to where, against what. */
  measures: string;
  /** Names of the options that it takes. */
  options?: readonly string[];
  run(context: BenchContext): Promise<Measured>;
}

/** A bench that could not measure says why; that, and only that, is a failure. */
export class CouldNotMeasure extends Error {
  override readonly name = 'CouldNotMeasure';
}

/** Without a bar where none stands for the bench. */
export type LastLine = Measured & { bench: BenchName; bar?: number; ok: boolean };

/** The figures with their verdict: the bench's last line. */
export function lastLine(bench: BenchName, measured: Measured): LastLine {
  const bars = BARS[bench];
  const { value, unit, baseline, ratio, ...further } = measured;
  const ok = bars.every((bar) => reaches(bar, measured));
  const bar = bars[0] && { bar: bars[0].limit };
  return { bench, value, unit, baseline, ratio, ...bar, ok, ...further };
}

/** Runs one bench; its processes are gone and its folders deleted when this settles. */
export async function runBench(
  bench: Bench,
  say: (line: string) => void,
  options: ReadonlyMap<string, string> = new Map(),
): Promise<LastLine> {
  const folders: string[] = [];
  const children = new Set<ChildProcess>();
  const context: BenchContext = {
    say,
    option: (name) => options.get(name),
    folder: async (label) => {
      const folder = await mkdtemp(join(tmpdir(), `cuadro-bench-${label}-`));
      folders.push(folder);
      return folder;
    },
    spawn: (file, args, options = {}) => {
      const child = spawn(file, args, options);
      children.add(child);
      child.once('error', () => children.delete(child));
      child.once('close', () => children.delete(child));
      return child;
    },
  };
  const interrupt = (): void => {
    for (const child of children) child.kill('SIGKILL');
    process.exit(130);
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    say(`${bench.name}: ${bench.measures}`);
    say(`On ${machineName()}.`);
    return lastLine(bench.name, await bench.run(context));
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    await Promise.all([...children].map(endChild));
    for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Asks a process to end in order; whoever doesn't within 10 s is killed. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await closed;
  clearTimeout(kill);
}

/** A node in a process of its own, on loopback, at any free port. */
export interface BenchNode {
  child: ChildProcess;
  dataFolder: string;
  client: NodeClient;
  /** By `performance.now()`: when the process was started, and when it said that it runs. */
  spawnedAt: number;
  readyAt: number;
}

/** `node` options such as `--cpu-prof` for the nodes that benches start: `CUADRO_BENCH_NODE_OPTIONS`, blank-separated. */
const nodeOptions = (): string[] =>
  (process.env['CUADRO_BENCH_NODE_OPTIONS'] ?? '').split(' ').filter(Boolean);

/** A network that only this bench is on: loopback, under a name of its own. */
export async function ownNetwork(dataFolder: string): Promise<void> {
  const serviceName = `bench-${process.pid}`.slice(0, 15);
  const config = { serviceName, interfaces: ['lo'], listen: ['127.0.0.1'], meshPort: 0, lobbyPort: 0 };
  await mkdir(dataFolder, { recursive: true });
  await writeFile(join(dataFolder, 'config.json'), JSON.stringify(config));
}

/** Starts `cuadro up` and resolves when it says that it runs; off the network unless its folder has one of its own. */
export async function startNode(
  context: BenchContext,
  dataFolder: string,
  options: { offline?: boolean } = {},
): Promise<BenchNode> {
  const offline = (options.offline ?? true) ? ['--offline'] : [];
  const spawnedAt = performance.now();
  const child = context.spawn(
    process.execPath,
    [...nodeOptions(), cuadroCommand, 'up', '--json', ...offline, '--port', '0', '--data', dataFolder],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const ready = once(child.stdout as NonNullable<typeof child.stdout>, 'data');
  const gone = once(child, 'close').then(() => {
    throw new CouldNotMeasure(`The node did not start: ${errors.trim() || 'it said nothing'}`);
  });
  gone.catch(() => undefined);
  await Promise.race([ready, gone]);
  const readyAt = performance.now();
  return { child, dataFolder, client: connectNode(dataFolder), spawnedAt, readyAt };
}

/** Resolves with the first value that is not undefined, looking again after `everyMs`. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  options: { everyMs?: number; timeoutMs?: number } = {},
): Promise<T> {
  const { everyMs = 20, timeoutMs = 300_000 } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > deadline) throw new CouldNotMeasure(`Waited in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Resolves once the node has looked for Blender; false where it found none. */
export async function probed(node: Pick<BenchNode, 'client'>): Promise<boolean> {
  return until('the node to look for Blender', async () => {
    const { state } = (await node.client.call('here', {})).blender;
    return state === 'probing' ? undefined : state === 'ready';
  });
}

/** The value below which `share` of all lie (nearest rank); NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** To `digits` places after the point, for lines that people and programs read. */
export const rounded = (value: number, digits = 0): number => Number(value.toFixed(digits));

/** Resident memory of a process in MB (10^6 bytes); undefined once it is gone. */
export const residentMB = (pid: number): number | undefined => resident(pid)?.allMB;

/** The same, and how much of it are pages of files, which the kernel takes back whenever somebody needs the room. */
export function resident(pid: number): { allMB: number; fileMB: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const [allMB, fileMB] = ['VmRSS', 'RssFile'].map((name) => {
      const kB = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
      return kB === undefined ? undefined : (Number(kB) * 1024) / 1e6;
    });
    return allMB === undefined || fileMB === undefined ? undefined : { allMB, fileMB };
  } catch {
    return undefined;
  }
}

/** Processor time that a process has taken so far, in milliseconds, all its threads together; undefined once it is gone. */
export function processorMs(pid: number): number | undefined {
  try {
    // After the name, which may hold blanks and brackets; in hundredths of a second.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return undefined;
  }
}

/** `Intel Xeon …, 2 cores, Node 24.21.0`: figures mean nothing without it. */
export function machineName(): string {
  const model = cpus()[0]?.model.replace(/\s+/g, ' ').trim() || process.arch;
  return `${model}, ${availableParallelism()} cores, ${process.platform}, Node ${process.versions.node}`;
}
