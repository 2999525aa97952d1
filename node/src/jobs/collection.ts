import { CuadroError, attemptKey, type JobId, type TaskIndex, type TaskResult } from '@cuadro/protocol';
import type { Startable } from '../system/interface.ts';
import { reasonOf } from '../system/files.ts';
import { nextTurn } from '../system/turn.ts';
import type { Collected, CollectionState } from './collected.ts';
import { type JobsComponents, localJobKey, type LocalJob } from './interface.ts';
import {
  type CollectedTask,
  CollectionNotes,
  intentsOf,
  keptBlob,
  type NameOf,
  nameGiven,
  noteKey,
  NOTES,
  oursOf,
} from './notes.ts';
import { recallFolders, takeBackUnfinished } from './orphans.ts';
import { bringAll, OutputNames, sweepBelow, writeOutput } from './output-file.ts';
import { assertAttached } from './output-folder.ts';

/**
 * Tasks whose files are fetched together, and collected between two writes of what was collected: few round trips and
 * fsyncs, little to look at again after a crash.
 */
const TASKS_PER_NOTE = 32;
/** Tasks looked at in one turn of the event loop, where nothing of them is to be collected. */
const TASKS_PER_TURN = 32 * TASKS_PER_NOTE;
/** What could not be collected is tried again after this long, in milliseconds. */
const RETRY_MS = 10_000;
/** So many tasks in a row that can't be collected mean that the folder is at fault: the rest waits for the next try. */
const FAILURES_IN_A_ROW = 32;

interface JobCollection {
  local: LocalJob;
  notes: CollectionNotes;
  /** Made when the first file of this run is to be named. */
  names?: OutputNames;
  problem?: string;
  /** Tasks that could not be collected, and why. */
  failed: Map<TaskIndex, string>;
  cancelRetry?: () => void;
}

/**
 * Puts finished files into the output folders of the jobs that this machine submitted, as they finish, and
 * remembers what it wrote: a redo replaces a file that is unchanged since, nothing else does (DESIGN.md section 1).
 * A task that can't be collected keeps no other back; it is told, and tried again.
 */
export interface Collection extends Startable {
  /** These tasks of a job may have new results; without indices, any may. */
  changed(job: JobId, indices?: readonly TaskIndex[]): void;
  /** The job is deleted: what was noted of it goes. */
  removed(job: JobId): void;
  /** A machine came back: what was missing may be had now. */
  peerBack(): void;
  state(job: JobId): CollectionState | undefined;
  /** What was collected of a job that was submitted here. */
  collected(job: JobId): Promise<Collected | undefined>;
  /** Resolves once everything that is there now has been collected, or can't be. */
  settled(): Promise<void>;
}

export interface CollectionInit {
  readonly onCollected: (job: JobId) => void;
  /** Every stored record could be read, and none is missing; false: a job may be unknown for that alone. */
  readonly isComplete?: boolean;
}

export function createCollection(components: JobsComponents, init: CollectionInit): Collection {
  return new FolderCollection(components, init);
}

class FolderCollection implements Collection {
  readonly #components: JobsComponents;
  readonly #onCollected: (job: JobId) => void;
  readonly #isComplete: boolean;
  readonly #jobs = new Map<JobId, JobCollection>();
  readonly #waiting = new Map<JobId, Set<TaskIndex> | 'all'>();
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  /** The notes are known. Until then changes wait: a job looked at without them would be collected again. */
  #started = false;
  #starting: Promise<void> | undefined;
  #recalling: Promise<void> | undefined;

  constructor(components: JobsComponents, { onCollected, isComplete = true }: CollectionInit) {
    this.#components = components;
    this.#onCollected = onCollected;
    this.#isComplete = isComplete;
  }

