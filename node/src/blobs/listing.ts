import { join } from 'node:path';
import type { FileCalls } from '../system/file-calls.ts';
import type { BlobIndex, IndexEntry } from './blob-index.ts';
import type { Hasher } from './hasher.ts';
import type { BlobHash } from './interface.ts';
import type { BlobLayout } from './layout.ts';

/** Folders of one pass: an eighth of a second of a thread where there are 200,000 files. */
const FOLDERS_AT_ONCE = 16;

export interface ListingComponents {
  readonly files: FileCalls;
  readonly layout: BlobLayout;
  readonly index: BlobIndex;
  readonly hasher: Hasher;
  /** Removes a piece list whose blob is gone, unless that is just arriving. */
  readonly dropPieces: (hash: BlobHash) => Promise<void>;
}

/**
 * Finds out what stands in the folders. A season of frames are millions of files, whose listing takes longer than all
 * else that a start does; so the store serves before. Until everything is listed a blob is looked for on the disk by
 * its name, which tells the same; whoever needs sums, or all that is here, waits.
 */
export class Listing {
  readonly #components: ListingComponents;
  readonly #folders = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
  #listing: Promise<void> | undefined;
  #isDone = false;

  constructor(components: ListingComponents) {
    this.#components = components;
  }

  /** The index knows all that is here. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Lists what is not listed yet; where that fails, whoever asks next goes on from there. */
  listed(signal: AbortSignal): Promise<void> {
    if (this.#isDone) return Promise.resolve();
    this.#listing ??= this.#list(signal).finally(() => {
      this.#listing = undefined;
    });
    return this.#listing;
  }

  /** What is known of a blob that is here; undefined where it is not. */
  async find(hash: BlobHash): Promise<IndexEntry | undefined> {
    const { files, layout, index } = this.#components;
    const known = index.get(hash);
    if (known !== undefined || this.#isDone) return known;
    const facts = await files.lstat(layout.pathOf(hash)).catch(() => undefined);
    // Listed meanwhile, it may have been taken away since that look.
    if (facts?.isFile() === true && !this.#isDone) index.found(hash, facts.size, facts.mtimeMs);
    return index.get(hash);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { layout, index, hasher, dropPieces } = this.#components;
    while (this.#folders.length > 0) {
      signal.throwIfAborted();
      const names = this.#folders.slice(-FOLDERS_AT_ONCE);
      for (const folder of await hasher.scan(names.map((name) => join(layout.blobs, name)))) {
        index.load(folder);
        for (const hash of folder.orphans) await dropPieces(hash);
      }
      this.#folders.length -= names.length;
    }
    this.#isDone = true;
    index.loaded();
  }
}
