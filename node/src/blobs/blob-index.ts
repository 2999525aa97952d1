import { Column } from './columns.ts';
import type { ScannedFolder } from './hasher.ts';
import { type HashRows, ROWS_OF, WORDS } from './hash-rows.ts';
import type { BlobHash, BlobInfo } from './interface.ts';
import type { PinTable } from './pins.ts';

export interface IndexEntry extends BlobInfo {
  /** Whole wall-clock milliseconds; orders eviction and nothing else, so a wrong clock costs a cache hit at worst. */
  readonly usedMs: number;
}

const BLOBS = ROWS_OF.blobs;

/** So many are put in the order of eviction at a time: each time all that the store has is looked at. */
const ORDERED = 4_096;

/**
 * What is on disk, in memory: sizes, sums, and who was used last; 50 bytes a blob, and 8 of one that is pinned, since a
 * season has millions.
 */
export class BlobIndex {
  readonly #rows: HashRows;
  readonly #sizes = new Column();
  readonly #usedMs = new Column();
  /** The last use that the disk knows of, where that is another: of most it is not. */
  readonly #notedMs = new Column();
  /** The first of the order in which blobs are evicted, the very first one last. */
  #oldest: IndexEntry[] = [];
  /** What went while the folders are listed: a list that was made before must not bring it back. */
  #gone: Set<BlobHash> | undefined = new Set();
  count = 0;
  usedBytes = 0;
  /** Of those that somebody pins. */
  pinnedBytes = 0;

