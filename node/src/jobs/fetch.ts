import { join, resolve } from 'node:path';
import {
  CuadroError,
  isSafePath,
  type FetchedView,
  type JobId,
  type LiveEvent,
  type OutputFile,
  type PeerId,
  type TaskIndex,
} from '@cuadro/protocol';
import { standsAt } from '../blobs/collect.ts';
import { BlobNotFoundError, BlobUnreachableError, isNoRoom, StoreFullError } from '../blobs/errors.ts';
import { reasonOf } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { type JobsComponents, localJobKey, type LocalJob } from './interface.ts';
import { type CollectedTask, nameGiven } from './notes.ts';
import { OutputNames, sweepBelow, writeOutput } from './output-file.ts';

/** Tasks whose files are brought here together: few round trips, and little that waits to be written. */
const TASKS_AT_ONCE = 32;
/** A person who watches sees it move; more often would only be work for the page. */
const PROGRESS_EVERY_MS = 200;

/** What a person can do where not even one file finds room. */
const MAKE_ROOM =
  'Raise the quota or free some disk (`cuadro config` shows both), or fetch them on another machine.';

export type FetchProgress = Omit<Extract<LiveEvent, { kind: 'fetch' }>, 'kind' | 'fetch'>;

export interface FetchJobOptions {
  readonly overwrite: boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: FetchProgress) => void;
}

/** A file of the job, and the name that it has in the folder. */
interface Named {
  readonly index: TaskIndex;
  readonly file: OutputFile;
  readonly name: string;
}

/**
 * Writes all finished files of a job to any folder of this machine; what can't be had is named, and the rest written.
 * What stands there already is neither fetched nor written again, so one that was interrupted goes on where it was.
 */
export async function fetchJob(
  components: JobsComponents,
  job: JobId,
  folder: string,
  options: FetchJobOptions,
): Promise<FetchedView> {
  if (components.driver.queries.jobRecord(job) === undefined) throw new CuadroError('job-not-found', { job });
  await makeFolder(folder).catch((cause: unknown) => unwritable(folder, cause));
  await components.temporaries.sweep(folder);
  const named = namedFiles(components, job, await namesIn(components, job, folder));
  await sweepBelow(
    components,
    folder,
    named.map(({ file }) => file),
  );
  const fetching = new Fetching(components, job, { ...options, folder, named });
  return fetching.run();
}

/** The names that are taken in a folder, and the notes of tasks whose files have others than their own there. */
interface NamesThere {
  readonly names: OutputNames;
  readonly renamed: ReadonlyMap<TaskIndex, CollectedTask>;
}

/** What was collected into this very folder: there its files have the names that they were given as they came. */
async function namesIn({ store }: JobsComponents, job: JobId, folder: string): Promise<NamesThere> {
  const local = (await store.getLocal(localJobKey(job))) as LocalJob | undefined;
  const isThere = local !== undefined && local.folder !== '' && resolve(local.folder) === resolve(folder);
  const renamed = new Map<TaskIndex, CollectedTask>();
  if (!isThere) return { names: new OutputNames(), renamed };
  const names = await OutputNames.of(store, job, (index, note) => {
    if (note.renamed !== undefined) renamed.set(index, note);
  });
  return { names, renamed };
}

/** All finished files in the order of the tasks, by which each keeps its name however often they are fetched. */
function namedFiles({ driver }: JobsComponents, job: JobId, { names, renamed }: NamesThere): Named[] {
  const { queries } = driver;
  return queries.tasksWithResult(job).flatMap((index) => {
    const number = queries.plannedTask(job, index)?.number ?? index;
    const files = queries.resultAtHand(job, index)?.files ?? [];
    const given = renamed.get(index);
    return files.map((file) => ({
      ...{ index, file },
      name: nameGiven(given, file.name) ?? names.take(file.name, { index, number }),
    }));
  });
}

/** Somebody asked for its task to be rendered again since the fetch began. */
class Discarded extends Error {}

/**
 * A file that was looked at: it is in the store, it stands in the folder, its task was redone, so that another one is
 * brought once it is its turn, or it can't be had. Of a foreign one that stands in its place nothing is said.
 */
type Brought =
  | { readonly kind: 'here' | 'there' | 'redone' }
  | { readonly kind: 'failed'; readonly error: unknown };

