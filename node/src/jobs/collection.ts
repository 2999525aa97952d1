import { dirname, join } from 'node:path';
import {
  CuadroError,
  attemptKey,
  countingResult,
  isSafePath,
  type FetchedView,
  type JobId,
  type OutputFile,
  type TaskResult,
  type TaskIndex,
} from '@cuadro/protocol';
import { collectFile, type CollectOutcome } from '../blobs/collect.ts';
import type { Startable } from '../system/interface.ts';
import { reasonOf } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { type JobsComponents, localJobKey, type LocalJob } from './interface.ts';
import { type CollectedTask, CollectionNotes, keptBlob } from './notes.ts';
import { takeBackUnfinished } from './orphans.ts';

/** Tasks collected between two writes of what was collected: few fsyncs, little to look at again after a crash. */
const TASKS_PER_NOTE = 32;
/** A folder that could not be written is tried again after this long, in milliseconds. */
const RETRY_MS = 10_000;

export interface CollectionState {
  /** Files written. */
  collected: number;
  /** Files of others that were kept instead. */
  keptForeign: number;
  /** Why the folder can't be written at the moment. */
  problem?: string;
}

interface JobCollection {
  local: LocalJob;
  notes: CollectionNotes;
  problem?: string;
}

const noteKey = (job: JobId, task: TaskIndex): string => `collected/${job}/${task}`;

/**
 * Puts finished files into the output folders of the jobs that this machine submitted, as they finish, and
 * remembers what it wrote: a redo replaces a file that is unchanged since, nothing else does (DESIGN.md section 1).
 */
export interface Collection extends Startable {
  /** Tasks of a job may have new results. */
  changed(job: JobId): void;
  state(job: JobId): CollectionState | undefined;
  /** Resolves once everything that is there now has been collected, or can't be. */
  settled(): Promise<void>;
}

export function createCollection(
  components: JobsComponents,
  init: { onCollected: (job: JobId) => void },
): Collection {
  return new FolderCollection(components, init);
}

class FolderCollection implements Collection {
  readonly #components: JobsComponents;
  readonly #onCollected: (job: JobId) => void;
  readonly #jobs = new Map<JobId, JobCollection>();
  readonly #waiting = new Set<JobId>();
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  #retries = new Map<JobId, () => void>();
  #started = false;
  #starting: Promise<void> | undefined;

  constructor(components: JobsComponents, init: { onCollected: (job: JobId) => void }) {
    this.#components = components;
    this.#onCollected = init.onCollected;
  }