  async start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    await takeBackUnfinished(this.#components, { isComplete: this.#isComplete });
    for (const [key, value] of await this.#components.store.listLocal('job/')) {
      const job = key.slice('job/'.length);
      if (this.#isDeleted(job)) await this.#forget([key]);
      else this.#jobs.set(job, this.#emptyCollection(job, value as LocalJob));
    }
    for (const [id, local] of await recallFolders(this.#components, (job) => this.#jobs.has(job)))
      this.#jobs.set(id, this.#emptyCollection(id, local));
    // There is a note of every frame: the node answers meanwhile.
    this.#recalling = this.#recall();
  }

  async #recall(): Promise<void> {
    const { clock, driver, logger } = this.#components;
    const { signal } = this.#stop;
    while (!this.#started && !signal.aborted) {
      try {
        await this.#recallNotes(signal);
        this.#started = true;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn("What was collected can't be read; it is tried again.", { error: String(error) });
        await clock.sleep(RETRY_MS, { signal }).catch(() => undefined);
      }
    }
    for (const id of this.#jobs.keys()) {
      if (driver.queries.jobRecord(id) === undefined) continue;
      this.changed(id);
      this.#onCollected(id);
    }
    // Of jobs that came meanwhile.
    if (this.#waiting.size > 0) this.#collect();
  }

  async #recallNotes(signal: AbortSignal): Promise<void> {
    const { store, temporaries } = this.#components;
    const useless: string[] = [];
    await store.eachLocalText(NOTES, (key, text) => {
      // Ends the reading.
      signal.throwIfAborted();
      const [, job, task] = key.split('/') as [string, string, string];
      const known = this.#jobs.get(job);
      if (known !== undefined) known.notes.add(Number(task), text);
      else if (this.#isDeleted(job)) useless.push(key);
    });
    await this.#forget(useless);
    for (const { local } of this.#jobs.values()) await temporaries.sweep(local.folder);
    signal.throwIfAborted();
  }

  #isDeleted(job: JobId): boolean {
    return this.#components.driver.queries.jobRecord(job)?.deleted !== undefined;
  }

  async stop(): Promise<void> {
    this.#stop.abort(new CuadroError('node-stopping'));
    for (const job of this.#jobs.values()) job.cancelRetry?.();
    await this.#recalling;
    await this.#loop;
  }

  changed(job: JobId, indices?: readonly TaskIndex[]): void {
    if (this.#stop.signal.aborted) return;
    const waiting = this.#waiting.get(job);
    if (indices === undefined || !this.#started) this.#waiting.set(job, 'all');
    else if (waiting !== 'all') {
      // Progress of running tasks comes many times a second, and is nothing to collect.
      const news = indices.filter((index) => this.#resultOf(job, index) !== undefined);
      if (news.length === 0) return;
      if (waiting === undefined) this.#waiting.set(job, new Set(news));
      else for (const index of news) waiting.add(index);
    }
    if (this.#started) this.#collect();
  }

  #collect(): void {
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
      // It changed after the last look: nobody else would come for it.
      if (this.#waiting.size > 0 && !this.#stop.signal.aborted) this.#collect();
    });
  }

  removed(job: JobId): void {
    const known = this.#jobs.get(job);
    if (known === undefined) return;
    known.cancelRetry?.();
    this.#jobs.delete(job);
    const notes = [...known.notes.indices()].map((index) => noteKey(job, index));
    // Where this is lost, the next start removes them.
    this.#forget([localJobKey(job), ...notes]).catch(() => undefined);
  }

  peerBack(): void {
    for (const [id, { failed }] of this.#jobs) if (failed.size > 0) this.changed(id);
  }

  async #forget(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#components.store.setLocal(Object.fromEntries(keys.map((key) => [key, undefined])));
  }

  state(job: JobId): CollectionState | undefined {
    const known = this.#jobs.get(job);
    // A part of the notes would say that less was collected than was.
    if (known === undefined || !this.#started) return undefined;
    const { notes, problem, local } = known;
    const { collected, keptForeign } = notes;
    return {
      collected,
      keptForeign,
      ...(problem !== undefined && { problem }),
      ...(local.scene !== undefined && { scene: local.scene }),
    };
  }

  async collected(job: JobId): Promise<Collected | undefined> {
    await this.#recalling;
    const known = await this.#jobOf(job);
    return known && { folder: known.local.folder, notes: known.notes };
  }

  async settled(): Promise<void> {
    await this.#recalling;
    while (this.#loop !== undefined) await this.#loop;
  }

  /** The result to collect of a task: undefined where it has none, or it is collected. */
  #resultOf(job: JobId, index: TaskIndex): TaskResult | undefined {
    const { queries } = this.#components.driver;
    const notes = this.#jobs.get(job)?.notes;
    // Any result of its redo level will do: only a redo replaces what was collected.
    const results = Object.values(queries.taskRecord(job, index)?.results ?? {});
    if (notes !== undefined && results.some((result) => notes.isCollected(index, result))) return undefined;
    const result = queries.resultAtHand(job, index);
    return result === undefined || result.files.length === 0 ? undefined : result;
  }

  async #run(): Promise<void> {
    // Changes that arrive in the same moment are looked at together.
    await Promise.resolve();
    for (const [job, indices] of this.#waiting) {
      this.#waiting.delete(job);
      if (this.#stop.signal.aborted) return;
      await this.#collectJob(job, indices).catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#components.logger.warn("What was collected can't be noted.", { job, error: String(error) });
      });
    }
  }

  async #collectJob(id: JobId, wanted: Set<TaskIndex> | 'all'): Promise<void> {
    const { queries } = this.#components.driver;
    const record = queries.jobRecord(id);
    if (record === undefined || record.deleted !== undefined) return;
    const job = await this.#jobOf(id);
    if (job === undefined || job.local.folder === '') return;
    const indices = wanted === 'all' ? queries.tasksWithResult(id) : [...wanted].sort((a, b) => a - b);
    if (wanted === 'all') job.failed.clear();
    let inARow = 0;
    for (let start = 0; start < indices.length; start += TASKS_PER_NOTE) {
      if (start % TASKS_PER_TURN === 0) await nextTurn();
      this.#stop.signal.throwIfAborted();
      const some = indices.slice(start, start + TASKS_PER_NOTE);
      try {
        inARow = await this.#collectSome(id, job, some, inARow);
        if (inARow < FAILURES_IN_A_ROW) continue;
      } catch (error) {
        this.#stop.signal.throwIfAborted();
        // The store takes no notes, and nothing is written without: not of the others either.
        for (const index of some)
          if (this.#resultOf(id, index) !== undefined) job.failed.set(index, reasonOf(error));
      }
      this.#tellProblem(id, job, 'all');
      return;
    }
    this.#tellProblem(id, job, job.failed.size === 0 ? undefined : [...job.failed.keys()]);
  }

  /** Collects these tasks as far as they can be; returns how many of the last of them failed one after another. */
  async #collectSome(
    id: JobId,
    job: JobCollection,
    indices: readonly TaskIndex[],
    failedBefore: number,
  ): Promise<number> {
    const due = new Map<TaskIndex, TaskResult>();
    for (const index of indices) {
      job.failed.delete(index);
      const result = this.#resultOf(id, index);
      if (result !== undefined) due.set(index, result);
    }
    if (due.size === 0) return failedBefore;
    const names = (job.names ??= await OutputNames.of(this.#components.store, id));
    const nameOf: NameOf = (index, own, before) => {
      const number = this.#components.driver.queries.plannedTask(id, index)?.number;
      return nameGiven(before, own) ?? names.take(own, { index, number });
    };
    const missing = await bringAll(this.#components, { job: id, due, signal: this.#stop.signal });
    // What is about to be written is noted first: after a kill it is still known as ours.
    await this.#note(id, job, await intentsOf(job.notes, due, nameOf));
    const notes = new Map<TaskIndex, CollectedTask>();
    let failed = failedBefore;
    try {
      for (const [index, result] of due) {
        try {
          if (missing.has(index)) throw missing.get(index);
          notes.set(index, await this.#collectTask(job, index, result, nameOf));
          failed = 0;
        } catch (error) {
          this.#stop.signal.throwIfAborted();
          job.failed.set(index, reasonOf(error));
          failed++;
        }
      }
    } finally {
      await this.#note(id, job, notes);
      if (notes.size > 0) this.#onCollected(id);
    }
    return failed;
  }

  /** Known here no earlier than on the disk: what could not be noted is looked at again. */
  async #note(id: JobId, job: JobCollection, notes: ReadonlyMap<TaskIndex, CollectedTask>): Promise<void> {
    if (notes.size === 0) return;
    const entries = Array.from(notes, ([index, note]) => [noteKey(id, index), note] as const);
    await this.#components.store.setLocal(Object.fromEntries(entries));
    for (const [index, note] of notes) job.notes.set(index, note);
  }

  async #jobOf(id: JobId): Promise<JobCollection | undefined> {
    let job = this.#jobs.get(id);
    if (job === undefined) {
      const local = (await this.#components.store.getLocal(localJobKey(id))) as LocalJob | undefined;
      if (local === undefined) return undefined;
      job = this.#emptyCollection(id, local);
      this.#jobs.set(id, job);
    }
    return job;
  }

  async #collectTask(
    job: JobCollection,
    index: TaskIndex,
    { files, attempt }: TaskResult,
    nameOf: NameOf,
  ): Promise<CollectedTask> {
    const before = await job.notes.get(index);
    await assertAttached(job.local);
    await sweepBelow(this.#components, job.local.folder, files);
    const looked: [name: string, blob: string][] = [];
    const collected: CollectedTask = { attempt: attemptKey(attempt), files: {}, kept: [] };
    for (const { name: own, blob } of files) {
      const name = nameOf(index, own, before);
      const outcome = await writeOutput(this.#components, { blob, name }, job.local.folder, {
        overwrite: job.local.overwrite,
        ours: oursOf(before, own),
        signal: this.#stop.signal,
      });
      if (outcome === 'kept-foreign') collected.kept.push(name);
      // What is kept counts as looked at, but never as ours.
      looked.push([own, outcome === 'kept-foreign' ? keptBlob(blob) : blob]);
      if (name !== own) collected.renamed = { ...collected.renamed, [own]: name };
    }
    collected.files = Object.fromEntries(looked);
    return collected;
  }

  /** Says what can't be collected, and tries these tasks again later. */
  #tellProblem(id: JobId, job: JobCollection, again: 'all' | TaskIndex[] | undefined): void {
    job.cancelRetry?.();
    const before = job.problem;
    if (again === undefined) {
      delete job.problem;
      delete job.cancelRetry;
    } else {
      const [[index, why] = [0, '']] = job.failed;
      const name = this.#components.driver.queries.plannedTask(id, index)?.name ?? `task #${index}`;
      const more = job.failed.size > 1 ? ` and ${job.failed.size - 1} more` : '';
      job.problem = `The files of ${name}${more} can't be collected: ${why.replace(/\.$/, '')}.`;
      job.cancelRetry = this.#components.clock.after(RETRY_MS, () => {
        this.changed(id, again === 'all' ? undefined : again);
      });
    }
    if (job.problem === before) return;
    if (job.problem !== undefined) this.#components.logger.warn(job.problem, { job: id });
    this.#onCollected(id);
  }

  #emptyCollection(id: JobId, local: LocalJob): JobCollection {
    const { store } = this.#components;
    const notes = new CollectionNotes({ stored: (index) => store.getLocal(noteKey(id, index)) });
    return { local, notes, failed: new Map() };
  }
}
