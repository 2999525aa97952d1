import { dirname } from 'node:path';
import type { FileCalls, OpenFile } from '../system/file-calls.ts';
import { createFileSynced, syncFolder, systemCode } from '../system/files.ts';
import { SteadyColumn } from './columns.ts';
import { StoreStoppedError } from './errors.ts';
import { HashRows, putWords, ROWS_OF, WORDS } from './hash-rows.ts';
import type { BlobHash, PinOwner } from './interface.ts';
import { blobLimits } from './options.ts';
import { ownerPattern, PinLines } from './pin-lines.ts';

/** The journal is read in pieces: of a million pins it is 85 MB. */
const READ_BYTES = 2 ** 18;
/** And written so when it is made anew. */
const LINES_PER_WRITE = 4_096;

/** Begins the names of owners that need a blob for the moment. No job's id begins so. */
export const PASSING = '~';
export const isPassing = (owner: PinOwner): boolean => owner.startsWith(PASSING);

export function assertPinOwner(owner: PinOwner): void {
  if (!ownerPattern.test(owner) || owner.length > blobLimits.pinOwnerLength) {
    throw new RangeError('A pin owner is a name of 1 to 200 printable characters without blanks.');
  }
}

const PINS = ROWS_OF.pins;

/** Who needs which blob, in memory: most have one owner, and take 42 bytes then. */
export class PinTable {
  /** The blobs of the store have theirs here too. */
  readonly rows = new HashRows();
  /** The owner of each row by its number; the first of them where there are several. */
  readonly #firsts = new SteadyColumn();
  /** The others. */
  readonly #others = new Map<number, number[]>();
  readonly #numbers = new Map<PinOwner, number>();
  /**
   * By number, with how many they pin, and a row before which there is none of theirs: those of a job mostly stand
   * together. A number whose owner is gone is given to the next.
   */
  readonly #owners: { name: PinOwner; pins: number; from: number }[] = [];
  readonly #free: number[] = [];
  readonly #words = new Uint32Array(WORDS);
  #watcher: (row: number, isPinned: boolean) => void = () => undefined;
  size = 0;

  /** Tells when a hash gets its first owner or loses its last one; whoever watched before belongs to an earlier life. */
  watch(watcher: (row: number, isPinned: boolean) => void): void {
    this.#watcher = watcher;
  }

