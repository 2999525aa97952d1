import type { FileCalls, FileFacts } from '../system/file-calls.ts';
import { createFileSynced, isNoSpace, reasonOf, systemCode } from '../system/files.ts';
import { BlobMismatchError, BlobSourceUnreadableError, BlobTooLargeError } from './errors.ts';
import type { FileDigest } from './hasher.ts';
import type { BlobHash, BlobInfo, PutFileOptions, PutOptions } from './interface.ts';
import { blobLimits } from './options.ts';
import type { Shelf } from './shelf.ts';
import type { Space } from './space.ts';

/** The ways in: every one ends in `Shelf.adopt`, or leaves nothing behind. */
export class Intake {
  readonly #shelf: Shelf;
  readonly #files: FileCalls;
  readonly #space: Space;

  constructor(components: { shelf: Shelf; space: Space }) {
    this.#shelf = components.shelf;
    this.#files = components.shelf.files;
    this.#space = components.space;
  }

  async putFile(path: string, options: PutFileOptions & { signal: AbortSignal }): Promise<BlobInfo> {
    const { mode, signal } = options;
    const sizeBytes = await regularFileSize(this.#files, path);
    if (sizeBytes <= blobLimits.inlineBytes) {
      const bytes = await this.#files.readFile(path, { signal }).catch((error: unknown) => {
        signal.throwIfAborted();
        throw new BlobSourceUnreadableError(path, reasonOf(error), { cause: error });
      });
      const info = await this.putSmall(bytes, options);
      if (mode === 'move') await this.#files.unlink(path);
      return info;
    }
    // A file of a size that is here may be here itself: reading it twice is cheaper than writing it again.
    if (!this.#shelf.listing.isDone || this.#shelf.index.hasSize(sizeBytes)) {
      const found = await this.#shelf.passOver(path, { wholeOnly: true, signal });
      if (await this.#shelf.keepKnown(found.hash, options)) {
        if (mode === 'move') await this.#files.unlink(path);
        return { hash: found.hash, sizeBytes };
      }
    }
    const release = await this.#space.promise(sizeBytes, mode === 'move' ? 0 : sizeBytes);
    try {
      if (mode === 'move') {
        const moved = await this.#moveIn(path, options);
        if (moved !== undefined) return moved;
      }
      const temporary = this.#shelf.temporary();
      const found = await this.#shelf.passOver(path, {
        copyTo: temporary,
        sync: true,
        neededBytes: sizeBytes,
        signal,
      });
      const info = await this.#shelf.adoptOrRemove(temporary, found, options);
      if (mode === 'move') await this.#files.unlink(path);
      return info;
    } finally {
      release();
    }
  }

  /** Takes a file of the same file system by its name; undefined where it lies on another. */
  async #moveIn(path: string, options: PutOptions & { signal: AbortSignal }): Promise<BlobInfo | undefined> {
    const temporary = this.#shelf.temporary();
    try {
      await this.#files.rename(path, temporary);
    } catch (error) {
      if (systemCode(error) === 'EXDEV') return undefined;
      if (isNoSpace(error) || systemCode(error) === 'EROFS') throw this.#shelf.explainWrite(error, 0);
      throw new BlobSourceUnreadableError(path, reasonOf(error), { cause: error });
    }
    let moved: FileDigest | undefined;
    try {
      moved = await this.#shelf.passOver(temporary, { sync: true, signal: options.signal });
      return await this.#shelf.adopt(temporary, moved, options);
    } catch (error) {
      await this.#putBack(temporary, path, moved?.hash);
      throw error;
    }
  }

  /** After a failed move the source stands where it was, also when the file had its new name already. */
  async #putBack(temporary: string, path: string, hash: BlobHash | undefined): Promise<void> {
    try {
      await this.#files.rename(temporary, path);
    } catch {
      if (hash === undefined) return;
      await this.#files.copyFile(this.#shelf.layout.pathOf(hash), path).catch(() => undefined);
    }
  }

  async putSmall(bytes: Uint8Array, options: PutOptions & { signal: AbortSignal }): Promise<BlobInfo> {
    const hash = await this.#shelf.digest(bytes);
    if (await this.#shelf.keepKnown(hash, options)) return { hash, sizeBytes: bytes.length };
    const release = await this.#space.promise(bytes.length);
    const temporary = this.#shelf.temporary();
    try {
      options.signal.throwIfAborted();
      await createFileSynced(temporary, bytes, 0o444, this.#files).catch((error: unknown) => {
        throw this.#shelf.explainWrite(error, bytes.length);
      });
      return await this.#shelf.adopt(
        temporary,
        { hash, sizeBytes: bytes.length, pieces: new Uint8Array() },
        options,
      );
    } catch (error) {
      await this.#files.rm(temporary, { force: true });
      throw error;
    } finally {
      release();
    }
  }

  async putStream(
    chunks: AsyncIterable<Uint8Array>,
    options: PutOptions & { sizeBytes: number; signal: AbortSignal },
  ): Promise<BlobInfo> {
    const { sizeBytes, signal } = options;
    if (!(sizeBytes >= 0 && sizeBytes <= blobLimits.blobBytesMax)) {
      throw new BlobTooLargeError(sizeBytes, blobLimits.blobBytesMax);
    }
    const release = await this.#space.promise(sizeBytes);
    const temporary = this.#shelf.temporary();
    try {
      await this.#writeStream(temporary, chunks, sizeBytes, signal);
      const found = await this.#shelf.passOver(temporary, { sync: true, signal });
      return await this.#shelf.adopt(temporary, found, options);
    } catch (error) {
      await this.#files.rm(temporary, { force: true });
      throw error;
    } finally {
      release();
    }
  }

  async #writeStream(
    path: string,
    chunks: AsyncIterable<Uint8Array>,
    sizeBytes: number,
    signal: AbortSignal,
  ): Promise<void> {
    const explain = (error: unknown): never => {
      throw this.#shelf.explainWrite(error, sizeBytes);
    };
    const file = await this.#files.open(path, 'wx', 0o444).catch(explain);
    try {
      let written = 0;
      for await (const chunk of chunks) {
        signal.throwIfAborted();
        written += chunk.length;
        if (written > sizeBytes) break;
        await file.writeFile(chunk).catch(explain);
      }
      if (written !== sizeBytes)
        throw new BlobMismatchError(`${sizeBytes} bytes were announced, others came.`);
    } finally {
      await file.close();
    }
  }
}

async function regularFileSize(files: FileCalls, path: string): Promise<number> {
  // A symbolic link is followed; what it leads to must be a regular file, never a device or a pipe.
  const found = await statOf(files, path);
  if (!found.isFile()) throw new BlobSourceUnreadableError(path, 'it is no regular file');
  if (found.size > blobLimits.blobBytesMax) throw new BlobTooLargeError(found.size, blobLimits.blobBytesMax);
  return found.size;
}

async function statOf(files: FileCalls, path: string): Promise<FileFacts> {
  try {
    return await files.stat(path);
  } catch (error) {
    throw new BlobSourceUnreadableError(path, reasonOf(error), { cause: error });
  }
}
