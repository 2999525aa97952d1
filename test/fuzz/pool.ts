import { type ChildProcess, fork } from 'node:child_process';
import { openSync, readFileSync, readSync, rmSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Answer, Order } from './child.ts';
import { type Failure, INPUT_MS_MAX, type Report } from './run.ts';

/** How often it is looked whether a child has gone on to its next input. */
const LOOK_EVERY_MS = 500;
/** An input that waits for something that never comes uses no processor; so long is no machine's bad moment. */
const WAIT_MS_MAX = 60_000;
/** Decoders that keep what they read run out of this, and are named. */
const HEAP_MEBIBYTES = 1_024;
/** What may come before the first input: the modules, a node's start. */
const START_MS_MAX = 60_000;

/** One child process and the place in its run that it tells by a file. */
class Child {
  readonly process: ChildProcess;
  readonly #placePath: string;
  readonly #placeFile: number;

  constructor(number: number) {
    this.#placePath = join(tmpdir(), `cuadro-fuzz-${process.pid}-${number}`);
    this.#placeFile = openSync(this.#placePath, 'w+');
    this.process = fork(join(import.meta.dirname, 'child.ts'), {
      execArgv: ['--expose-gc', `--max-old-space-size=${HEAP_MEBIBYTES}`],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', this.#placeFile],
      env: { ...process.env, NODE_ENV: 'test' },
    });
  }

  /** The answer, or why there is none. */
  ask(order: Omit<Order, 'placeFile'>): Promise<Answer | { kind: 'stalled' | 'ended'; why: string }> {
    const { promise, resolve } = Promise.withResolvers<Answer | { kind: 'stalled' | 'ended'; why: string }>();
    const stop = this.#watch((why) => resolve({ kind: 'stalled', why }));
    const onExit = (code: number | null, signal: string | null): void =>
      resolve({
        kind: 'ended',
        why: `The process ended by itself (${signal ?? code}): out of memory, or a crash.`,
      });
    this.process.once('message', (answer: Answer) => resolve(answer));
    this.process.once('exit', onExit);
    this.process.send({ ...order, placeFile: 4 } satisfies Order);
    return promise.finally(() => {
      stop();
      this.process.off('exit', onExit);
      this.process.removeAllListeners('message');
    });
  }

  get place(): { chunk: number; index: number } | undefined {
    const bytes = Buffer.alloc(8);
    if (readSync(this.#placeFile, bytes, 0, 8, 0) < 8) return undefined;
    return { chunk: bytes.readUInt32BE(0), index: bytes.readUInt32BE(4) };
  }

  end(): void {
    this.process.kill('SIGKILL');
    closeSync(this.#placeFile);
    rmSync(this.#placePath, { force: true });
  }

  /** Calls back once where an input keeps the child busy, or waiting, for too long. */
  #watch(stalled: (why: string) => void): () => void {
    let last = { place: '', cpuMs: this.#cpuMs(), atMs: performance.now() };
    const timer = setInterval(() => {
      const place = JSON.stringify(this.place);
      const cpuMs = this.#cpuMs();
      const nowMs = performance.now();
      if (place !== last.place) {
        last = { place, cpuMs, atMs: nowMs };
        return;
      }
      const hasBegun = this.place !== undefined;
      if (hasBegun && cpuMs - last.cpuMs > INPUT_MS_MAX) stalled(`It computed for ${cpuMs - last.cpuMs} ms.`);
      else if (nowMs - last.atMs > (hasBegun ? WAIT_MS_MAX : START_MS_MAX))
        stalled('It has not gone on for too long.');
    }, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }

  /** Of the child, so that a busy machine is not taken for a stalled decoder; 0 where the system doesn't tell. */
  #cpuMs(): number {
    try {
      const fields = readFileSync(`/proc/${this.process.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      // User and system time, in hundredths of a second (proc(5)).
      return (Number(fields[11]) + Number(fields[12])) * 10;
    } catch {
      return 0;
    }
  }
}

/** Runs one share of a decoder's inputs in a child; a stall or a crash is a failure with its input. */
export async function runShare(order: Omit<Order, 'placeFile'>, number: number): Promise<Report> {
  const child = new Child(number);
  try {
    const answer = await child.ask(order);
    if (answer.kind === 'report') return answer.report;
    if (answer.kind === 'told') throw new TypeError('An input was told, though none was asked for.');
    const { place } = child;
    const input = place === undefined ? '' : await inputOf({ ...order, tell: place }, number);
    const failure: Failure = {
      decoder: order.decoder,
      seed: order.seed,
      chunk: place?.chunk ?? 0,
      input,
      why: answer.why,
    };
    return {
      decoder: order.decoder,
      inputs: 0,
      taken: 0,
      seconds: 0,
      slowestMs: 0,
      largestBytes: 0,
      growthBytes: undefined,
      failures: [failure],
    };
  } finally {
    child.end();
  }
}

async function inputOf(order: Omit<Order, 'placeFile'>, number: number): Promise<string> {
  const child = new Child(number + 100);
  try {
    const answer = await child.ask(order);
    return answer.kind === 'told' ? answer.input : '';
  } finally {
    child.end();
  }
}