  /** False when nothing changed. */
  add(hash: BlobHash, owner: PinOwner): boolean {
    return this.addWords(this.#wordsOf(hash), owner);
  }

  /** As `add`, of the words of a hash. */
  addWords(words: Uint32Array, owner: PinOwner): boolean {
    const known = this.rows.findWords(words, 0, PINS);
    if (known !== undefined && this.#has(known, this.#numbers.get(owner))) return false;
    const row = known ?? this.rows.addWords(words, 0, PINS);
    const number = this.#numberOf(owner);
    if (known === undefined) this.#firsts.set(row, number);
    else this.#others.set(row, [...(this.#others.get(row) ?? []), number]);
    const pinner = this.#owners[number] as { pins: number; from: number };
    pinner.pins += 1;
    pinner.from = Math.min(pinner.from, row);
    this.size += 1;
    if (known === undefined) this.#watcher(row, true);
    return true;
  }

  remove(hash: BlobHash, owner: PinOwner): boolean {
    return putWords(hash, this.#words) && this.removeWords(this.#words, owner);
  }

  removeWords(words: Uint32Array, owner: PinOwner): boolean {
    const row = this.rows.findWords(words, 0, PINS);
    const number = this.#numbers.get(owner);
    if (row === undefined || number === undefined || !this.#has(row, number)) return false;
    const [first, ...others] = this.#of(row).filter((other) => other !== number);
    if (others.length > 0) this.#others.set(row, others);
    else this.#others.delete(row);
    if (first !== undefined) this.#firsts.set(row, first);
    this.#release(owner, number);
    this.size -= 1;
    if (first === undefined) {
      this.rows.remove(row, PINS);
      this.#watcher(row, false);
    }
    return true;
  }

  #wordsOf(hash: BlobHash): Uint32Array {
    if (!putWords(hash, this.#words)) throw new RangeError('It is no hash.');
    return this.#words;
  }

  isPinned(hash: BlobHash): boolean {
    return this.rows.find(hash, PINS) !== undefined;
  }

  owners(hash: BlobHash): PinOwner[] {
    const row = this.rows.find(hash, PINS);
    return row === undefined ? [] : this.#of(row).map((number) => this.#owners[number]?.name as PinOwner);
  }

  hashes(owner: PinOwner): BlobHash[] {
    const number = this.#numbers.get(owner);
    const found: BlobHash[] = [];
    if (number === undefined) return found;
    const { pins, from } = this.#owners[number] as { pins: number; from: number };
    for (const row of this.rows.rows(PINS, from)) {
      if (this.#has(row, number)) found.push(this.rows.hashOf(row));
      if (found.length === pins) break;
    }
    return found;
  }

  allOwners(): PinOwner[] {
    return [...this.#numbers.keys()];
  }

  /** One after the other; those that come meanwhile may be left out. */
  *pinned(): Generator<BlobHash> {
    for (const row of this.rows.rows(PINS)) yield this.rows.hashOf(row);
  }

  #of(row: number): number[] {
    return [this.#firsts.get(row), ...(this.#others.get(row) ?? [])];
  }

  #has(row: number, number: number | undefined): boolean {
    if (number === undefined) return false;
    return this.#firsts.get(row) === number || this.#others.get(row)?.includes(number) === true;
  }

  #numberOf(owner: PinOwner): number {
    const known = this.#numbers.get(owner);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.#owners.length;
    // A copy: a name that was cut out of a longer text would keep all of it.
    const name = Buffer.from(owner).toString();
    this.#numbers.set(name, number);
    this.#owners[number] = { name, pins: 0, from: Number.POSITIVE_INFINITY };
    return number;
  }

  #release(owner: PinOwner, number: number): void {
    const known = this.#owners[number] as { pins: number };
    known.pins -= 1;
    if (known.pins > 0) return;
    this.#numbers.delete(owner);
    this.#free.push(number);
  }
}

const lineOf = (hash: BlobHash, owner: PinOwner): string => `+${hash} ${owner}`;

/**
 * The table on disk: a journal of lines `+HASH OWNER`, `-HASH OWNER`, rewritten at start when it has grown. Lines
 * that wait together share one write and one sync. A torn last line is ignored, and goes at the next start. What a batch
 * left that could not be written is cut off, before anything follows: a part of a line would end as another one, and a
 * removal that was taken back would be one again at the next start.
 */
export class PinJournal {
  readonly table = new PinTable();
  readonly #files: FileCalls;
  readonly #path: string;
  #file: OpenFile | undefined;
  /** Pins that are being written, with the calls that wait for it; `isKept`: another call has made it durable. */
  readonly #adding = new Map<string, { calls: number; isKept: boolean }>();
  #batch: string[] = [];
  #flushed: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #busy = false;
  /** As far as the journal is known to be durable. */
  #goodBytes = 0;
  #isSpoiled = false;

  constructor(components: { files: FileCalls }, init: { path: string }) {
    this.#files = components.files;
    this.#path = init.path;
  }

  async start(temporary: string): Promise<void> {
    if (this.#file !== undefined) return;
    const { lines, isTorn } = await this.#load();
    // The line break of the next batch would make a line of a torn one: of an owner `job-12` that of `job-1`.
    if (isTorn || lines > this.table.size + blobLimits.pinJournalSlackLines) await this.#rewrite(temporary);
    this.#file = await this.#files.open(this.#path, 'a', 0o644);
    // What a process that was killed had written, this one found; a power cut now must not take it away again.
    await this.#file.datasync();
    await syncFolder(dirname(this.#path), this.#files);
    this.#goodBytes = (await this.#files.stat(this.#path)).size;
    this.#isSpoiled = false;
  }

  async stop(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    await (this.#flushed ?? this.#writing).catch(() => undefined);
    // A disk that cannot even be cut has been told of already, by the batch that failed.
    await this.#cut(file).catch(() => undefined);
    this.#file = undefined;
    await file.close();
  }

  /**
   * The pin protects at once; it is durable when the promise resolves, and withdrawn when that fails, unless another
   * call counts on it.
   */
  async add(hash: BlobHash, owner: PinOwner): Promise<void> {
    assertPinOwner(owner);
    const added = this.table.add(hash, owner);
    if (isPassing(owner)) return;
    // While a batch is on its way a known pin may be part of it, and not durable yet: writing it again is harmless. And
    // where the rest of one that failed could not be cut off, the next start may find it given up.
    if (!added && !this.#busy && !this.#isSpoiled) return;
    const line = lineOf(hash, owner);
    const adding = this.#adding.get(line) ?? { calls: 0, isKept: !added };
    adding.calls += 1;
    this.#adding.set(line, adding);
    try {
      await this.#append([line]);
      adding.isKept = true;
    } finally {
      adding.calls -= 1;
      if (adding.calls === 0) {
        this.#adding.delete(line);
        if (!adding.isKept) this.table.remove(hash, owner);
      }
    }
  }

  /** Takes effect at once, so that a pin set meanwhile comes after it; put back when it cannot be written. */
  async remove(hashes: readonly BlobHash[], owner: PinOwner): Promise<void> {
    assertPinOwner(owner);
    const removed = hashes.filter((hash) => this.table.remove(hash, owner));
    if (isPassing(owner)) return;
    if (removed.length === 0) {
      // Given up by another call it is durable with the batch of that.
      if (this.#busy) return this.#flushed ?? this.#writing;
      // A pin that was withdrawn may stand in what could not be cut off.
      return this.#isSpoiled ? this.#append([]) : undefined;
    }
    try {
      await this.#append(removed.map((hash) => `-${hash} ${owner}`));
    } catch (error) {
      for (const hash of removed) this.table.add(hash, owner);
      throw error;
    }
  }

  #append(lines: readonly string[]): Promise<void> {
    this.#busy = true;
    for (const line of lines) this.#batch.push(line);
    this.#flushed ??= this.#writing.catch(() => undefined).then(() => this.#flush());
    return this.#flushed;
  }

  #flush(): Promise<void> {
    const text = this.#batch.map((line) => `${line}\n`).join('');
    this.#batch = [];
    this.#flushed = undefined;
    this.#writing = this.#write(text);
    return this.#writing;
  }

  async #write(text: string): Promise<void> {
    if (this.#file === undefined) throw new StoreStoppedError();
    try {
      await this.#cut(this.#file);
      if (text === '') return;
      this.#isSpoiled = true;
      await this.#file.appendFile(text);
      await this.#file.datasync();
      this.#goodBytes += Buffer.byteLength(text);
      this.#isSpoiled = false;
    } catch (error) {
      // At once: a node that is killed before the next batch finds the rest, too. Else before that batch.
      await this.#cut(this.#file).catch(() => undefined);
      throw error;
    } finally {
      this.#busy = this.#flushed !== undefined;
    }
  }

  async #cut(file: OpenFile): Promise<void> {
    if (!this.#isSpoiled) return;
    await file.truncate(this.#goodBytes);
    await file.datasync();
    this.#isSpoiled = false;
  }

  async #load(): Promise<{ lines: number; isTorn: boolean }> {
    let file: OpenFile;
    try {
      file = await this.#files.open(this.#path);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return { lines: 0, isTorn: false };
      throw error;
    }
    const lines = new PinLines((isSet, words, owner) => {
      if (isSet) this.table.addWords(words, owner);
      else this.table.removeWords(words, owner);
    });
    try {
      const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) break;
        lines.take(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
    return { lines: lines.count, isTorn: lines.isTorn };
  }

  async #rewrite(temporary: string): Promise<void> {
    await createFileSynced(temporary, this.#lines(), 0o644, this.#files);
    await this.#files.rename(temporary, this.#path);
  }

  *#lines(): Generator<string> {
    let lines: string[] = [];
    for (const hash of this.table.pinned()) {
      for (const owner of this.table.owners(hash)) lines.push(`${lineOf(hash, owner)}\n`);
      if (lines.length < LINES_PER_WRITE) continue;
      yield lines.join('');
      lines = [];
    }
    yield lines.join('');
  }
}
