import { join } from 'node:path';
import type { FileCalls } from '../system/file-calls.ts';
import {
  createFileSynced,
  FolderSyncs,
  isNoSpace,
  isUnwritable,
  reasonOf,
  syncFolder,
  systemCode,
} from '../system/files.ts';
import type { Clock, Random } from '../system/interface.ts';
import type { BlobIndex } from './blob-index.ts';
import {
  BlobCorruptError,
  BlobMismatchError,
  BlobNotFoundError,
  BlobSourceUnreadableError,
  BlobStoreError,
  StoreFullError,
  StoreUnwritableError,
} from './errors.ts';
import { KeyedQueue } from './gate.ts';
import type { BlobGround } from './ground.ts';
import { type FileDigest, type Hasher, HashJobError } from './hasher.ts';
import type { BlobEvent, BlobHash, BlobInfo, BlobManifest, PutOptions } from './interface.ts';
import type { BlobLayout } from './layout.ts';
import { Listing } from './listing.ts';
import { blobLimits } from './options.ts';
import { encodePieces } from './pieces.ts';
import type { PinJournal } from './pins.ts';
import { encodedPiecesOf, VerifiedReader } from './reader.ts';

export interface ShelfComponents extends Omit<BlobGround, 'spawn'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly layout: BlobLayout;
  readonly hasher: Hasher;
  /** Threads of their own for pieces, which don't wait behind a pass over a large file. */
  readonly pieceHasher: Hasher;
  readonly index: BlobIndex;
  readonly pins: PinJournal;
  readonly emit: (event: BlobEvent) => void;
}

/**
 * The files of the store and what is known of them, kept in step: how a blob arrives, is verified, evicted, or
 * taken out of use. Lives from one start to the next stop.
 */
export class Shelf {
  readonly files: FileCalls;
  readonly digest: BlobGround['digest'];
  readonly layout: BlobLayout;
  readonly index: BlobIndex;
  readonly listing: Listing;
  readonly pins: PinJournal;
  readonly reader: VerifiedReader;
  /** For use while the blob's own queue is held. */
  readonly #readerWithin: VerifiedReader;
  readonly emit: (event: BlobEvent) => void;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #hasher: Hasher;
  readonly #folders: FolderSyncs;
  /** Folders in which all names are durable, as far as they are not on their way. */
  readonly #synced = new Set<string>();
  readonly #byHash = new KeyedQueue();

