import {
  attemptKey,
  isWithinHours,
  type AttemptId,
  type Capabilities,
  type FilmWork,
  type Grant,
  type JobId,
  type JobRecord,
  type OutputFile,
  type PeerId,
  type PlannedTask,
  type TaskIndex,
} from '@cuadro/protocol';
import type { BlobStore } from '../../node/src/blobs/interface.ts';
import type { ContentSource } from '../../node/src/blobs/source.ts';
import type { AttemptOutcome, CoreQueries } from '../../node/src/core/interface.ts';
import type { DriverInput } from '../../node/src/driver.ts';
import type { Clock } from '../../node/src/system/interface.ts';
import { workerLimits } from '../../node/src/worker/limits.ts';
import type { Host } from './host.ts';
import type { Tally } from './tally.ts';

/** What rendering a task comes to. */
export type Fate =
  | { readonly kind: 'renders'; readonly ms: number; readonly files: number; readonly differs: boolean }
  | { readonly kind: 'fails'; readonly ms: number; readonly code: string }
  /** Takes its whole machine down. */
  | { readonly kind: 'kills'; readonly ms: number };

/** Decides how each attempt goes. */
export interface Engine {
  fate(machine: string, job: JobRecord, task: PlannedTask): Fate;
  /** The machine goes down by what it runs. */
  kill(machine: string): void;
  /** Whether what is made differs from machine to machine. */
  content(machine: string, grant: Grant, differs: boolean, file: number): string;
}

export interface WorkerComponents {
  readonly host: Host;
  readonly clock: Clock;
  readonly blobs: BlobStore;
  readonly content: ContentSource;
  readonly core: CoreQueries;
  readonly engine: Engine;
}

export interface WorkerInit {
  /** Counts what is told apart of a run. */
  readonly tally: Pick<Tally, 'outcome'>;
  readonly peer: PeerId;
  readonly machine: string;
  readonly slots: number;
  /** How it stands with leaving the farm; undefined where the machine stays. */
  readonly leaving: () => string | undefined;
  readonly input: (input: DriverInput) => void;
  readonly ended: (attempt: AttemptId, how: string) => void;
}

interface Run {
  readonly grant: Grant;
  readonly job: JobRecord;
  readonly task: PlannedTask;
  readonly abort: AbortController;
  isRunning: boolean;
}

export const CAPABILITIES: Capabilities = {
  engines: { node: '1', blender: '3.4.1', ffmpeg: '5.1', command: '1' },
  renderEngines: ['CYCLES'],
  denoisers: [],
  devices: ['CPU'],
  programs: [],
  scripts: false,
  tags: [],
  cores: 4,
  memoryBytes: 8e9,
};

const MINUTE_MS = 60_000;
const WEEK_MINUTES = 7 * 1_440;
/** The wall clock's zero was a Thursday; weeks begin on Monday. */
const THURSDAY_MINUTES = 3 * 1_440;

/** Minutes since Monday 00:00, wherever the run takes place. */
export const weekMinute = (wallTime: number): number =>
  (((Math.floor(wallTime / MINUTE_MS) + THURSDAY_MINUTES) % WEEK_MINUTES) + WEEK_MINUTES) % WEEK_MINUTES;

/** A machine looks at its disk this often. */
export const LOOK_MS = 5_000;
/** And takes no work for so long after a fault of its own. */
export const FAULT_MS = 30_000;
const PROGRESS_MS = 2_000;

/** Nobody is at fault; the attempt ends. */
class GivenBack extends Error {
  override readonly name = 'GivenBack';
}

/** Stands in for the worker and its engines: what it is granted takes time, fails, or gives files that are stored. */
export class SimWorker {
  readonly #components: WorkerComponents;
  readonly #init: WorkerInit;
  readonly #runs = new Map<string, Run>();
  #faultUntil = 0;
  #told = '';
  #slots: number;

  constructor(components: WorkerComponents, init: WorkerInit) {
    this.#components = components;
    this.#init = init;
    this.#slots = init.slots;
  }

