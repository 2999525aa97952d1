import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  attemptKey,
  type AttemptId,
  type BlobHash,
  type Grant,
  type JobRecord,
  type PlannedTask,
  type Work,
} from '@cuadro/protocol';
import type { BlobStore } from '../blobs/interface.ts';
import type { Clock, Logger, Startable } from '../system/interface.ts';
import {
  AttemptStopped,
  describeFailure,
  isMachineFault,
  lacksScene,
  type FailureDescription,
} from './failures.ts';
import {
  type AttemptEnd,
  PREPARED_AHEAD,
  type TaskContext,
  type TaskRunner,
  type WorkerReports,
} from './interface.ts';
import { workerLimits } from './limits.ts';

export interface WorkerComponents {
  clock: Clock;
  logger: Logger;
  blobs: BlobStore;
  reports: WorkerReports;
  /** This machine can't do its work now, and why: it must stop taking any before the attempt is told as ended. */
  onMachineFault(sentence: string): void;
  /** By `Work['kind']`. */
  runners: Readonly<Record<Work['kind'], TaskRunner>>;
}

export interface WorkerInit {
  /** Folders of running attempts; emptied at start. */
  workFolder: string;
  logFolder: string;
  /** Tasks that use their engine at the same time; fewer than before hold from the next task on. */
  slots: () => number;
}

interface Attempt {
  grant: Grant;
  job: JobRecord;
  task: PlannedTask;
  abort: AbortController;
  /** `preparing`: its runner was started and waits for its turn. */
  state: 'queued' | 'preparing' | 'running' | 'finishing';
  turn: PromiseWithResolvers<void>;
  /** By the clock's monotonic time. */
  lastProgressMs: number;
}

/** The part of the node that renders: runs granted attempts, at most `slots` at once, and reports how each ended. */
export interface Worker extends Startable {
  run(grant: Grant, job: JobRecord, task: PlannedTask): void;
  /** Ends an attempt without a failure; unknown ones are ignored. */
  stopAttempt(attempt: AttemptId, reason: string): void;
  /** Where the log of an attempt is or was written. */
  logFile(job: string, task: number, attempt: string): string;
}

const NO_SCENE = 'No machine that has the scene can be reached.';

export function createWorker(components: WorkerComponents, init: WorkerInit): Worker {
  return new SlotWorker(components, init);
}