  constructor(pins: PinTable) {
    this.#rows = pins.rows;
    // Those of an earlier life.
    this.#rows.clear(BLOBS);
    pins.watch((row, isPinned) => {
      if (this.#rows.has(row, BLOBS)) this.pinnedBytes += (isPinned ? 1 : -1) * this.#sizes.get(row);
    });
  }

  get(hash: BlobHash): IndexEntry | undefined {
    const row = this.#rows.find(hash, BLOBS);
    return row === undefined ? undefined : this.#entry(row);
  }

  has(hash: BlobHash): boolean {
    return this.#rows.find(hash, BLOBS) !== undefined;
  }

  /** In their order, those after one alone where it is given; those that come meanwhile may be left out. */
  *hashes(after: BlobHash = ''): Generator<BlobHash> {
    for (let byte = Number.parseInt(after.slice(0, 2) || '0', 16); byte < 256; byte++)
      for (const hash of this.#rows.beginningWith(byte, BLOBS)) if (hash > after) yield hash;
  }

  /** A file of a size that nobody has cannot be here already. */
  hasSize(sizeBytes: number): boolean {
    return this.#sizes.has(sizeBytes);
  }

  /** Returns false when it was here already. */
  add(hash: BlobHash, sizeBytes: number, usedMs: number): boolean {
    const known = this.#rows.find(hash, BLOBS);
    if (known !== undefined) {
      const beforeMs = this.#usedMs.get(known);
      if (usedMs > beforeMs) this.#use(known, usedMs, this.#noted(known));
      return false;
    }
    this.#gone?.delete(hash);
    this.#set(this.#rows.add(hash, BLOBS), sizeBytes, usedMs);
    return true;
  }

  /** What was found on the disk, until all is `loaded`; less is known of it than of what came or went since. */
  load({ hashes, sizes, usedMs }: ScannedFolder): void {
    this.#rows.reserve(sizes.length);
    for (const [i, sizeBytes] of sizes.entries()) {
      if (this.#rows.findWords(hashes, i * WORDS, BLOBS) !== undefined) continue;
      const row = this.#rows.addWords(hashes, i * WORDS, BLOBS);
      if (this.#hasGone(row)) this.#rows.remove(row, BLOBS);
      else this.#set(row, sizeBytes, usedMs[i] as number);
    }
  }

  /** Of most lists none has gone: then no hash is made a text of. */
  #hasGone(row: number): boolean {
    return this.#gone !== undefined && this.#gone.size > 0 && this.#gone.has(this.#rows.hashOf(row));
  }

  /** As `load`, of one. */
  found(hash: BlobHash, sizeBytes: number, usedMs: number): void {
    if (!this.has(hash) && this.#gone?.has(hash) !== true) this.add(hash, sizeBytes, usedMs);
  }

  /** All that stands on the disk is known. */
  loaded(): void {
    this.#gone = undefined;
  }

  #set(row: number, sizeBytes: number, usedMs: number): void {
    this.#sizes.set(row, sizeBytes);
    this.#use(row, usedMs, usedMs);
    this.count += 1;
    this.usedBytes += sizeBytes;
    if (this.#rows.has(row, ROWS_OF.pins)) this.pinnedBytes += sizeBytes;
  }

  /** Notes a use; true where the disk is to be told of it, since the last that it knows is `intervalMs` away. */
  touch(hash: BlobHash, usedMs: number, intervalMs: number): boolean {
    const row = this.#rows.find(hash, BLOBS);
    if (row === undefined) return false;
    const notedMs = this.#noted(row);
    const isToBeNoted = Math.abs(usedMs - notedMs) >= intervalMs;
    this.#use(row, usedMs, isToBeNoted ? usedMs : notedMs);
    return isToBeNoted;
  }

  #noted(row: number): number {
    const notedMs = this.#notedMs.get(row);
    return Number.isNaN(notedMs) ? this.#usedMs.get(row) : notedMs;
  }

  /** Files have times with fractions: of a millisecond nothing hangs, and whole ones are held in half the memory. */
  #use(row: number, usedMs: number, notedMs: number): void {
    const wholeMs = Math.floor(usedMs);
    this.#usedMs.set(row, wholeMs);
    if (notedMs === usedMs || notedMs === wholeMs) this.#notedMs.clear(row);
    else this.#notedMs.set(row, Math.floor(notedMs));
  }

  remove(hash: BlobHash): IndexEntry | undefined {
    const row = this.#rows.find(hash, BLOBS);
    if (row === undefined) return undefined;
    const entry = this.#entry(row);
    this.#gone?.add(hash);
    if (this.#rows.has(row, ROWS_OF.pins)) this.pinnedBytes -= entry.sizeBytes;
    this.#rows.remove(row, BLOBS);
    this.#sizes.clear(row);
    this.count -= 1;
    this.usedBytes -= entry.sizeBytes;
    return entry;
  }

  /**
   * What may be evicted, least recently used first. A full store asks at every put, so that of a large one the first of
   * the order are found once and kept for the next calls: what was used, pinned or removed since is passed over, and
   * what has lost its pins since comes once these are through.
   */
  *evictable(): Generator<IndexEntry> {
    if (this.count <= ORDERED) this.#oldest = [];
    yield* this.#stillOldest();
    for (let afterMs = Number.NEGATIVE_INFINITY; ; ) {
      const part = this.#oldestAfter(afterMs);
      const last = part.at(-1);
      if (last === undefined) return;
      afterMs = last.usedMs;
      this.#oldest = part.reverse();
      yield* this.#stillOldest();
    }
  }

  /** Takes each from those that were found once the caller is through with it. */
  *#stillOldest(): Generator<IndexEntry> {
    for (let entry = this.#oldest.at(-1); entry !== undefined; entry = this.#oldest.at(-1)) {
      if (this.#isFree(entry)) yield entry;
      this.#oldest.pop();
    }
  }

  #mayGo(row: number): boolean {
    return !this.#rows.has(row, ROWS_OF.pins);
  }

  #isFree({ hash, usedMs }: IndexEntry): boolean {
    const row = this.#rows.find(hash, BLOBS);
    return row !== undefined && this.#mayGo(row) && this.#usedMs.get(row) === usedMs;
  }

  /**
   * Those that nobody pins and that were used last after this time, in order: of many the first alone, about as many as
   * are kept. How late these are is taken from a sample, since to sort a million takes ten times as long.
   */
  #oldestAfter(afterMs: number): IndexEntry[] {
    const timeOf = (row: number): number => this.#usedMs.get(row);
    const rows: number[] = [];
    for (const row of this.#rows.rows(BLOBS)) if (this.#mayGo(row) && timeOf(row) > afterMs) rows.push(row);
    const step = Math.ceil(rows.length / ORDERED);
    const sample = Float64Array.from(rows.filter((_, at) => at % step === 0).map(timeOf)).sort();
    const untilMs =
      step <= 1 ? Number.POSITIVE_INFINITY : (sample[Math.floor(sample.length / step)] as number);
    return rows
      .filter((row) => timeOf(row) <= untilMs)
      .map((row) => this.#entry(row))
      .sort((a, b) => a.usedMs - b.usedMs || (a.hash < b.hash ? -1 : 1));
  }

  #entry(row: number): IndexEntry {
    return {
      hash: this.#rows.hashOf(row),
      sizeBytes: this.#sizes.get(row),
      usedMs: this.#usedMs.get(row),
    };
  }
}
