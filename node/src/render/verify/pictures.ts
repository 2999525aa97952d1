import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { existsSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock, Logger, Random } from '../../system/interface.ts';
import { PreviewError, type PreviewRequest, type PreviewResult } from '../preview/interface.ts';
import { FrameError } from './errors.ts';
import type { FrameCheck, PictureOptions, PictureProcess, VerifiedFrame } from './interface.ts';
import { PICTURE_NICENESS, type PictureLimits, pictureLimits } from './limits.ts';
import type { PictureAnswer, PictureMessage, PictureOrder } from './messages.ts';

interface Components {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

interface Init {
  /** Name or path of ffmpeg; without it the formats that only ffmpeg decodes are checked by structure. */
  readonly ffmpeg?: string;
  readonly limits?: Partial<PictureLimits>;
}

interface Job {
  readonly id: number;
  readonly order: PictureOrder;
  readonly settle: (outcome: { value: VerifiedFrame | PreviewResult } | { error: unknown }) => void;
  /** How often a child died over it. */
  crashes: number;
}

/** Never rejects, and starts no process before the first request. */
export function createPictureProcess(components: Components, init: Init = {}): PictureProcess {
  return new ForkedPictures(components, init);
}

/** The child as it is now; a request is given only to one that said that it is ready. */
type Child =
  | { readonly state: 'none' }
  | { readonly state: 'starting' | 'idle'; readonly process: ChildProcess; readonly cancelTimer: () => void }
  | {
      readonly state: 'working';
      readonly process: ChildProcess;
      readonly cancelTimer: () => void;
      readonly job: Job;
    };

class ForkedPictures implements PictureProcess {
  readonly #components: Components;
  readonly #ffmpeg: string;
  readonly #limits: PictureLimits;
  readonly #queue: Job[] = [];
  #child: Child = { state: 'none' };
  #stopped = false;
  #nextId = 1;
  /** Children in a row that died before they were ready. */
  #failedStarts = 0;
  readonly #gone = new Set<Promise<unknown>>();

  constructor(components: Components, { ffmpeg = 'ffmpeg', limits = {} }: Init) {
    this.#components = components;
    this.#ffmpeg = ffmpeg;
    this.#limits = { ...pictureLimits, ...limits };
  }

  async start(): Promise<void> {
    this.#stopped = false;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const child = this.#child;
    this.#dropChild();
    const stopped = new FrameError('pictures-stopped', 'This node is stopping.');
    if (child.state === 'working') child.job.settle({ error: stopped });
    for (const job of this.#queue.splice(0)) job.settle({ error: stopped });
    await Promise.all(this.#gone);
  }

  pid(): number | undefined {
    return this.#child.state === 'none' ? undefined : this.#child.process.pid;
  }

  verify(check: FrameCheck, options: PictureOptions = {}): Promise<VerifiedFrame> {
    return this.#ask({ kind: 'verify', check }, options) as Promise<VerifiedFrame>;
  }

  async shrink(request: PreviewRequest, options: PictureOptions = {}): Promise<PreviewResult> {
    const name = `.${basename(request.destination)}.${this.#components.random.name()}.tmp`;
    const temporary = join(dirname(request.destination), name);
    return (await this.#ask({ kind: 'shrink', request, temporary }, options)) as PreviewResult;
  }

  #ask(order: PictureOrder, { signal }: PictureOptions): Promise<VerifiedFrame | PreviewResult> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#stopped) throw new FrameError('pictures-stopped', 'This node is stopping.');
      if (this.#queue.length >= this.#limits.waiting) {
        throw new FrameError('pictures-busy', `${this.#queue.length} pictures wait to be looked at already.`);
      }
      const job: Job = {
        id: this.#nextId++,
        order,
        crashes: 0,
        settle: (outcome) => {
          signal?.removeEventListener('abort', abort);
          if ('error' in outcome) reject(outcome.error);
          else resolve(outcome.value);
        },
      };
      // One that runs goes on and is ignored: it is short, and changes nothing but a file of its own name.
      const abort = () => {
        const index = this.#queue.indexOf(job);
        if (index >= 0) this.#queue.splice(index, 1);
        job.settle({ error: signal?.reason });
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#queue.push(job);
      this.#advance();
    });
  }

  /** Gives the next request to a child that is free, or starts one. */
  #advance(): void {
    const child = this.#child;
    if (child.state === 'starting' || child.state === 'working' || this.#stopped) return;
    const job = this.#queue[0];
    if (job === undefined) return;
    if (child.state === 'none') {
      this.#startChild();
      return;
    }
    this.#queue.shift();
    child.cancelTimer();
    const cancelTimer = this.#components.clock.after(this.#limits.requestMs, () => {
      this.#components.logger.warn(
        'looking at a picture takes too long; its process is ended',
        describe(job),
      );
      this.#lose(child.process, `it takes longer than ${Math.round(this.#limits.requestMs / 1000)} s`);
    });
    this.#child = { state: 'working', process: child.process, cancelTimer, job };
    hold(child.process);
    const message: PictureMessage = { id: job.id, order: job.order, ffmpeg: this.#ffmpeg };
    child.process.send(message, (error) => {
      // Its exit, which follows, is what counts.
      if (error) this.#components.logger.debug('the picture process did not take a request');
    });
  }