class SlotWorker implements Worker {
  readonly #components: WorkerComponents;
  readonly #init: WorkerInit;
  readonly #attempts = new Map<string, Attempt>();
  readonly #queue: Attempt[] = [];
  /** Those that get ready, in the order of their turns; all before those of the queue. */
  readonly #preparing: Attempt[] = [];
  readonly #runs = new Set<Promise<void>>();
  #running = 0;
  #finishing = 0;
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(components: WorkerComponents, init: WorkerInit) {
    this.#components = components;
    this.#init = init;
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    // What a killed node left half-made belongs to no attempt any more.
    await rm(this.#init.workFolder, { recursive: true, force: true });
    await mkdir(this.#init.workFolder, { recursive: true });
    await mkdir(this.#init.logFolder, { recursive: true });
    this.#state = 'running';
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#queue.length = 0;
    for (const attempt of this.#attempts.values()) attempt.abort.abort(new AttemptStopped('The node stops.'));
    await Promise.all(this.#runs);
  }

  run(grant: Grant, job: JobRecord, task: PlannedTask): void {
    const key = attemptKey(grant.attempt);
    if (this.#state !== 'running' || this.#attempts.has(key)) return;
    const abort = new AbortController();
    const attempt: Attempt = {
      grant,
      job,
      task,
      abort,
      state: 'queued',
      turn: Promise.withResolvers(),
      lastProgressMs: Number.NEGATIVE_INFINITY,
    };
    attempt.turn.promise.catch(() => undefined);
    abort.signal.addEventListener('abort', () => attempt.turn.reject(abort.signal.reason), { once: true });
    this.#attempts.set(key, attempt);
    this.#queue.push(attempt);
    this.#startNext();
  }

  stopAttempt(id: AttemptId, reason: string): void {
    const attempt = this.#attempts.get(attemptKey(id));
    if (attempt === undefined) return;
    attempt.abort.abort(new AttemptStopped(reason));
    const place = this.#queue.indexOf(attempt);
    if (place < 0) return;
    this.#queue.splice(place, 1);
    this.#attempts.delete(attemptKey(id));
    this.#components.reports.ended(id, { kind: 'stopped', reason });
  }

  logFile(job: string, task: number, attempt: string): string {
    return join(this.#init.logFolder, job, `${task}.${attempt}.log`);
  }

  #startNext(): void {
    const slots = this.#init.slots();
    while (
      this.#state === 'running' &&
      this.#running < slots &&
      this.#finishing < slots * workerLimits.finishingPerSlot
    ) {
      const prepared = this.#preparing.shift();
      const attempt = prepared ?? this.#queue.shift();
      if (attempt === undefined) return;
      attempt.state = 'running';
      this.#running++;
      attempt.turn.resolve();
      if (prepared === undefined) this.#launch(attempt);
    }
    while (this.#state === 'running' && this.#preparing.length < slots) {
      const next = this.#queue[0];
      if (next === undefined || !PREPARED_AHEAD.has(next.task.work.kind)) return;
      this.#queue.shift();
      next.state = 'preparing';
      this.#preparing.push(next);
      this.#launch(next);
    }
  }

  #launch(attempt: Attempt): void {
    const run = this.#runAttempt(attempt).finally(() => {
      this.#runs.delete(run);
      this.#startNext();
    });
    this.#runs.add(run);
  }

  async #runAttempt(attempt: Attempt): Promise<void> {
    const key = attemptKey(attempt.grant.attempt);
    const folder = join(this.#init.workFolder, key);
    const logFile = this.logFile(attempt.job.id, attempt.task.index, key);
    let end: AttemptEnd;
    try {
      end = await this.#produce(attempt, folder, logFile);
    } catch (error) {
      end = await this.#failed(attempt, error, logFile);
    }
    this.#leave(attempt);
    this.#attempts.delete(key);
    // A stopping node reports nothing: its leases end, and what it ran goes to others without a failure.
    if (this.#state === 'running') this.#components.reports.ended(attempt.grant.attempt, end);
    if (!isSilent(attempt.task.work))
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }

  /** Gives up the place that an attempt has in the order of things. */
  #leave(attempt: Attempt): void {
    if (attempt.state === 'finishing') this.#finishing--;
    else if (attempt.state === 'running') this.#running--;
    else this.#preparing.splice(this.#preparing.indexOf(attempt), 1);
  }

  async #produce(attempt: Attempt, folder: string, logFile: string): Promise<AttemptEnd> {
    const { clock, runners } = this.#components;
    const { signal } = attempt.abort;
    signal.throwIfAborted();
    // Silent no-ops need no folders: making and deleting them would be most of such a task's cost.
    if (!isSilent(attempt.task.work)) {
      await mkdir(folder, { recursive: true });
      await mkdir(dirname(logFile), { recursive: true });
    }
    const output = await runners[attempt.task.work.kind](this.#context(attempt, folder, logFile));
    signal.throwIfAborted();
    return { kind: 'result', ...output, wallTime: clock.wallTime() };
  }

  #context(attempt: Attempt, folder: string, logFile: string): TaskContext {
    const { clock, reports } = this.#components;
    const { grant, job, task, abort } = attempt;
    return {
      grant,
      job,
      task,
      folder,
      logFile,
      signal: abort.signal,
      progress: (progress) => {
        const now = clock.now();
        if (now - attempt.lastProgressMs < workerLimits.progressEveryMs) return;
        attempt.lastProgressMs = now;
        const { fraction, remainingMs, text } = progress;
        reports.progress(grant.attempt, {
          fraction,
          ...(remainingMs !== undefined && { remainingMs }),
          ...(text !== undefined && { text: text.slice(0, 200) }),
        });
      },
      engineTurn: () => attempt.turn.promise,
      engineFree: () => {
        if (attempt.state !== 'running') return;
        attempt.state = 'finishing';
        this.#running--;
        this.#finishing++;
        this.#startNext();
      },
    };
  }

  async #failed(attempt: Attempt, error: unknown, logFile: string): Promise<AttemptEnd> {
    const { signal } = attempt.abort;
    if (signal.aborted && signal.reason instanceof AttemptStopped) {
      return { kind: 'stopped', reason: signal.reason.message };
    }
    if (error instanceof AttemptStopped) return { kind: 'stopped', reason: error.message };
    const failure = describeFailure(error);
    if (lacksScene(failure.code)) return { kind: 'stopped', reason: NO_SCENE, lacks: 'scene' };
    const { clock, logger } = this.#components;
    const fault = await this.#machineFault(failure);
    if (fault !== undefined) {
      logger.warn('An attempt ended by a fault of this machine.', { job: attempt.job.id, ...failure });
      this.#components.onMachineFault(fault);
      return { kind: 'stopped', reason: fault };
    }
    logger.warn('An attempt failed.', { job: attempt.job.id, task: attempt.task.name, ...failure });
    const log = await this.#keepLog(attempt, logFile);
    return {
      kind: 'failure',
      cause: 'failed',
      ...failure,
      ...(log !== undefined && { log }),
      wallTime: clock.wallTime(),
    };
  }

  /** Why this machine, and not the task, is at fault; an engine on a full disk may say so in any words. */
  async #machineFault({ code, message }: FailureDescription): Promise<string | undefined> {
    if (isMachineFault(code)) return message;
    const usage = await this.#components.blobs.usage().catch(() => undefined);
    return usage?.accepting === false ? (usage.reason ?? message) : undefined;
  }

  /** A failed attempt's whole log is kept as a blob, so that every machine can show it. */
  async #keepLog(attempt: Attempt, logFile: string): Promise<BlobHash | undefined> {
    try {
      const { size } = await stat(logFile);
      if (size > workerLimits.logBytesMax) return undefined;
      return (await this.#components.blobs.putFile(logFile, { mode: 'copy', pin: attempt.job.id })).hash;
    } catch {
      return undefined;
    }
  }
}

function isSilent(work: Work): boolean {
  return work.kind === 'echo-sleep' && work.message === '';
}