  get running(): readonly Grant[] {
    return [...this.#runs.values()].map(({ grant }) => grant);
  }

  start(): void {
    void this.#look();
  }

  /** The process is gone. */
  forget(): void {
    this.#runs.clear();
  }

  run(grant: Grant, job: JobRecord, task: PlannedTask): void {
    const key = attemptKey(grant.attempt);
    if (this.#runs.has(key)) return;
    this.#runs.set(key, { grant, job, task, abort: new AbortController(), isRunning: false });
    this.#next();
  }

  stop(attempt: AttemptId, reason: string): void {
    const run = this.#runs.get(attemptKey(attempt));
    if (run === undefined) return;
    run.abort.abort(new Error(reason));
    if (!run.isRunning) this.#end(run, { kind: 'stopped', reason });
  }

  #next(): void {
    const runs = [...this.#runs.values()];
    let busy = runs.filter(({ isRunning }) => isRunning).length;
    for (const run of runs) {
      if (busy >= this.#slots) return;
      if (run.isRunning) continue;
      busy += 1;
      run.isRunning = true;
      void this.#perform(run);
    }
  }

  async #perform(run: Run): Promise<void> {
    const { signal } = run.abort;
    let outcome: AttemptOutcome;
    try {
      outcome = await this.#render(run);
    } catch (error) {
      outcome = signal.aborted
        ? { kind: 'stopped', reason: (signal.reason as Error).message }
        : this.#failed(error as Error & { code?: string });
    }
    this.#end(run, outcome);
  }

  #end(run: Run, outcome: AttemptOutcome): void {
    if (!this.#runs.delete(attemptKey(run.grant.attempt))) return;
    this.#init.ended(run.grant.attempt, outcome.kind);
    this.#init.input({ kind: 'ended', attempt: run.grant.attempt, outcome });
    this.#next();
  }

  async #render({ grant, job, task, abort }: Run): Promise<AttemptOutcome> {
    const { clock, engine, core, blobs, content } = this.#components;
    const { signal } = abort;
    const begunMs = clock.now();
    const inputRedo = task.work.kind === 'film' ? core.inputRedo(job.id, task.index) : undefined;
    if (job.spec.bundle !== undefined && task.work.kind === 'blender-frame')
      await content.ensureTree(
        job.spec.bundle,
        { job: job.id },
        { signal, onWaiting: () => undefined, waitMaxMs: workerLimits.sceneWaitMs },
      );
    if (task.work.kind === 'film') await this.#gather(job, task.work, signal);
    const fate = engine.fate(this.#init.machine, job, task);
    await this.#spend(grant.attempt, fate.ms, signal);
    if (fate.kind === 'kills') {
      engine.kill(this.#init.machine);
      throw new Error('The machine goes down.');
    }
    if (fate.kind === 'fails')
      return this.#failure(fate.code, 'It failed as it was to.', await this.#keepLog(grant));
    const contents = Array.from({ length: fate.files }, (_, file) =>
      new TextEncoder().encode(engine.content(this.#init.machine, grant, fate.differs, file)),
    );
    const stored =
      contents.length === 0
        ? []
        : await blobs.putMany(
            contents.map((bytes) => ({ bytes })),
            { pin: job.id, signal },
          );
    signal.throwIfAborted();
    const files = stored.map(
      ({ hash, sizeBytes }, file): OutputFile => ({
        name: `${task.name.replaceAll(' ', '_')}.${file}.png`,
        blob: hash,
        sizeBytes,
        role: 'image',
      }),
    );
    return {
      kind: 'result',
      files,
      renderMs: clock.now() - begunMs,
      ...(inputRedo !== undefined && { inputRedo }),
      wallTime: clock.wallTime(),
    };
  }

  /** Brings the frames of a film here, and nothing else of the job, as its runner does. */
  async #gather(job: JobRecord, { frames }: FilmWork, signal: AbortSignal): Promise<void> {
    const { core } = this.#components;
    for (let index = 0; ; index++) {
      const group = core.plannedTask(job.id, index)?.group;
      if (group === undefined || group > frames) return;
      if (group < frames) continue;
      await this.#bring(job.id, index, signal);
    }
  }

  /** While the holders of one result stay away, another may come in use. */
  async #bring(job: JobId, index: TaskIndex, signal: AbortSignal): Promise<void> {
    const { clock, core, content } = this.#components;
    const giveBackAt = clock.now() + workerLimits.framesWaitMs;
    for (;;) {
      const result = core.resultAtHand(job, index);
      try {
        for (const { blob } of result?.files ?? [])
          await content.ensure(
            blob,
            { job, task: index },
            { signal, onWaiting: () => undefined, waitMaxMs: workerLimits.resultWaitMs },
          );
        if (result !== undefined) return;
      } catch (error) {
        if ((error as { code?: string }).code !== 'blob-unreachable') throw error;
        if (clock.now() >= giveBackAt) throw new GivenBack('No machine that holds a frame can be reached.');
      }
      // The coordinator may know of it before its record has come here.
      if (result === undefined) await clock.sleep(workerLimits.recordLookMs, { signal });
    }
  }

  /** Time passes, and is told in between. */
  async #spend(attempt: AttemptId, ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#components;
    // A frame of many minutes is told of a hundred times, and no more.
    const stepMs = Math.max(PROGRESS_MS, ms / 100);
    for (let left = ms; left > 0; left -= stepMs) {
      if (left < ms) this.#init.input({ kind: 'progress', attempt, fraction: 1 - left / ms });
      await clock.sleep(Math.min(left, stepMs), { signal });
    }
    signal.throwIfAborted();
  }

  #failed(error: Error & { code?: string }): AttemptOutcome {
    const { message, code = 'internal' } = error;
    if (error instanceof GivenBack) return { kind: 'stopped', reason: message };
    if (code === 'blob-unreachable') return { kind: 'stopped', reason: message, lacks: 'scene' };
    if (code !== 'store-full') return this.#failure(code, message);
    // The machine's own fault: it says so before the attempt is told as ended.
    this.#faultUntil = this.#components.clock.now() + FAULT_MS;
    void this.#tell();
    return { kind: 'stopped', reason: message };
  }

  /** As the worker keeps it: where there is no room for it there is none. */
  async #keepLog({ attempt, job }: Grant): Promise<string | undefined> {
    const bytes = new TextEncoder().encode(`log of ${attemptKey(attempt)}`);
    const kept = this.#components.blobs.putBytes(bytes, { pin: job });
    return kept.then(({ hash }) => hash).catch(() => undefined);
  }