  constructor(components: ShelfComponents) {
    this.files = components.files;
    this.digest = components.digest;
    this.#folders = new FolderSyncs(components.files);
    this.layout = components.layout;
    this.index = components.index;
    this.pins = components.pins;
    this.emit = components.emit;
    this.#clock = components.clock;
    this.#random = components.random;
    this.#hasher = components.hasher;
    this.listing = new Listing({
      ...components,
      dropPieces: (hash) =>
        this.#byHash.run(hash, async () => {
          if ((await this.listing.find(hash)) !== undefined) return;
          await this.files.rm(this.layout.piecesPathOf(hash), { force: true });
        }),
    });
    const reading = {
      files: this.files,
      digest: this.digest,
      layout: this.layout,
      hasher: this.#hasher,
      pieceHasher: components.pieceHasher,
      keepPieces: (manifest: BlobManifest) =>
        this.keepPieces(manifest.hash, encodePieces(manifest)).catch(() => undefined),
    };
    this.reader = new VerifiedReader({ ...reading, quarantine: (hash) => this.quarantine(hash) });
    this.#readerWithin = new VerifiedReader({
      ...reading,
      quarantine: (hash) => this.#quarantineNow(hash),
    });
  }

  /** Resolves once the index knows all that is here. */
  async listed(signal: AbortSignal): Promise<void> {
    await this.listing.listed(signal).catch((error: unknown) => Promise.reject(this.explainWrite(error, 0)));
  }

  temporary(): string {
    return join(this.layout.incoming, `${this.#random.name()}.tmp`);
  }

  /** True when the blob is here, whole, and kept for `options.pin`: nothing needs to be written. */
  keepKnown(hash: BlobHash, options: PutOptions & { signal: AbortSignal }): Promise<boolean> {
    expectHash(hash, options.expectedHash);
    return this.#byHash.run(hash, async () => {
      const entry = await this.listing.find(hash);
      if (entry === undefined) return false;
      try {
        await this.verify(entry, options.signal, this.#readerWithin);
      } catch (error) {
        // A damaged or vanished copy is replaced by the new one.
        if (error instanceof BlobCorruptError || error instanceof BlobNotFoundError) return false;
        throw error;
      }
      this.touch(entry);
      await Promise.all([
        this.settle(hash),
        options.pin === undefined ? undefined : this.pins.add(hash, options.pin),
      ]);
      return true;
    });
  }

  async adoptOrRemove(temporary: string, found: FileDigest, options: PutOptions): Promise<BlobInfo> {
    try {
      return await this.adopt(temporary, found, options);
    } catch (error) {
      await this.files.rm(temporary, { force: true });
      throw error;
    }
  }

  /** Gives a synced temporary file its name, durably. */
  async adopt(temporary: string, found: FileDigest, options: PutOptions): Promise<BlobInfo> {
    const { hash, sizeBytes } = found;
    expectHash(hash, options.expectedHash);
    options.signal?.throwIfAborted();
    return this.#byHash.run(hash, async () => {
      const pieces = encodedPiecesOf(hash, sizeBytes, found.pieces);
      try {
        if (pieces !== undefined) await this.keepPieces(hash, pieces);
        // Renames over a copy that is here: the new bytes were verified a moment ago, the old ones once.
        await this.files.rename(temporary, this.layout.pathOf(hash));
        const synced = this.#syncFolderOf(hash);
        await Promise.all([synced, options.pin === undefined ? undefined : this.pins.add(hash, options.pin)]);
        // Whoever hears that it is here may promise that to others, so not before it will still be after a power cut.
        const added = this.index.add(hash, sizeBytes, this.#clock.wallTime());
        if (added) this.emit({ type: 'blob-stored', hash, sizeBytes });
      } catch (error) {
        throw this.explainWrite(error, sizeBytes);
      }
      return { hash, sizeBytes };
    });
  }

  /**
   * Makes the name of a blob durable that was found at the start: one that a killed process had just given it may go
   * with a power cut.
   */
  async settle(hash: BlobHash): Promise<void> {
    if (this.#synced.has(this.layout.folderOf(hash))) return;
    await this.#syncFolderOf(hash).catch((error: unknown) => Promise.reject(this.explainWrite(error, 0)));
  }

  async #syncFolderOf(hash: BlobHash): Promise<void> {
    const folder = this.layout.folderOf(hash);
    await this.#folders.sync(folder);
    this.#synced.add(folder);
  }

  async keepPieces(hash: BlobHash, encoded: Uint8Array): Promise<void> {
    const temporary = this.temporary();
    try {
      await createFileSynced(temporary, encoded, 0o444, this.files);
      await this.files.rename(temporary, this.layout.piecesPathOf(hash));
    } catch (error) {
      await this.files.rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  /** Throws `blob-corrupt` (after quarantine) or `blob-not-found` when the copy on disk is not what its name says. */
  async verify(entry: BlobInfo, signal: AbortSignal, reader = this.reader): Promise<void> {
    if (entry.sizeBytes > blobLimits.inlineBytes) await reader.verify(entry.hash, entry.sizeBytes, signal);
    else await reader.open(entry.hash, entry.sizeBytes, { start: 0, end: entry.sizeBytes }, signal);
  }

  /** Notes a use; on disk at most once an hour, as the time of the file, which only orders later evictions. */
  touch({ hash }: BlobInfo): void {
    const usedMs = this.#clock.wallTime();
    if (!this.index.touch(hash, usedMs, blobLimits.touchIntervalMs)) return;
    const seconds = usedMs / 1_000;
    this.files.utimes(this.layout.pathOf(hash), seconds, seconds).catch(() => undefined);
  }

  /** One pass over a file by the hash threads; errors become those of this room. */
  async passOver(
    path: string,
    options: {
      copyTo?: string;
      sync?: boolean;
      wholeOnly?: boolean;
      neededBytes?: number;
      signal: AbortSignal;
    },
  ): Promise<FileDigest> {
    try {
      return await this.#hasher.digest(path, options);
    } catch (error) {
      if (!(error instanceof HashJobError)) throw error;
      if (error.side === 'destination') throw this.explainWrite(error, options.neededBytes ?? 0);
      if (error.code === 'ECHANGED') throw new BlobMismatchError(`${path} changed while it was read.`);
      throw new BlobSourceUnreadableError(path, reasonOf(error), { cause: error });
    }
  }

  /** False when the blob was pinned meanwhile, or the disk refuses. */
  evict({ hash, sizeBytes }: BlobInfo): Promise<boolean> {
    return this.#byHash.run(hash, async () => {
      const entry = this.pins.table.isPinned(hash) ? undefined : this.index.remove(hash);
      if (entry === undefined) return false;
      try {
        await this.files.rm(this.layout.pathOf(hash), { force: true });
        await this.files.rm(this.layout.piecesPathOf(hash), { force: true });
      } catch {
        this.index.add(hash, sizeBytes, entry.usedMs);
        return false;
      }
      this.emit({ type: 'blob-evicted', hash, sizeBytes });
      return true;
    });
  }

  /** A file that went without us: the index forgets it, and whoever pinned it is told. */
  lost(hash: BlobHash): void {
    if (this.index.remove(hash) === undefined) return;
    this.emit({ type: 'blob-missing', hash, pinnedBy: this.pins.table.owners(hash) });
  }

  /**
   * Takes a blob out of use that a reader found damaged. The reader may have had an older file open than the one that
   * stands there now, so that is looked at again first.
   */
  quarantine(hash: BlobHash): Promise<void> {
    return this.#byHash.run(hash, async () => {
      if (!this.index.has(hash)) return;
      const state = await this.#stateOf(hash);
      if (state === 'damaged') await this.#quarantineNow(hash);
      else if (state === 'gone') this.lost(hash);
    });
  }

  /** What stands under a blob's name now; `unknown` where it can't be told, as while the store stops. */
  async #stateOf(hash: BlobHash): Promise<'whole' | 'damaged' | 'gone' | 'unknown'> {
    try {
      const { signal } = new AbortController();
      const found = await this.#hasher.digest(this.layout.pathOf(hash), { wholeOnly: true, signal });
      return found.hash === hash ? 'whole' : 'damaged';
    } catch (error) {
      const code = systemCode(error) ?? (error as { code?: unknown }).code;
      if (code === 'ENOENT') return 'gone';
      return code === 'EIO' || code === 'ENOTFILE' || code === 'ECHANGED' ? 'damaged' : 'unknown';
    }
  }

  /** The file is kept for a look as long as there is room. */
  async #quarantineNow(hash: BlobHash): Promise<void> {
    const { files, layout } = this;
    if (this.index.remove(hash) === undefined) return;
    this.emit({ type: 'blob-corrupt', hash, pinnedBy: this.pins.table.owners(hash) });
    try {
      await files.rename(layout.pathOf(hash), join(layout.quarantine, `${hash}.${this.#random.name()}`));
      await files.rm(layout.piecesPathOf(hash), { force: true });
      await syncFolder(layout.folderOf(hash), files);
      const names = await files.readdir(layout.quarantine);
      // Random names: which of the evidence goes does not matter, only that it stays bounded.
      for (const name of names.slice(blobLimits.quarantineFiles))
        await files.unlink(join(layout.quarantine, name));
    } catch {
      // The disk refuses; the index has forgotten the blob, so it is not served by this process all the same.
    }
  }

  /** What a failed write into the store means. */
  explainWrite(error: unknown, neededBytes: number): unknown {
    if (error instanceof BlobStoreError) return error;
    if (isNoSpace(error)) {
      return new StoreFullError(
        neededBytes,
        freeBytesNow(this.files, this.layout.root),
        `The disk of ${this.layout.root} is full.`,
        { cause: error },
      );
    }
    // All that is written here goes into folders of the store's own, so what isn't found is one of these.
    const isRefused = isUnwritable(error) || systemCode(error) === 'ENOENT';
    return isRefused ? new StoreUnwritableError(this.layout.root, { cause: error }) : error;
  }
}

/** Synchronous, since it only completes an error that is about to be thrown. */
function freeBytesNow(files: FileCalls, folder: string): number {
  try {
    const { bavail, bsize } = files.statfsSync(folder);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

function expectHash(hash: BlobHash, expected: BlobHash | undefined): void {
  if (expected !== undefined && hash !== expected) {
    throw new BlobMismatchError(
      `The content has the hash ${hash.slice(0, 12)}, not ${expected.slice(0, 12)}.`,
    );
  }
}