  #startChild(): void {
    // In the sources this is a .ts file, in the published package a .js file.
    const program = fileURLToPath(new URL(`./server${extname(import.meta.url)}`, import.meta.url));
    const process = fork(program, [], {
      env: childEnvironment(),
      execArgv: [],
      // Thumbnails come back as bytes.
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // A group of its own: it ends as a whole with the decoders that it runs, and Ctrl-C is the node's affair.
      detached: globalThis.process.platform !== 'win32',
    });
    lowerPriority(process);
    let lastWords = '';
    process.stderr?.on('data', (data: Buffer) => {
      lastWords = (lastWords + data.toString('utf8')).slice(-this.#limits.keptErrorBytes);
    });
    const cancelTimer = this.#components.clock.after(this.#limits.startMs, () => this.#lose(process, ''));
    this.#child = { state: 'starting', process, cancelTimer };
    process.on('message', (answer: PictureAnswer) => this.#hear(process, answer));
    process.once('error', (error) => {
      lastWords += String(error);
      this.#lose(process, '');
    });
    process.once('exit', () => {
      if (this.#child.state !== 'none' && this.#child.process === process && lastWords !== '') {
        this.#components.logger.warn('the picture process ended by itself', { lastWords });
      }
      this.#lose(process, 'its decoder crashed over it');
    });
  }

  #hear(process: ChildProcess, answer: PictureAnswer): void {
    const child = this.#child;
    if (child.state === 'none' || child.process !== process) return;
    if (answer.kind === 'ready') {
      this.#failedStarts = 0;
      this.#rest(process, child.cancelTimer);
      return;
    }
    if (child.state !== 'working' || child.job.id !== answer.id) return;
    this.#rest(process, child.cancelTimer);
    child.job.settle(answer.kind === 'done' ? { value: answer.value } : { error: revive(answer.error) });
  }

  #rest(process: ChildProcess, cancelTimer: () => void): void {
    cancelTimer();
    const cancel = this.#components.clock.after(this.#limits.idleMs, () => this.#dropChild());
    this.#child = { state: 'idle', process, cancelTimer: cancel };
    release(process);
    this.#advance();
  }

  /** The child is lost with what it was doing: that runs once more in a fresh child, and then is given up. */
  #lose(process: ChildProcess, why: string): void {
    const child = this.#child;
    if (child.state === 'none' || child.process !== process) return;
    this.#dropChild();
    if (child.state === 'working') {
      const { job } = child;
      if (job.order.kind === 'shrink') void rm(job.order.temporary, { force: true }).catch(() => undefined);
      job.crashes += 1;
      if (job.crashes < 2) this.#queue.unshift(job);
      else job.settle({ error: crashError(job, why) });
    } else if (child.state === 'starting' && ++this.#failedStarts >= 2) {
      this.#failedStarts = 0;
      const error = new FrameError(
        'pictures-stopped',
        'The process that looks at pictures can’t be started.',
      );
      this.#queue.shift()?.settle({ error });
    }
    this.#advance();
  }

  /** Kills the child with all that it runs; `stop` waits until it is gone. */
  #dropChild(): void {
    const child = this.#child;
    if (child.state === 'none') return;
    this.#child = { state: 'none' };
    child.cancelTimer();
    const { process } = child;
    if (process.pid === undefined || process.exitCode !== null || process.signalCode !== null) return;
    const bound = new AbortController();
    const cancel = this.#components.clock.after(this.#limits.killWaitMs, () => bound.abort());
    const gone = once(process, 'exit', { signal: bound.signal })
      .catch(() => this.#components.logger.warn('the picture process does not end', { pid: process.pid }))
      .finally(() => {
        cancel();
        this.#gone.delete(gone);
      });
    process.ref();
    this.#gone.add(gone);
    killGroup(process);
  }
}

/** At once, so that all its threads are begun with it. */
function lowerPriority({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, Math.max(getPriority(), PICTURE_NICENESS));
    // Its session is weighed as a whole where the kernel groups by sessions (process/modest.ts).
    if (existsSync(`/proc/${pid}/autogroup`))
      writeFileSync(`/proc/${pid}/autogroup`, String(PICTURE_NICENESS));
  } catch {
    // It has ended already, or this system forbids it: then it looks at pictures with the node's own priority.
  }
}

function killGroup(child: ChildProcess): void {
  try {
    if (process.platform === 'win32' || child.pid === undefined) child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Already gone, which is what was wanted.
  }
}

/** While it works the child keeps the node's process alive, at rest it does not. */
function hold(child: ChildProcess): void {
  child.ref();
  child.channel?.ref();
}

function release(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
  (child.stderr as { unref?: () => void } | null)?.unref?.();
}

/** Decoders need to find ffmpeg and a folder for temporary files, and nothing that the node knows. */
function childEnvironment(): Record<string, string> {
  const names = ['PATH', 'TMPDIR', 'TEMP', 'TMP', 'HOME', 'LANG', 'SystemRoot', 'LD_LIBRARY_PATH'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

function describe({ order }: Job): Record<string, unknown> {
  return order.kind === 'verify' ? { path: order.check.path } : { path: order.request.source };
}

function crashError({ order }: Job, why: string): Error {
  return order.kind === 'verify'
    ? new FrameError('frame-undecodable', `The picture can't be decoded: ${why}, twice.`)
    : new PreviewError('preview-unreadable', `${order.request.source} can't be made smaller: ${why}, twice.`);
}

function revive(error: Extract<PictureAnswer, { kind: 'failed' }>['error']): Error {
  return error.name === 'FrameError'
    ? new FrameError(error.code, error.message)
    : new PreviewError(error.code, error.message);
}