class Fetching {
  readonly #components: JobsComponents;
  readonly #job: JobId;
  readonly #init: FetchJobOptions & { folder: string; named: readonly Named[] };
  readonly #fetched: FetchedView;
  readonly #away = new Set<PeerId>();
  /** Files for which there was no room beside the others. */
  readonly #roomless: Named[] = [];
  /** These come one after another now. */
  #isAlone = false;
  #done = 0;
  #doneBytes = 0;
  /** Of files that are on their way, by file. */
  readonly #arriving = new Map<Named, number>();
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    components: JobsComponents,
    job: JobId,
    init: FetchJobOptions & { folder: string; named: readonly Named[] },
  ) {
    this.#components = components;
    this.#job = job;
    this.#init = init;
    const { folder } = init;
    this.#fetched = { folder, written: 0, alreadyThere: 0, keptForeign: [], missing: [], away: [] };
  }

  async run(): Promise<FetchedView> {
    const { named } = this.#init;
    this.#tell();
    let coming = this.#bring(named.slice(0, TASKS_AT_ONCE));
    for (let start = 0; start < named.length; start += TASKS_AT_ONCE) {
      const here = await coming;
      // The next ones come while these are written.
      const next = named.slice(start + TASKS_AT_ONCE, start + 2 * TASKS_AT_ONCE);
      coming = this.#bring(next);
      coming.catch(() => undefined);
      for (const one of named.slice(start, start + TASKS_AT_ONCE)) {
        const brought = here.get(one);
        if (brought?.kind === 'failed' && isNoRoom(brought.error)) this.#roomless.push(one);
        else await this.#put(one, brought);
      }
    }
    // What was written may go from the store again: where there is room for one file, all of them come through it.
    this.#isAlone = true;
    for (const one of this.#roomless) await this.#put(one, (await this.#bring([one])).get(one));
    this.#tell(true);
    return { ...this.#fetched, away: this.#namesAway() };
  }

  /** Brings what is to be written, all at once; gives what stands there already, and why others could not be had. */
  async #bring(files: readonly Named[]): Promise<ReadonlyMap<Named, Brought>> {
    const brought = new Map<Named, Brought>();
    const { signal, folder, overwrite } = this.#init;
    const { blobs, content } = this.#components;
    await Promise.all(
      files.map(async (one) => {
        const { file, name, index } = one;
        if (this.#inUse(one) !== file) {
          brought.set(one, { kind: 'redone' });
          return;
        }
        try {
          if (!isSafePath(name)) throw new CuadroError('path-unsafe', { path: name });
          const standing = await standsAt({ blobs }, file.blob, join(folder, name), { signal });
          if (standing === 'same') brought.set(one, { kind: 'there' });
          if (standing === 'same' || (standing === 'other' && !overwrite)) return;
          const place = { job: this.#job, task: index };
          await content.ensureMany([{ hash: file.blob, sizeBytes: file.sizeBytes }], place, {
            signal,
            onProgress: ({ doneBytes }) => {
              this.#arriving.set(one, Math.min(doneBytes, file.sizeBytes));
              this.#tell();
            },
          });
          brought.set(one, { kind: 'here' });
        } catch (error) {
          brought.set(one, { kind: 'failed', error });
        }
      }),
    );
    signal.throwIfAborted();
    return brought;
  }

  /** The file to write under its name: another one after a redo, and none while it is rendered again. */
  #inUse({ index, file }: Named): OutputFile | undefined {
    const { queries } = this.#components.driver;
    const record = queries.jobRecord(this.#job);
    // Of a job that was deleted meanwhile what was found in the beginning is fetched as far as it can be had.
    if (record === undefined || record.deleted !== undefined) return file;
    const isSame = ({ name, blob }: OutputFile): boolean => name === file.name && blob === file.blob;
    const results = Object.values(queries.taskRecord(this.#job, index)?.results ?? {});
    if (results.some(({ files }) => files.some(isSame))) return file;
    return queries.resultAtHand(this.#job, index)?.files.find(({ name }) => name === file.name);
  }

  async #put(one: Named, brought: Brought | undefined): Promise<void> {
    const { signal, folder, overwrite } = this.#init;
    const { file, name } = one;
    const inUse = this.#inUse(one);
    if (inUse !== undefined && (inUse !== file || brought?.kind === 'redone')) {
      this.#arriving.delete(one);
      const redone = { ...one, file: inUse };
      return this.#put(redone, (await this.#bring([redone])).get(redone));
    }
    try {
      if (inUse === undefined) throw new Discarded(`${name} is being rendered again.`);
      if (brought?.kind === 'failed') throw brought.error;
      const outcome =
        brought?.kind === 'there'
          ? 'already-there'
          : await writeOutput(this.#components, { blob: file.blob, name }, folder, { overwrite, signal });
      if (outcome === 'kept-foreign') this.#fetched.keptForeign.push(name);
      else if (outcome === 'already-there') this.#fetched.alreadyThere++;
      else this.#fetched.written++;
    } catch (error) {
      signal.throwIfAborted();
      if (!isContentFault(error)) unwritable(folder, error);
      if (error instanceof BlobNotFoundError && brought?.kind === 'here' && !this.#isAlone) {
        // Evicted since for those that came after it.
        this.#roomless.push(one);
        return;
      }
      this.#fetched.missing.push(name);
      this.#fetched.problem ??= reasonOf(error) + (error instanceof StoreFullError ? ` ${MAKE_ROOM}` : '');
      if (error instanceof BlobUnreachableError) for (const peer of error.holders) this.#away.add(peer);
    }
    this.#arriving.delete(one);
    this.#done++;
    this.#doneBytes += file.sizeBytes;
    this.#tell();
  }

  #namesAway(): string[] {
    const nodes = this.#components.driver.queries.nodes();
    return [...this.#away].map((peer) => nodes.find((node) => node.peer === peer)?.name ?? peer).sort();
  }

  #tell(isLast = false): void {
    const { onProgress, named } = this.#init;
    const nowMs = this.#components.clock.now();
    if (onProgress === undefined || (!isLast && nowMs - this.#toldAtMs < PROGRESS_EVERY_MS)) return;
    this.#toldAtMs = nowMs;
    let doneBytes = this.#doneBytes;
    for (const bytes of this.#arriving.values()) doneBytes += bytes;
    const sizeBytes = named.reduce((sum, { file }) => sum + file.sizeBytes, 0);
    onProgress({ files: named.length, done: this.#done, sizeBytes, doneBytes });
  }
}

function unwritable(path: string, cause: unknown): never {
  throw new CuadroError('output-unwritable', { path, why: reasonOf(cause), option: '--to' }, { cause });
}

/** Whether one file is at fault (its content can't be had here whole, its name is unusable), and not the folder. */
function isContentFault(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return (
    code === 'blob-not-found' ||
    code === 'blob-unreachable' ||
    code === 'blob-corrupt' ||
    code === 'store-full' ||
    code === 'store-unwritable' ||
    code === 'path-unsafe' ||
    error instanceof Discarded
  );
}
