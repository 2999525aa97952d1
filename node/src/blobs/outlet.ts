import { dirname } from 'node:path';
import type { FileCalls } from '../system/file-calls.ts';
import { createFileSynced, reasonOf, syncFolder, systemCode } from '../system/files.ts';
import type { TemporaryFiles } from '../system/temporary-files.ts';
import {
  BlobCorruptError,
  BlobStoreError,
  DestinationExistsError,
  DestinationUnwritableError,
} from './errors.ts';
import { type Hasher, HashJobError } from './hasher.ts';
import type { BlobInfo, MaterializeOptions } from './interface.ts';
import { blobLimits } from './options.ts';
import type { Shelf } from './shelf.ts';

/** The way out to a file of somebody else's: verified as it is copied, whole or not at all. */
export class Outlet {
  readonly #shelf: Shelf;
  readonly #hasher: Hasher;
  readonly #temporaries: TemporaryFiles;

  constructor(components: { shelf: Shelf; hasher: Hasher; temporaries: TemporaryFiles }) {
    this.#shelf = components.shelf;
    this.#hasher = components.hasher;
    this.#temporaries = components.temporaries;
  }

  async materialize(
    entry: BlobInfo,
    destination: string,
    options: MaterializeOptions & { signal: AbortSignal },
  ): Promise<void> {
    const { files } = this.#shelf;
    const folder = dirname(destination);
    const temporary = this.#temporaries.take(folder);
    try {
      await this.#copyOut(entry, temporary, options, options.signal);
      options.signal.throwIfAborted();
      if (options.existing === 'refuse') await renameExclusively(files, temporary, destination);
      else await files.rename(temporary, destination);
      if (options.durable === true) await syncFolder(folder, files);
    } catch (error) {
      await files.rm(temporary, { force: true }).catch(() => undefined);
      if (error instanceof BlobStoreError || systemCode(error) === undefined) throw error;
      throw new DestinationUnwritableError(destination, reasonOf(error), { cause: error });
    } finally {
      this.#temporaries.giveBack(temporary);
    }
  }

  async #copyOut(
    entry: BlobInfo,
    temporary: string,
    options: MaterializeOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const { hash, sizeBytes } = entry;
    const { fileMode = 0o444, durable = false } = options;
    if (sizeBytes <= blobLimits.inlineBytes) {
      const bytes = await this.#wholeOf(entry, signal);
      if (durable) return createFileSynced(temporary, bytes, fileMode, this.#shelf.files);
      const file = await this.#shelf.files.open(temporary, 'wx', fileMode);
      try {
        return await file.writeFile(bytes);
      } finally {
        await file.close();
      }
    }
    const source = this.#shelf.layout.pathOf(hash);
    let found: { hash: string };
    try {
      found = await this.#hasher.digest(source, { copyTo: temporary, mode: fileMode, sync: durable, signal });
    } catch (error) {
      throw error instanceof HashJobError && error.side === 'source'
        ? await this.#shelf.reader.explain(hash, error)
        : error;
    }
    if (found.hash === hash) return;
    await this.#shelf.quarantine(hash);
    throw new BlobCorruptError(hash);
  }

  async #wholeOf(entry: BlobInfo, signal: AbortSignal): Promise<Uint8Array> {
    const range = { start: 0, end: entry.sizeBytes };
    const { chunks } = await this.#shelf.reader.open(entry.hash, entry.sizeBytes, range, signal);
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    return Buffer.concat(parts);
  }
}

/** Gives a file its name only if nobody has it: by a second hard link, the one exclusive way; else by looking first. */
async function renameExclusively(files: FileCalls, temporary: string, destination: string): Promise<void> {
  try {
    await files.link(temporary, destination);
    await files.rm(temporary);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw new DestinationExistsError(destination);
    // File systems without hard links (exFAT, many network shares).
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(systemCode(error) ?? ''))
      throw error;
    if ((await files.lstat(destination).catch(() => undefined)) !== undefined)
      throw new DestinationExistsError(destination);
    await files.rename(temporary, destination);
  }
}
