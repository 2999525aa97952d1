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

/**
 * The text of a note about one file that was written, as most are: its attempt, of which the peer is the last part,
 * its name, in printed characters of a byte each, so that they stand in JSON as they are, and its blob.
 */
const PLAIN =
  /^\{"attempt":"(\d+\.\d+)\.(\w+)","files":\{"([ !#-[\]-~\u00a0-\u00ff]{1,255})":"([0-9a-f]{64})"\},"kept":\[\]\}$/;
/** Bytes of a hash, which end a plain note. */
const HASH_BYTES = 32;
/** Longer than the parts of any plain note together: two numbers, two signs, a name and a hash. */
const SCRATCH_BYTES = 1_024;
/** Begins a blob that stands for a file of someone else, which was kept. */
const KEPT = 'kept:';

/**
 * The notes about a job's collected tasks, held as text, which costs far less than objects would. A plain one is held
 * short: with its peer's number, and each two digits of its blob as one character: in a third of the characters of its
 * JSON. Most are never read, since comparing texts says that nothing is to be done.
 */
export class CollectionNotes {
  /** Files written. */
  collected = 0;
  /** Files of others that were kept instead. */
  keptForeign = 0;
  /** Short ones begin with a digit, the others, which are JSON as it was stored, with a brace. */
  readonly #texts = new Map<TaskIndex, string>();
  readonly #peers: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #scratch = Buffer.alloc(SCRATCH_BYTES);

  /** Takes a note's text as it was stored; one that can't be read is none. */
  add(index: TaskIndex, text: string): void {
    this.#count(this.#texts.get(index), -1);
    const held = this.#shortened(text) ?? (parse(text) === undefined ? undefined : text);
    if (held === undefined) this.#texts.delete(index);
    else this.#texts.set(index, held);
    this.#count(held, 1);
  }

  set(index: TaskIndex, note: CollectedTask): void {
    this.add(index, JSON.stringify(note));
  }

  get(index: TaskIndex): CollectedTask | undefined {
    const held = this.#texts.get(index);
    return held === undefined ? undefined : this.#read(held);
  }

  indices(): IterableIterator<TaskIndex> {
    return this.#texts.keys();
  }

  *all(): Generator<[TaskIndex, CollectedTask]> {
    for (const [index, held] of this.#texts) yield [index, this.#read(held)];
  }

  /** Whether all files of the result were looked at. */
  isCollected(index: TaskIndex, result: TaskResult): boolean {
    const held = this.#texts.get(index);
    if (held === undefined) return false;
    const { attempt, files } = result;
    const [file] = files;
    if (files.length === 1 && file !== undefined) {
      const plain = `{"attempt":"${attemptKey(attempt)}","files":{${JSON.stringify(file.name)}:"${file.blob}"},"kept":[]}`;
      if (this.#shortened(plain) === held) return true;
    }
    const note = this.#read(held);
    return (
      note.attempt === attemptKey(attempt) &&
      files.every(({ name, blob }) => note.files[name] === blob || note.files[name] === KEPT + blob)
    );
  }

  /** `ATTEMPT.PEER/NAME` and the blob; undefined for a note that is not plain. */
  #shortened(text: string): string | undefined {
    const [, attempt, peer, name, blob] = PLAIN.exec(text) ?? [];
    if (attempt === undefined || peer === undefined || blob === undefined) return undefined;
    const head = `${attempt}.${this.#numberOf(peer)}/${name}`;
    if (head.length > SCRATCH_BYTES - HASH_BYTES) return undefined;
    // By way of bytes, so that it is one piece of memory and not a list of what it was put together from.
    const length = this.#scratch.write(head, 'latin1');
    return this.#scratch.toString('latin1', 0, length + this.#scratch.write(blob, length, 'hex'));
  }

  #numberOf(peer: string): number {
    let number = this.#numbers.get(peer);
    if (number === undefined) {
      number = this.#peers.length;
      // A copy: what was cut out of a longer text would keep all of it.
      const copy = Buffer.from(peer).toString();
      this.#numbers.set(copy, number);
      this.#peers.push(copy);
    }
    return number;
  }

  #read(held: string): CollectedTask {
    if (!isShort(held)) return parse(held) as CollectedTask;
    const slash = held.indexOf('/');
    const dot = held.lastIndexOf('.', slash);
    const peer = this.#peers[Number(held.slice(dot + 1, slash))];
    const name = held.slice(slash + 1, -HASH_BYTES);
    const blob = Buffer.from(held.slice(-HASH_BYTES), 'latin1').toString('hex');
    return {
      attempt: `${held.slice(0, dot)}.${peer}`,
      files: Object.fromEntries([[name, blob]]),
      kept: [],
    };
  }

  #count(held: string | undefined, by: 1 | -1): void {
    if (held === undefined) return;
    if (isShort(held)) {
      this.collected += by;
      return;
    }
    const { files, kept } = parse(held) as CollectedTask;
    this.collected += by * (Object.keys(files).length - kept.length);
    this.keptForeign += by * kept.length;
  }
}

const isShort = (held: string): boolean => !held.startsWith('{');

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
export function withIntents(
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

function parse(text: string): CollectedTask | undefined {
  try {
    const note = JSON.parse(text) as Partial<CollectedTask> | null;
    if (typeof note?.files !== 'object' || note.files === null || !Array.isArray(note.kept)) return undefined;
    return note as CollectedTask;
  } catch {
    return undefined;
  }
}
