import { attemptKey, type JobId, type TaskIndex, type TaskResult } from '@cuadro/protocol';
import type { RecordStore } from '../store/interface.ts';
import { MARK_WORDS as WORDS, putMark } from './marks.ts';

/** What was collected of one task: file name → blob that was written. */
export interface CollectedTask {
  /** The result that was looked at: a redo that gives the same content is still looked at anew. */
  attempt?: string;
  files: Record<string, string>;
  kept: string[];
  /** Names that another task's file had taken already → the name that was given instead. */
  renamed?: Record<string, string>;
  /** What was about to be written, by file name: a file that has such content after a kill is ours. */
  intended?: Record<string, string[]>;
}

/** Keys of the notes in the store's local space begin so; a job's id and a task's index follow. */
export const NOTES = 'collected/';
export const noteKey = (job: JobId, task: TaskIndex): string => `${NOTES}${job}/${task}`;

/** The text of a note about one file that was written, as most are, and of which the mark is held alone. */
const PLAIN =
  /^\{"attempt":"\d+\.\d+\.\w+","files":\{"[ !#-[\]-~\u00a0-\u00ff]{1,255}":"[0-9a-f]{64}"\},"kept":\[\]\}$/;
const plainText = (attempt: string, name: string, blob: string): string =>
  `{"attempt":"${attempt}","files":{${JSON.stringify(name)}:"${blob}"},"kept":[]}`;
/** Tasks that share a page of marks. */
const PAGE_TASKS = 1_024;
/** Begins a blob that stands for a file of someone else, which was kept. */
const KEPT = 'kept:';

/**
 * The notes about a job's collected tasks. Of a plain one only a mark is held, 64 bits of the SHA-256 of its text: that
 * tells whether a task's files stand in the folder, all that is asked of nearly all of them, and a season has a million.
 * Whoever needs what such a note says reads it in the store. The others are held as their text.
 */
export class CollectionNotes {
  /** Files written. */
  collected = 0;
  /** Files of others that were kept instead. */
  keptForeign = 0;
  readonly #stored: (index: TaskIndex) => Promise<unknown>;
  readonly #texts = new Map<TaskIndex, string>();
  /** By page; 0 of a task without a mark. */
  readonly #marks = new Map<number, Uint32Array>();
  readonly #mark = new Uint32Array(WORDS);

  /** `stored` reads a note in the store, where it is durable before it is added here. */
  constructor(init: { stored: (index: TaskIndex) => Promise<unknown> }) {
    this.#stored = init.stored;
  }

  /** Takes a note's text as it was stored; one that can't be read is none. */
  add(index: TaskIndex, text: string): void {
    this.#remove(index);
    if (PLAIN.test(text)) {
      this.#pageOf(index).set(putMark(text, this.#mark), (index % PAGE_TASKS) * WORDS);
      this.collected += 1;
      return;
    }
    const note = noteFromText(text);
    if (note === undefined) return;
    this.#texts.set(index, text);
    this.#count(note, 1);
  }

  set(index: TaskIndex, note: CollectedTask): void {
    this.add(index, JSON.stringify(note));
  }

  /** What the note of a task says; undefined where there is none, or it has been damaged in the store (SPEC R172). */
  async get(index: TaskIndex): Promise<CollectedTask | undefined> {
    const text = this.#texts.get(index);
    if (text !== undefined) return noteFromText(text);
    return this.#isMarked(index) ? noteOf(await this.#stored(index)) : undefined;
  }

  has(index: TaskIndex): boolean {
    return this.#texts.has(index) || this.#isMarked(index);
  }

  *indices(): Generator<TaskIndex> {
    yield* this.#texts.keys();
    for (const [number, page] of this.#marks) {
      for (let at = 0; at < PAGE_TASKS; at++) if (page[at * WORDS] !== 0) yield number * PAGE_TASKS + at;
    }
  }

  /** Files of others that stand in the place of the task's. */
  keptOf(index: TaskIndex): readonly string[] {
    const text = this.#texts.get(index);
    return (text === undefined ? undefined : noteFromText(text))?.kept ?? [];
  }

  /** Whether all files of the result were looked at. */
  isCollected(index: TaskIndex, { attempt, files }: TaskResult): boolean {
    const key = attemptKey(attempt);
    const text = this.#texts.get(index);
    if (text !== undefined) {
      const note = noteFromText(text);
      const isIn = (name: string, blob: string): boolean => {
        const written = entryOf(note?.files, name);
        return written === blob || written === KEPT + blob;
      };
      return note?.attempt === key && files.every(({ name, blob }) => isIn(name, blob));
    }
    const [file] = files;
    if (file === undefined || files.length > 1 || !this.#isMarked(index)) return false;
    const mark = putMark(plainText(key, file.name, file.blob), this.#mark);
    const at = (index % PAGE_TASKS) * WORDS;
    const page = this.#pageOf(index);
    return mark.every((word, i) => word === page[at + i]);
  }

  #isMarked(index: TaskIndex): boolean {
    const page = this.#marks.get(Math.floor(index / PAGE_TASKS));
    return page !== undefined && page[(index % PAGE_TASKS) * WORDS] !== 0;
  }

  #pageOf(index: TaskIndex): Uint32Array {
    const number = Math.floor(index / PAGE_TASKS);
    let page = this.#marks.get(number);
    if (page === undefined) this.#marks.set(number, (page = new Uint32Array(PAGE_TASKS * WORDS)));
    return page;
  }

