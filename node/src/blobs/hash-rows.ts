import { PAGE_ROWS } from './columns.ts';
import type { BlobHash } from './interface.ts';
import { isBlobHash } from './layout.ts';

/** 32-bit words of a hash. */
export const WORDS = 8;
/** Slots of an empty table; they grow by a quarter when three quarters are taken: doubled, two million hashes had 17 MB of them. */
const SLOTS_MIN = 1_024;
const GROWTH = 1.25;
const FREE = -1;

/** Who a row belongs to, by bits: most blobs are pinned, and both tables keep the one hash. */
export const ROWS_OF = { pins: 1, blobs: 2, all: 3 } as const;
export type RowsOf = (typeof ROWS_OF)[keyof typeof ROWS_OF];

/**
 * Two sets of hashes that share what they have in common. Each hash has a row, a small number for columns beside it: 32
 * bytes and a slot, where a string in a Map takes five times that. A row stays the same until neither set has its hash,
 * and is then given to the next.
 */
export class HashRows {
  readonly #pages: Uint32Array[] = [];
  /** The row of whoever hashes to a slot, or to one before that was taken; FREE where there is none. */
  #slots = new Int32Array(SLOTS_MIN).fill(FREE);
  /** Rows that were given back, the last one first. */
  readonly #free: number[] = [];
  /** Which sets each row's hash is in; 0 of a row that was given back. */
  #of = new Uint8Array(PAGE_ROWS);
  #rows = 0;
  readonly #words = new Uint32Array(WORDS);

  /** Hashes that are in either set. */
  get size(): number {
    return this.#rows - this.#free.length;
  }

