import type { BlobHash, BlobInfo } from './interface.ts';
import type { PinTable } from './pins.ts';

export interface IndexEntry extends BlobInfo {
  /** Wall-clock milliseconds; orders eviction and nothing else, so a wrong clock costs a cache hit at worst. */
  usedMs: number;
  /** The last use that the disk knows of. */
  notedMs: number;
}

/** What is on disk, in memory: sizes, sums, and who was used last. */
export class BlobIndex {
  readonly #entries = new Map<BlobHash, IndexEntry>();
  /** How many blobs there are of a size: a file of a size that nobody has cannot be here already. */
  readonly #sizes = new Map<number, number>();
  usedBytes = 0;

  get count(): number {
    return this.#entries.size;
  }

  get(hash: BlobHash): IndexEntry | undefined {
    return this.#entries.get(hash);
  }

  hashes(): BlobHash[] {
    return [...this.#entries.keys()];
  }

  hasSize(sizeBytes: number): boolean {
    return this.#sizes.has(sizeBytes);
  }

  /** Returns false when it was here already. */
  add(hash: BlobHash, sizeBytes: number, usedMs: number): boolean {
    const known = this.#entries.get(hash);
    if (known !== undefined) {
      known.usedMs = Math.max(known.usedMs, usedMs);
      return false;
    }
    this.#entries.set(hash, { hash, sizeBytes, usedMs, notedMs: usedMs });
    this.#sizes.set(sizeBytes, (this.#sizes.get(sizeBytes) ?? 0) + 1);
    this.usedBytes += sizeBytes;
    return true;
  }

  remove(hash: BlobHash): IndexEntry | undefined {
    const entry = this.#entries.get(hash);
    if (entry === undefined) return undefined;
    this.#entries.delete(hash);
    const ofSize = (this.#sizes.get(entry.sizeBytes) ?? 1) - 1;
    if (ofSize === 0) this.#sizes.delete(entry.sizeBytes);
    else this.#sizes.set(entry.sizeBytes, ofSize);
    this.usedBytes -= entry.sizeBytes;
    return entry;
  }

  pinnedBytes(pins: PinTable): number {
    let sum = 0;
    for (const hash of pins.pinned()) sum += this.#entries.get(hash)?.sizeBytes ?? 0;
    return sum;
  }

  /** What may be evicted, least recently used first. */
  evictable(pins: PinTable): IndexEntry[] {
    return [...this.#entries.values()]
      .filter(({ hash }) => !pins.isPinned(hash))
      .sort((a, b) => a.usedMs - b.usedMs || (a.hash < b.hash ? -1 : 1));
  }
}
