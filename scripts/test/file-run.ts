import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { FileEvent } from './events.ts';

export type TestEnd = Extract<FileEvent, { kind: 'end' }>;

/** How a test file went. */
export interface FileResult {
  file: string;
  tests: TestEnd[];
  /** What its tests told of themselves, in order. */
  told: string[];
  /** Why the file failed as a whole, when not by a test of it: time-out, crash, open handles. */
  trouble: string | undefined;
  /** What it printed, for failures only; the last OUTPUT_LIMIT characters. */
  output: string;
  ms: number;
  /** Processor time of the file and of what it started, where the system tells it. */
  cpuMs: number | undefined;
}

export interface FileRunLimits {
  /** How long a file may take in all. */
  fileMs: number;
  /** How long a file may go on without a word after its last test ended. */
  lingerMs: number;
}

const OUTPUT_LIMIT = 64_000;

/** How long a file gets to say what keeps it open before its whole process group is killed. */
const LAST_WORDS_MS = 2_000;

/** Kills what is still running when the runner itself has to end. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) killGroup(child, 'SIGKILL');
});

/**
 * Runs one test file in a process group of its own, so that nothing that it started outlives it. Whatever it starts keeps
 * what it compiled in one place: the same modules are taken from there by hundreds of processes.
 */
export async function runFile(root: string, file: string, limits: FileRunLimits): Promise<FileResult> {
  const started = performance.now();
  // No source maps: stripped of its types a line stands where it stood, and packages bring megabytes of them.
  const flags = [
    ...['--import', import.meta.resolve('./attribution.ts')],
    `--test-reporter=${join(import.meta.dirname, 'events.ts')}`,
  ];
  const child = spawn(process.execPath, [...flags, join(root, file)], {
    cwd: root,
    detached: true,
    env: { NODE_COMPILE_CACHE: join(root, '.cache', 'compiled'), ...process.env, NODE_ENV: 'test' },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  const watch = new Watch(child, limits);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_LIMIT);
    });
  }
  const events = createInterface({ input: child.stdio[3] as Readable });
  events.on('line', (line) => watch.hear(JSON.parse(line) as FileEvent));
  const heardAll = new Promise<void>((resolve) => events.once('close', resolve));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('error', () => resolve([127, null]));
    child.once('exit', (exitCode, exitSignal) => resolve([exitCode, exitSignal]));
  });
  killGroup(child, 'SIGKILL');
  await heardAll;
  running.delete(child);
  const ms = performance.now() - started;
  return {
    file,
    tests: watch.tests,
    told: watch.told,
    trouble: watch.end(code, signal),
    output,
    ms,
    cpuMs: watch.cpuMs,
  };
}

/** Follows one file's events and ends it when it takes too long or does not end after its tests. */
class Watch {
  readonly tests: TestEnd[] = [];
  readonly told: string[] = [];
  cpuMs: number | undefined;
  private readonly child: ChildProcess;
  private readonly limits: FileRunLimits;
  private open = 0;
  private reason: string | undefined;
  private note = '';
  private lastName = '';
  private linger: NodeJS.Timeout | undefined;
  private readonly limit: NodeJS.Timeout;

  constructor(child: ChildProcess, limits: FileRunLimits) {
    this.child = child;
    this.limits = limits;
    this.limit = setTimeout(() => {
      const where = this.open > 0 ? ` in "${this.lastName}"` : '';
      this.stop(`did not end within ${limits.fileMs / 1000} s${where}`);
    }, limits.fileMs);
  }

  hear(event: FileEvent): void {
    clearTimeout(this.linger);
    if (event.kind === 'note') {
      this.note = event.text;
      return;
    }
    if (event.kind === 'cpu') {
      this.cpuMs = event.ms;
      return;
    }
    if (event.kind === 'told') {
      this.told.push(event.text);
      return;
    }
    this.lastName = event.name;
    this.open += event.kind === 'start' ? 1 : -1;
    if (event.kind === 'end') this.tests.push(event);
    if (this.open > 0) return;
    this.linger = setTimeout(() => {
      this.stop(
        `all its tests ended, but the file went on for ${this.limits.lingerMs / 1000} s: it leaves handles open`,
      );
    }, this.limits.lingerMs);
  }

  private stop(reason: string): void {
    this.reason ??= reason;
    killGroup(this.child, 'SIGTERM');
    setTimeout(() => killGroup(this.child, 'SIGKILL'), LAST_WORDS_MS).unref();
  }

  /** What was wrong with the file as a whole, once its process has ended. */
  end(code: number | null, signal: NodeJS.Signals | null): string | undefined {
    clearTimeout(this.limit);
    clearTimeout(this.linger);
    if (this.reason !== undefined) return this.note === '' ? this.reason : `${this.reason} (${this.note})`;
    if (signal !== null) return `its process was ended by ${signal}`;
    const failed = this.tests.some((test) => test.outcome === 'fail' || test.outcome === 'cancelled');
    if (code !== 0 && !failed) return `its process ended with code ${code}`;
    return this.tests.length === 0 ? 'it holds no test' : undefined;
  }
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The whole group has ended already.
  }
}