  /** Undefined for a hash that is not in the set, and for what is no hash. */
  find(hash: BlobHash, of: RowsOf = ROWS_OF.all): number | undefined {
    return putWords(hash, this.#words) ? this.findWords(this.#words, 0, of) : undefined;
  }

  /** As `find`, of a hash's bytes as words, beginning at the one with this number. */
  findWords(words: Uint32Array, at: number, of: RowsOf = ROWS_OF.all): number | undefined {
    const row = this.#find(words, at);
    return row !== undefined && this.has(row, of) ? row : undefined;
  }

  /** Whether the row's hash is in the set. */
  has(row: number, of: RowsOf): boolean {
    return ((this.#of[row] as number) & of) !== 0;
  }

  #find(words: Uint32Array, at: number): number | undefined {
    for (let slot = slotOf(words, at, this.#slots.length); ; slot = this.#after(slot)) {
      const row = this.#slots[slot] as number;
      if (row === FREE) return undefined;
      if (areSame(this.#page(row), (row % PAGE_ROWS) * WORDS, words, at)) return row;
    }
  }

  /** Its row, new or not. The caller sets its columns. */
  add(hash: BlobHash, of: RowsOf = ROWS_OF.all): number {
    if (!putWords(hash, this.#words)) throw new RangeError('It is no hash.');
    return this.addWords(this.#words, 0, of);
  }

  /** As `add`, of a hash's bytes as words, beginning at the one with this number. */
  addWords(words: Uint32Array, at: number, of: RowsOf = ROWS_OF.all): number {
    const known = this.#find(words, at);
    if (known !== undefined) {
      (this.#of[known] as number) |= of;
      return known;
    }
    this.reserve(1);
    const row = this.#free.pop() ?? this.#rows++;
    if (row >= this.#pages.length * PAGE_ROWS) this.#pages.push(new Uint32Array(PAGE_ROWS * WORDS));
    if (row >= this.#of.length) {
      const more = new Uint8Array(2 * this.#of.length);
      more.set(this.#of);
      this.#of = more;
    }
    this.#of[row] = of;
    this.#page(row).set(words.subarray(at, at + WORDS), (row % PAGE_ROWS) * WORDS);
    this.#place(row);
    return row;
  }

  /** Takes the row's hash out of the set. */
  remove(row: number, of: RowsOf = ROWS_OF.all): void {
    (this.#of[row] as number) &= ~of;
    if (this.#of[row] === 0) this.#giveBack(row);
  }

  /** Takes all out of the set. */
  clear(of: RowsOf): void {
    for (const row of this.rows(of)) this.remove(row, of);
  }

  #giveBack(row: number): void {
    const { length } = this.#slots;
    const distance = (from: number, to: number): number => (to < from ? to - from + length : to - from);
    let slot = this.#slotOf(row);
    while (this.#slots[slot] !== row) slot = this.#after(slot);
    // Whoever stands behind it moves up, so that a search never ends at a gap before its hash.
    for (let next = this.#after(slot); this.#slots[next] !== FREE; next = this.#after(next)) {
      const other = this.#slots[next] as number;
      if (distance(this.#slotOf(other), next) < distance(slot, next)) continue;
      this.#slots[slot] = other;
      slot = next;
    }
    this.#slots[slot] = FREE;
    this.#free.push(row);
  }

  hashOf(row: number): BlobHash {
    const { buffer } = this.#page(row);
    return Buffer.from(buffer, (row % PAGE_ROWS) * WORDS * 4, WORDS * 4).toString('hex');
  }

  /** Rows of a set, from this one on. Whoever comes or goes on the way may be met or not; all others are, once. */
  *rows(of: RowsOf = ROWS_OF.all, from = 0): Generator<number> {
    for (let row = from; row < this.#rows; row++) if (this.has(row, of)) yield row;
  }

  /** Hashes of a set whose first byte is this one, in order. A few milliseconds of a million rows. */
  beginningWith(byte: number, of: RowsOf): BlobHash[] {
    const found: BlobHash[] = [];
    for (const [number, page] of this.#pages.entries()) {
      const bytes = new Uint8Array(page.buffer);
      const first = number * PAGE_ROWS;
      const end = Math.min(first + PAGE_ROWS, this.#rows);
      for (let row = first; row < end; row++)
        if (bytes[(row - first) * WORDS * 4] === byte && this.has(row, of)) found.push(this.hashOf(row));
    }
    return found.sort();
  }

  #page(row: number): Uint32Array {
    return this.#pages[Math.floor(row / PAGE_ROWS)] as Uint32Array;
  }

  #slotOf(row: number): number {
    return slotOf(this.#page(row), (row % PAGE_ROWS) * WORDS, this.#slots.length);
  }

  /** The first comes after the last. */
  #after(slot: number): number {
    return slot + 1 < this.#slots.length ? slot + 1 : 0;
  }

  #place(row: number): void {
    let slot = this.#slotOf(row);
    while (this.#slots[slot] !== FREE) slot = this.#after(slot);
    this.#slots[slot] = row;
  }

  /** Makes room for so many more at once. */
  reserve(count: number): void {
    const { length } = this.#slots;
    const needed = Math.ceil(((this.size + count) * 4) / 3);
    if (needed > length) this.#setSlots(Math.max(needed, Math.ceil(length * GROWTH)));
  }

  #setSlots(count: number): void {
    this.#slots = new Int32Array(count).fill(FREE);
    for (const row of this.rows()) this.#place(row);
  }
}

/** The bytes of a hash as words; false of what is no hash. */
export function putWords(hash: BlobHash, into: Uint32Array): boolean {
  if (!isBlobHash(hash)) return false;
  Buffer.from(into.buffer, into.byteOffset, into.byteLength).write(hash, 'hex');
  return true;
}

/** The first slot that is looked at, of so many: the mixed words' share of 2^32. */
const slotOf = (words: Uint32Array, at: number, slots: number): number =>
  Math.floor(((mixed(words, at) >>> 0) / 2 ** 32) * slots);

/** All words count: a test's hashes may differ in the last digits only. */
function mixed(words: Uint32Array, at: number): number {
  let mix = 0;
  for (let i = at; i < at + WORDS; i++)
    mix = Math.imul(mix ^ (words[i] as number), 0x9e3779b1) ^ (mix >>> 15);
  return mix ^ (mix >>> 16);
}

function areSame(a: Uint32Array, atA: number, b: Uint32Array, atB: number): boolean {
  for (let i = 0; i < WORDS; i++) if (a[atA + i] !== b[atB + i]) return false;
  return true;
}
