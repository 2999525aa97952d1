import type { Bundle } from '@cuadro/protocol';
import type { BlobHash } from '../interface.ts';
import { pieceBytesFor } from '../options.ts';
import { pieceCount } from '../pieces.ts';
import { transferLimits } from './limits.ts';

/** One thing that travels at once: a small file whole, or a piece of a large one. */
export interface Unit {
  readonly hash: BlobHash;
  /** Undefined for a whole file. */
  readonly piece: number | undefined;
  readonly sizeBytes: number;
}

/**
 * The units of a bundle, numbered alike on every machine (SPEC R150): its files in their order, identical ones once;
 * of each that travels whole one unit, of each larger one its pieces.
 */
export class Units {
  readonly #hashes: BlobHash[] = [];
  readonly #sizes: number[] = [];
  /** The first unit of each file. */
  readonly #firsts: number[] = [];
  readonly #fileOf = new Map<BlobHash, number>();
  readonly count: number;
  /** How large one is, of all. */
  readonly meanBytes: number;

  constructor({ files }: Pick<Bundle, 'files'>) {
    let count = 0;
    let bytes = 0;
    for (const { blob, sizeBytes } of files) {
      if (this.#fileOf.has(blob)) continue;
      this.#fileOf.set(blob, this.#hashes.length);
      this.#hashes.push(blob);
      this.#sizes.push(sizeBytes);
      bytes += sizeBytes;
      this.#firsts.push(count);
      count += travelsWhole(sizeBytes) ? 1 : pieceCount(sizeBytes);
    }
    this.count = count;
    this.meanBytes = Math.max(1, bytes / Math.max(1, count));
  }

  /** Its files, identical ones once. */
  get hashes(): readonly BlobHash[] {
    return this.#hashes;
  }

  at(unit: number): Unit | undefined {
    if (!(unit >= 0 && unit < this.count)) return undefined;
    let low = 0;
    for (let high = this.#firsts.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if ((this.#firsts[middle] as number) <= unit) low = middle;
      else high = middle - 1;
    }
    const sizeBytes = this.#sizes[low] as number;
    const hash = this.#hashes[low] as BlobHash;
    if (travelsWhole(sizeBytes)) return { hash, piece: undefined, sizeBytes };
    const piece = unit - (this.#firsts[low] as number);
    const pieceBytes = pieceBytesFor(sizeBytes);
    return { hash, piece, sizeBytes: Math.min(pieceBytes, sizeBytes - piece * pieceBytes) };
  }

  /** The units of a file, from `first` on; undefined for one that isn't in the bundle. */
  of(hash: BlobHash): { readonly first: number; readonly count: number } | undefined {
    const file = this.#fileOf.get(hash);
    if (file === undefined) return undefined;
    const first = this.#firsts[file] as number;
    return { first, count: (this.#firsts[file + 1] ?? this.count) - first };
  }
}

export const travelsWhole = (sizeBytes: number): boolean => sizeBytes <= transferLimits.wholeBytes;

/** A set of unit numbers, a bit for each; the first is the lowest bit of the first byte. */
export class Bits {
  readonly bytes: Uint8Array;
  readonly #length: number;
  #count = 0;

  constructor(length: number, bytes?: Uint8Array) {
    this.#length = length;
    this.bytes = new Uint8Array(Math.ceil(length / 8));
    if (bytes === undefined) return;
    this.bytes.set(bytes.subarray(0, this.bytes.length));
    // What stands behind the last unit means nothing.
    const last = this.bytes.length - 1;
    if (length % 8 !== 0) this.bytes[last] = (this.bytes[last] ?? 0) & ((1 << (length % 8)) - 1);
    for (const byte of this.bytes) this.#count += ONES[byte] as number;
  }

  /** How many are in it. */
  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.#length;
  }

  has(unit: number): boolean {
    return ((this.bytes[unit >> 3] ?? 0) & (1 << (unit & 7))) !== 0;
  }

  /** False where it was in it already. */
  add(unit: number): boolean {
    if (unit >= this.#length || this.has(unit)) return false;
    this.bytes[unit >> 3] = (this.bytes[unit >> 3] ?? 0) | (1 << (unit & 7));
    this.#count += 1;
    return true;
  }

  /** False where it was not in it. */
  remove(unit: number): boolean {
    if (!this.has(unit)) return false;
    this.bytes[unit >> 3] = (this.bytes[unit >> 3] ?? 0) & ~(1 << (unit & 7));
    this.#count -= 1;
    return true;
  }

  /** Its members, beginning at `start` and once around, those alone that are in `within` too; ends when `visit` is false. */
  walk(
    visit: (unit: number) => boolean,
    { start = 0, within }: { readonly start?: number; readonly within?: Bits | undefined } = {},
  ): void {
    const { length } = this.bytes;
    for (let i = 0; i < length; i++) {
      const at = (i + (start >> 3)) % length;
      let left = (this.bytes[at] as number) & (within?.bytes[at] ?? 255);
      while (left !== 0) {
        const bit = 31 - Math.clz32(left & -left);
        left &= left - 1;
        if (!visit(at * 8 + bit)) return;
      }
    }
  }
}

/** How many bits are set in each byte. */
const ONES = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);
