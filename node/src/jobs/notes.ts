import { attemptKey, type TaskIndex, type TaskResult } from '@cuadro/protocol';

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

/** The text of a note about one file that was written, as most are: in printed characters, so that it is JSON. */
const PLAIN =
  /^\{"attempt":"[ !#-[\]-\uffff]*","files":\{"[ !#-[\]-\uffff]*":"[ !#-[\]-\uffff]*"\},"kept":\[\]\}$/;
/** Begins a blob that stands for a file of someone else, which was kept. */
const KEPT = 'kept:';

/**
 * The notes about a job's collected tasks, held as they are stored: as text, of which a hundred thousand cost a
 * tenth of what as many objects would. Most are never read, since comparing texts says that nothing is to be done.
 */
export class CollectionNotes {
  /** Files written. */
  collected = 0;
  /** Files of others that were kept instead. */
  keptForeign = 0;
  readonly #texts = new Map<TaskIndex, string>();

  /** Takes a note's text as it was stored; one that can't be read is none. */
  add(index: TaskIndex, text: string): void {
    this.#count(this.#texts.get(index), -1);
    if (PLAIN.test(text) || parse(text) !== undefined) this.#texts.set(index, text);
    else this.#texts.delete(index);
    this.#count(this.#texts.get(index), 1);
  }

  set(index: TaskIndex, note: CollectedTask): void {
    this.add(index, JSON.stringify(note));
  }

  get(index: TaskIndex): CollectedTask | undefined {
    const text = this.#texts.get(index);
    return text === undefined ? undefined : parse(text);
  }

  indices(): IterableIterator<TaskIndex> {
    return this.#texts.keys();
  }

  *all(): Generator<[TaskIndex, CollectedTask]> {
    for (const [index, text] of this.#texts) yield [index, parse(text) as CollectedTask];
  }

  /** Whether all files of the result were looked at. */
  isCollected(index: TaskIndex, result: TaskResult): boolean {
    const text = this.#texts.get(index);
    if (text === undefined) return false;
    const { attempt, files } = result;
    const [file] = files;
    if (files.length === 1 && file !== undefined) {
      const plain = `{"attempt":"${attemptKey(attempt)}","files":{${JSON.stringify(file.name)}:"${file.blob}"},"kept":[]}`;
      if (plain === text) return true;
    }
    const note = parse(text);
    return (
      note !== undefined &&
      note.attempt === attemptKey(attempt) &&
      files.every(({ name, blob }) => note.files[name] === blob || note.files[name] === KEPT + blob)
    );
  }

  #count(text: string | undefined, by: 1 | -1): void {
    if (text === undefined) return;
    if (PLAIN.test(text)) {
      this.collected += by;
      return;
    }
    const { files, kept } = parse(text) as CollectedTask;
    this.collected += by * (Object.keys(files).length - kept.length);
    this.keptForeign += by * kept.length;
  }
}

/** What is kept counts as looked at, but never as ours. */
export const keptBlob = (blob: string): string => KEPT + blob;

function parse(text: string): CollectedTask | undefined {
  try {
    const note = JSON.parse(text) as Partial<CollectedTask> | null;
    if (typeof note?.files !== 'object' || note.files === null || !Array.isArray(note.kept)) return undefined;
    return note as CollectedTask;
  } catch {
    return undefined;
  }
}
