import { systemCode } from '../system/files.ts';
import type { Clock } from '../system/interface.ts';
import { KeyedQueue, mapBounded } from './gate.ts';
import type { BlobHash } from './interface.ts';
import { blobOfPart } from './layout.ts';
import { blobLimits } from './options.ts';
import type { Shelf } from './shelf.ts';

interface Components {
  readonly clock: Pick<Clock, 'wallTime'>;
  readonly shelf: Pick<Shelf, 'files' | 'layout' | 'listing'>;
}

/** What is known of a blob whose arrival ended halfway; its file is closed. */
interface Kept {
  readonly hash: BlobHash;
  /** What it takes on the disk: of a file with gaps less than its size. */
  readonly bytes: number;
  /** Wall-clock milliseconds; a wrong clock costs what is kept at worst, which is fetched again. */
  readonly changedMs: number;
}

/**
 * Blobs that arrived in part and nobody goes on with now (SPEC R193). A fetch that ends leaves all of its large files so,
 * and is resumed by what is kept of each; so many may be kept, and what bounds them is the store's quota, their age, and
 * a number that few bundles come to.
 */
export class Unfinished {
  readonly #components: Components;
  /** The oldest first. */
  readonly #kept = new Map<BlobHash, Kept>();
  readonly #byHash = new KeyedQueue();
  #bytes = 0;

  constructor(components: Components) {
    this.#components = components;
  }

  /** What all of them take on the disk. */
  get bytes(): number {
    return this.#bytes;
  }

  async start(): Promise<void> {
    const { files, layout } = this.#components.shelf;
    const hashes = (await files.readdir(layout.incoming)).flatMap((name) => blobOfPart(name) ?? []);
    const found = await mapBounded(hashes, blobLimits.unfinishedAtOnce, undefined, (hash) =>
      this.#find(hash),
    );
    for (const kept of found.flatMap((one) => one ?? []).sort((a, b) => a.changedMs - b.changedMs))
      this.#add(kept);
    await this.#bound();
  }

  async #find(hash: BlobHash): Promise<Kept | undefined> {
    const { files, layout, listing } = this.#components.shelf;
    // Whole, and under its own name as well: a power cut may undo that the old one went.
    if ((await listing.find(hash)) === undefined) return this.#look(hash);
    await files.rm(layout.partPathOf(hash), { force: true });
    return undefined;
  }

  async #look(hash: BlobHash): Promise<Kept | undefined> {
    const { files, layout } = this.#components.shelf;
    try {
      const { blocks, mtimeMs } = await files.stat(layout.partPathOf(hash));
      return { hash, bytes: blocks * 512, changedMs: mtimeMs };
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Keeps what is here of a blob, as the newest. */
  async keep(hash: BlobHash): Promise<void> {
    await this.#byHash.run(hash, async () => {
      const kept = await this.#look(hash);
      if (kept !== undefined) this.#add(kept);
    });
    await this.#bound();
  }

  /** Somebody goes on with a blob: its file is no longer given up here. False where nothing is kept of it. */
  take(hash: BlobHash): Promise<boolean> {
    return this.#byHash.run(hash, async () => this.#forget(hash));
  }

  /** Gives up the oldest, as many as take so much of the disk. */
  async drop(bytes: number): Promise<void> {
    let leftBytes = bytes;
    for (const { hash } of this.#kept.values()) {
      if (leftBytes <= 0) return;
      leftBytes -= await this.#drop(hash);
    }
  }

  /** Gives up those that are too old or too many. */
  async #bound(): Promise<void> {
    const sinceMs = this.#components.clock.wallTime() - blobLimits.unfinishedMs;
    for (const { hash, changedMs } of this.#kept.values()) {
      if (changedMs >= sinceMs && this.#kept.size <= blobLimits.unfinishedFiles) return;
      await this.#drop(hash);
    }
  }

  /** How much became free: nothing where somebody went on with it meanwhile, or the disk refuses. */
  #drop(hash: BlobHash): Promise<number> {
    return this.#byHash.run(hash, async () => {
      const kept = this.#kept.get(hash);
      if (kept === undefined) return 0;
      const { files, layout } = this.#components.shelf;
      try {
        await files.rm(layout.partPathOf(hash), { force: true });
      } catch {
        return 0;
      }
      this.#forget(hash);
      return kept.bytes;
    });
  }

  #add(kept: Kept): void {
    this.#forget(kept.hash);
    this.#kept.set(kept.hash, kept);
    this.#bytes += kept.bytes;
  }

  #forget(hash: BlobHash): boolean {
    this.#bytes -= this.#kept.get(hash)?.bytes ?? 0;
    return this.#kept.delete(hash);
  }
}