  async start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    const { store, driver, temporaries } = this.#components;
    await takeBackUnfinished(this.#components);
    for (const [key, value] of await store.listLocal('job/')) {
      this.#jobs.set(key.slice('job/'.length), emptyCollection(value as LocalJob));
    }
    for (const [key, text] of await store.listLocalText('collected/')) {
      const [, job, task] = key.split('/') as [string, string, string];
      this.#jobs.get(job)?.notes.add(Number(task), text);
    }
    for (const { local } of this.#jobs.values()) await temporaries.sweep(local.folder);
    // Only now: a job looked at without its notes would be collected all over again.
    this.#started = true;
    for (const id of this.#jobs.keys()) {
      if (driver.queries.jobRecord(id) !== undefined) this.changed(id);
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort(new CuadroError('node-stopping'));
    for (const cancel of this.#retries.values()) cancel();
    this.#retries.clear();
    await this.#loop;
  }

  changed(job: JobId): void {
    if (!this.#started || this.#stop.signal.aborted) return;
    this.#waiting.add(job);
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
    });
  }

  state(job: JobId): CollectionState | undefined {
    const known = this.#jobs.get(job);
    if (known === undefined) return undefined;
    const { notes, problem } = known;
    const { collected, keptForeign } = notes;
    return { collected, keptForeign, ...(problem !== undefined && { problem }) };
  }

  async settled(): Promise<void> {
    while (this.#loop !== undefined) await this.#loop;
  }

  async #run(): Promise<void> {
    // Changes that arrive in the same moment are looked at together.
    await Promise.resolve();
    for (const job of this.#waiting) {
      this.#waiting.delete(job);
      if (this.#stop.signal.aborted) return;
      await this.#collectJob(job).catch((error: unknown) => this.#failed(job, error));
    }
  }

  #failed(job: JobId, error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const state = this.#jobs.get(job);
    if (state) state.problem = reasonOf(error);
    this.#components.logger.warn("Frames can't be collected; it is tried again.", {
      job,
      error: String(error),
    });
    this.#retries.get(job)?.();
    this.#retries.set(
      job,
      this.#components.clock.after(RETRY_MS, () => this.changed(job)),
    );
    this.#onCollected(job);
  }

  async #collectJob(id: JobId): Promise<void> {
    const { queries } = this.#components.driver;
    const record = queries.jobRecord(id);
    if (record === undefined || record.deleted !== undefined) return;
    const job = await this.#jobOf(id);
    if (job === undefined) return;
    let notes: Record<string, CollectedTask> = {};
    for (const index of queries.tasksWithResult(id)) {
      const task = queries.taskRecord(id, index);
      const result = task && countingResult(task);
      if (result === undefined || result.files.length === 0) continue;
      if (job.notes.isCollected(index, result)) continue;
      const collected = await this.#collectTask(job, index, result);
      notes[noteKey(id, index)] = collected;
      if (Object.keys(notes).length < TASKS_PER_NOTE) continue;
      await this.#note(id, notes);
      notes = {};
    }
    if (Object.keys(notes).length > 0) await this.#note(id, notes);
    delete job.problem;
  }

  async #jobOf(id: JobId): Promise<JobCollection | undefined> {
    let job = this.#jobs.get(id);
    if (job === undefined) {
      const local = (await this.#components.store.getLocal(localJobKey(id))) as LocalJob | undefined;
      if (local === undefined) return undefined;
      job = emptyCollection(local);
      this.#jobs.set(id, job);
    }
    return job;
  }

  async #collectTask(
    job: JobCollection,
    index: TaskIndex,
    { files, attempt }: TaskResult,
  ): Promise<CollectedTask> {
    const before = job.notes.get(index);
    await sweepBelow(this.#components, job.local.folder, files);
    const collected: CollectedTask = { attempt: attemptKey(attempt), files: {}, kept: [] };
    for (const file of files) {
      const outcome = await writeOutput(this.#components, file, job.local.folder, {
        overwrite: job.local.overwrite,
        previousHash: before?.files[file.name],
        signal: this.#stop.signal,
      });
      if (outcome === 'kept-foreign') collected.kept.push(file.name);
      collected.files[file.name] = outcome === 'kept-foreign' ? keptBlob(file.blob) : file.blob;
    }
    job.notes.set(index, collected);
    return collected;
  }

  async #note(id: JobId, notes: Record<string, CollectedTask>): Promise<void> {
    await this.#components.store.setLocal(notes);
    this.#onCollected(id);
  }
}

function emptyCollection(local: LocalJob): JobCollection {
  return { local, notes: new CollectionNotes() };
}

/** Folders inside the output folder, which the sweep at start doesn't look into. */
async function sweepBelow(
  { temporaries }: Pick<JobsComponents, 'temporaries'>,
  folder: string,
  files: readonly OutputFile[],
): Promise<void> {
  const below = new Set(files.map(({ name }) => dirname(name)));
  below.delete('.');
  for (const name of below) await temporaries.sweep(join(folder, name));
}

/** Writes one output file below a folder, making the folders that its name needs. */
async function writeOutput(
  components: Pick<JobsComponents, 'blobs'>,
  file: OutputFile,
  folder: string,
  options: { overwrite: boolean; previousHash: string | undefined; signal: AbortSignal },
): Promise<CollectOutcome> {
  if (!isSafePath(file.name)) throw new CuadroError('path-unsafe', { path: file.name });
  const destination = join(folder, file.name);
  await makeFolder(dirname(destination));
  const { previousHash, ...rest } = options;
  return collectFile(components, file.blob, destination, {
    ...rest,
    ...(previousHash !== undefined && { previousHash }),
  });
}

/** Writes all finished files of a job to any folder of this machine. */
export async function fetchJob(
  components: JobsComponents,
  job: JobId,
  folder: string,
  options: { overwrite: boolean; signal: AbortSignal },
): Promise<FetchedView> {
  const { queries } = components.driver;
  if (queries.jobRecord(job) === undefined) throw new CuadroError('job-not-found', { job });
  const fetched: FetchedView = { folder, written: 0, alreadyThere: 0, keptForeign: [], missing: [] };
  await makeFolder(folder).catch((cause: unknown) => {
    throw new CuadroError('output-unwritable', { path: folder, why: reasonOf(cause) }, { cause });
  });
  await components.temporaries.sweep(folder);
  for (const index of queries.tasksWithResult(job)) {
    const task = queries.taskRecord(job, index);
    for (const file of (task && countingResult(task)?.files) ?? []) {
      if ((await components.blobs.has(file.blob)) === undefined) {
        fetched.missing.push(file.name);
        continue;
      }
      const outcome = await writeOutput(components, file, folder, { ...options, previousHash: undefined });
      if (outcome === 'kept-foreign') fetched.keptForeign.push(file.name);
      else if (outcome === 'already-there') fetched.alreadyThere++;
      else fetched.written++;
    }
  }
  return fetched;
}