  #failure(code: string, message: string, log?: string): AttemptOutcome {
    const wallTime = this.#components.clock.wallTime();
    const failure = { kind: 'failure', cause: 'failed', code, message, wallTime } as const;
    return { ...failure, lines: [], ...(log !== undefined && { log }) };
  }

  async #look(): Promise<void> {
    await this.#tell();
    this.#components.clock.after(LOOK_MS, () => void this.#look());
  }

  async #tell(): Promise<void> {
    const usage = await this.#components.blobs.usage();
    const worker = this.#worker(usage.accepting);
    const told = JSON.stringify(worker);
    if (told === this.#told) return;
    this.#told = told;
    this.#init.input({ kind: 'load', load: 0, freeDiskBytes: usage.freeDiskBytes });
    this.#init.input({ kind: 'worker', ...worker });
  }

  /** What the machine claims: nothing while its disk is full, it is at fault, or these are not its hours (SPEC R108). */
  #worker(hasRoom: boolean): Omit<Extract<DriverInput, { kind: 'worker' }>, 'kind'> {
    const { clock, core } = this.#components;
    const wanted = core.nodeRecord(this.#init.peer)?.fields;
    const isAtWork = isWithinHours(wanted?.hours?.value, weekMinute(clock.wallTime()));
    const slots = Math.min(this.#init.slots, wanted?.slots?.value ?? this.#init.slots);
    const isWell = hasRoom && clock.now() >= this.#faultUntil;
    const leaving = this.#init.leaving();
    const accepting = leaving === undefined && isWell && isAtWork && slots > 0;
    this.#slots = slots;
    if (isWell && !isAtWork) this.#init.tally.outcome('outside its hours');
    if (leaving !== undefined)
      return { capabilities: CAPABILITIES, slots, bundles: [], accepting, idleReason: leaving };
    return {
      capabilities: CAPABILITIES,
      slots,
      bundles: [],
      accepting,
      ...(!accepting && {
        idleReason: isWell ? 'These are not its hours.' : 'Its disk is full.',
        idleKind: isWell ? ('hours' as const) : ('disk' as const),
      }),
    };
  }
}