  #remove(index: TaskIndex): void {
    const text = this.#texts.get(index);
    const note = text === undefined ? undefined : noteFromText(text);
    if (note !== undefined) {
      this.#texts.delete(index);
      this.#count(note, -1);
    } else if (this.#isMarked(index)) {
      this.#pageOf(index).fill(0, (index % PAGE_TASKS) * WORDS, ((index % PAGE_TASKS) + 1) * WORDS);
      this.collected -= 1;
    }
  }

  #count({ files, kept }: CollectedTask, by: 1 | -1): void {
    this.collected += by * (Object.keys(files).length - kept.length);
    this.keptForeign += by * kept.length;
  }
}

/** What is kept counts as looked at, but never as ours. */
export const keptBlob = (blob: string): string => KEPT + blob;

/** What a table has for a name that a program gave: `constructor`, which every object knows, is one as well. */
export const entryOf = <T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined =>
  table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;

/** The contents that mark a file of this name as one that we wrote. */
export function oursOf(task: CollectedTask | undefined, name: string): ReadonlySet<string> {
  const written = entryOf(task?.files, name);
  return new Set([...(written === undefined ? [] : [written]), ...(entryOf(task?.intended, name) ?? [])]);
}

/**
 * What is noted of a task before these files of it are written under these names, which a file of another task could
 * take in between else; undefined where all of it is noted already.
 */
function withIntents(
  before: CollectedTask = { files: {}, kept: [] },
  files: readonly { own: string; blob: string; name: string }[],
): CollectedTask | undefined {
  const intended = new Map(Object.entries(before.intended ?? {}));
  const renamed = new Map(Object.entries(before.renamed ?? {}));
  let isNew = false;
  for (const { own, blob, name } of files) {
    const known = intended.get(own) ?? [];
    if (known.includes(blob) && (renamed.get(own) ?? own) === name) continue;
    intended.set(own, [...new Set([...known, blob])]);
    if (name !== own) renamed.set(own, name);
    isNew = true;
  }
  if (!isNew) return undefined;
  const names = renamed.size === 0 ? {} : { renamed: Object.fromEntries(renamed) };
  return { ...before, ...names, intended: Object.fromEntries(intended) };
}

/** The name under which a file was written, or was about to be; undefined where nothing is noted of it. */
export const nameGiven = (note: CollectedTask | undefined, own: string): string | undefined =>
  entryOf(note?.renamed, own) ?? (entryOf(note?.files, own) === undefined ? undefined : own);

/**
 * The name that a file of a task has in the folder, of which `before` is noted. @throws Error where it can't be given
 * one yet.
 */
export type NameOf = (index: TaskIndex, own: string, before: CollectedTask | undefined) => string;

/** Of tasks whose results are about to be collected: the notes that say so, where that is not noted yet. */
export async function intentsOf(
  notes: Pick<CollectionNotes, 'get'>,
  due: ReadonlyMap<TaskIndex, TaskResult>,
  nameOf: NameOf,
): Promise<Map<TaskIndex, CollectedTask>> {
  const intents = new Map<TaskIndex, CollectedTask>();
  for (const [index, { files }] of due) {
    const before = await notes.get(index);
    let named: { own: string; blob: string; name: string }[];
    try {
      named = files.map(({ name: own, blob }) => ({ own, blob, name: nameOf(index, own, before) }));
    } catch {
      // Nothing of it is written before it has a name.
      continue;
    }
    const noted = withIntents(before, named);
    if (noted !== undefined) intents.set(index, noted);
  }
  return intents;
}

/** A stored value as a note; undefined for one that is none. */
function noteOf(value: unknown): CollectedTask | undefined {
  const note = value as Partial<CollectedTask> | null | undefined;
  if (typeof note?.files !== 'object' || note.files === null || !Array.isArray(note.kept)) return undefined;
  return note as CollectedTask;
}

/** The same of a note's text. */
export function noteFromText(text: string): CollectedTask | undefined {
  try {
    return noteOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Each note of a job as it stands in the store, those that can't be read left out. */
export async function eachNote(
  store: Pick<RecordStore, 'eachLocalText'>,
  job: JobId,
  each: (index: TaskIndex, note: CollectedTask) => void,
): Promise<void> {
  const prefix = `${NOTES}${job}/`;
  await store.eachLocalText(prefix, (key, text) => {
    const note = noteFromText(text);
    if (note !== undefined) each(Number(key.slice(prefix.length)), note);
  });
}
