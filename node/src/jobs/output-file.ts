import { dirname, join } from 'node:path';
import {
  CuadroError,
  isSafePath,
  type JobId,
  type OutputFile,
  type TaskIndex,
  type TaskResult,
} from '@cuadro/protocol';
import { collectFile, type CollectOutcome } from '../blobs/collect.ts';
import type { FileCalls } from '../system/file-calls.ts';
import { makeFolder, makeFoldersBelow } from '../system/folders.ts';
import type { JobsComponents } from './interface.ts';
import { MarkedNumbers } from './marks.ts';
import { type CollectedTask, eachNote, entryOf } from './notes.ts';

/** Digits of the number that parts files of one name; as many as Blender's own frames have. */
const NUMBER_DIGITS = 4;
/** Longer names are taken by hardly any file system. */
const NAME_BYTES_MAX = 255;

/**
 * Which task of a job has which name in a folder. Programs may write one name for every frame: the first keeps it,
 * the others get their task's number before the ending, so that none is taken for a foreign file or lost. Names that
 * are one to some file systems, whose capitals or accents alone differ, count as one.
 */
export class OutputNames {
  /** By the plain form of the name: the task's index, and whether the name is not plain as it stands. */
  readonly #owners = new MarkedNumbers();
  /** The same task, by the names that are not. */
  readonly #exact = new MarkedNumbers();

  /** Those that files of a job have in its folder already, or were about to have when the node was killed. `look` sees each note. */
  static async of(
    store: Pick<JobsComponents['store'], 'eachLocalText'>,
    job: JobId,
    look: (index: TaskIndex, note: CollectedTask) => void = () => undefined,
  ): Promise<OutputNames> {
    const names = new OutputNames();
    const intentions: [name: string, index: TaskIndex][] = [];
    await eachNote(store, job, (index, note) => {
      const { files, renamed, intended = {} } = note;
      look(index, note);
      for (const own of Object.keys(files)) names.#claim(entryOf(renamed, own) ?? own, index);
      for (const own of Object.keys(intended)) intentions.push([entryOf(renamed, own) ?? own, index]);
    });
    for (const [name, index] of intentions) names.#claim(name, index);
    return names;
  }

  /** The name under which this task's file stands, taken for it. */
  take(name: string, task: { index: TaskIndex; number: number | undefined }): string {
    if (this.#isFree(name, task.index)) return this.#keep(name, task.index);
    if (task.number === undefined) throw new Error("the job's plan is not here yet");
    const numbered = withNumber(name, task.number);
    const free = [numbered, withNumber(numbered, task.index)].find((wanted) =>
      this.#isFree(wanted, task.index),
    );
    // Indices differ, so the second is free unless a program names its files like that to spite us.
    if (free === undefined) throw new Error(`other tasks have taken the name ${name}`);
    return this.#keep(free, task.index);
  }

  #isFree(name: string, index: TaskIndex): boolean {
    const plain = plainOf(name);
    const owner = this.#owners.get(plain);
    if (owner === undefined) return true;
    if (owner !== ownerOf(index, plain === name)) return false;
    return plain === name || this.#exact.get(name) === index;
  }

  #claim(name: string, index: TaskIndex): void {
    if (this.#owners.get(plainOf(name)) === undefined) this.#keep(name, index);
  }

  #keep(name: string, index: TaskIndex): string {
    const plain = plainOf(name);
    this.#owners.set(plain, ownerOf(index, plain === name));
    if (plain !== name) this.#exact.set(name, index);
    return name;
  }
}

const ownerOf = (index: TaskIndex, isPlain: boolean): number => 2 * index + (isPlain ? 0 : 1);

/** Names with one plain form may be one to a file system. */
const plainOf = (name: string): string => name.normalize('NFC').toLowerCase();

/** `out/log.txt` and 7 give `out/log_0007.txt`; of a name that would be too long the end before the number is left out. */
function withNumber(name: string, number: number): string {
  const digits = String(Math.abs(number)).padStart(NUMBER_DIGITS, '0');
  const base = name.slice(name.lastIndexOf('/') + 1);
  const dot = base.lastIndexOf('.');
  const ending = dot > 0 ? base.slice(dot) : '';
  const mark = `_${number < 0 ? '-' : ''}${digits}${ending}`;
  const stem = Array.from(base.slice(0, base.length - ending.length));
  while (stem.length > 1 && Buffer.byteLength(stem.join('') + mark) > NAME_BYTES_MAX) stem.pop();
  return `${name.slice(0, name.length - base.length)}${stem.join('')}${mark}`;
}

/** Brings what other machines hold of these tasks, all at once; gives why it could not, by task. */
export async function bringAll(
  { content }: Pick<JobsComponents, 'content'>,
  { job, due, signal }: { job: JobId; due: ReadonlyMap<TaskIndex, TaskResult>; signal: AbortSignal },
): Promise<ReadonlyMap<TaskIndex, unknown>> {
  const missing = new Map<TaskIndex, unknown>();
  await Promise.all(
    [...due].map(async ([task, { files }]) => {
      const wanted = files.map(({ blob, sizeBytes }) => ({ hash: blob, sizeBytes }));
      await content
        .ensureMany(wanted, { job, task }, { signal })
        .catch((error: unknown) => missing.set(task, error));
    }),
  );
  return missing;
}

/** Folders inside the output folder, which the sweep at start doesn't look into. */
export async function sweepBelow(
  { temporaries }: Pick<JobsComponents, 'temporaries'>,
  folder: string,
  files: readonly OutputFile[],
): Promise<void> {
  const below = new Set(files.map(({ name }) => dirname(name)));
  below.delete('.');
  for (const name of below) await temporaries.sweep(join(folder, name));
}

/** Writes one output file below a folder under a name, making the folders that it needs. */
export async function writeOutput(
  components: Pick<JobsComponents, 'blobs'> & { files?: FileCalls },
  file: { blob: string; name: string },
  folder: string,
  options: { overwrite: boolean; ours?: ReadonlySet<string>; signal: AbortSignal },
): Promise<CollectOutcome> {
  if (!isSafePath(file.name)) throw new CuadroError('path-unsafe', { path: file.name });
  await makeFolder(folder, {}, components.files);
  await makeFoldersBelow(folder, dirname(file.name), components.files);
  return collectFile(components, file.blob, join(folder, file.name), options);
}
