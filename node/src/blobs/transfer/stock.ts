import { mapBounded } from '../gate.ts';
import type { BlobEvent, BlobHash, BlobStore } from '../interface.ts';
import { transferLimits } from './limits.ts';
import { Bits, type Units } from './units.ts';

/**
 * What the store has of one bundle. The bundle's own file says nothing of the others: it comes before them, and stays
 * where a fetch was given up or a file was evicted.
 */
export class Stock {
  readonly #blobs: Pick<BlobStore, 'has'>;
  readonly #units: Units;
  readonly #here: Bits;
  #looking: Promise<void> | undefined;
  #isKnown = false;
  /** Files that came or went while they were looked at. */
  readonly #changed = new Set<BlobHash>();

  constructor(components: { readonly blobs: Pick<BlobStore, 'has'> }, init: { readonly units: Units }) {
    this.#blobs = components.blobs;
    this.#units = init.units;
    this.#here = new Bits(init.units.count);
  }

  /** Its units that are here: looked at once, a stat for each file, and from then on as the store tells. */
  async here(): Promise<Bits> {
    if (this.#isKnown) return this.#here;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
    return this.#here;
  }

  /** The store told of a blob. */
  heard(event: BlobEvent): void {
    if (event.type === 'accepting-changed' || this.#units.of(event.hash) === undefined) return;
    if (this.#isKnown) this.#set(event.hash, event.type === 'blob-stored');
    else this.#changed.add(event.hash);
  }

  async #look(): Promise<void> {
    let hashes = [...this.#units.hashes];
    while (hashes.length > 0) {
      this.#changed.clear();
      const infos = await mapBounded(hashes, transferLimits.looksAtOnce, undefined, (hash) =>
        this.#blobs.has(hash),
      );
      for (const [i, hash] of hashes.entries()) this.#set(hash, infos[i] !== undefined);
      hashes = [...this.#changed];
    }
    this.#isKnown = true;
  }

  #set(hash: BlobHash, isHere: boolean): void {
    const range = this.#units.of(hash);
    for (let i = 0; range !== undefined && i < range.count; i++) {
      if (isHere) this.#here.add(range.first + i);
      else this.#here.remove(range.first + i);
    }
  }
}
