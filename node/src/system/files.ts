import { constants } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type FileCalls, type OpenFile, systemFileCalls } from './file-calls.ts';
import type { Random } from './interface.ts';

/** Durable files: what a promise of this module reports as written survives a power cut. */

/** Makes the names in a folder durable: files created, renamed or removed in it before the call. */
export async function syncFolder(folder: string, files: FileCalls = systemFileCalls): Promise<void> {
  let handle: OpenFile;
  try {
    handle = await files.open(folder, constants.O_RDONLY);
  } catch (error) {
    // Windows opens no folders, and needs no such sync.
    if (process.platform === 'win32') return;
    throw error;
  }
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Folder syncs shared by all who wait: a call that arrives while one is running needs a sync that starts after
 * it, and so do all others that arrive meanwhile; one more sync serves them all.
 */
export class FolderSyncs {
  readonly #files: FileCalls;
  readonly #running = new Map<string, { current: Promise<void>; next: Promise<void> | undefined }>();

  constructor(files: FileCalls = systemFileCalls) {
    this.#files = files;
  }

  async sync(folder: string): Promise<void> {
    const entry = this.#running.get(folder);
    if (entry === undefined) return this.#begin(folder);
    entry.next ??= entry.current.then(
      () => this.#begin(folder),
      () => this.#begin(folder),
    );
    return entry.next;
  }

  #begin(folder: string): Promise<void> {
    const current = syncFolder(folder, this.#files).finally(() => {
      // Whoever waits for `next` begins it in a reaction to `current`, and installs its own entry then.
      if (this.#running.get(folder)?.current === current) this.#running.delete(folder);
    });
    this.#running.set(folder, { current, next: undefined });
    return current;
  }
}

/** Writes all of `data`, or of its parts, to a new file (which must not exist) and syncs its content, not its name. */
export async function createFileSynced(
  path: string,
  data: Uint8Array | string | Iterable<string>,
  mode = 0o644,
  files: FileCalls = systemFileCalls,
): Promise<void> {
  const handle = await files.open(path, 'wx', mode);
  try {
    const parts = typeof data === 'string' || data instanceof Uint8Array ? [data] : data;
    for (const part of parts) await handle.writeFile(part);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces `path` by `data`, whole or not at all: temporary name in the same folder, fsync, rename, fsync of the
 * folder. After a failure the old file stands and nothing is left beside it; after a power cut a file named
 * `.<name>.<random>.tmp` may be.
 */
export async function writeFileDurably(
  components: { random: Random },
  path: string,
  data: Uint8Array | string,
  options: { mode?: number } = {},
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(
    folder,
    `.${path.slice(folder.length).replace(/^[/\\]/, '')}.${components.random.name()}.tmp`,
  );
  await replaceDurably(temporary, path, data, options);
}

/** The same by way of a name in the same folder that the caller chose, and at which nothing is. */
export async function replaceDurably(
  temporary: string,
  path: string,
  data: Uint8Array | string,
  options: { mode?: number } = {},
): Promise<void> {
  try {
    await createFileSynced(temporary, data, options.mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Bytes that an ordinary user may still write on the file system of `path`. */
export async function freeDiskBytes(path: string, files: FileCalls = systemFileCalls): Promise<number> {
  const { bavail, bsize } = await files.statfs(path);
  return bavail * bsize;
}

/** The `code` of a system error ('ENOENT'…), or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** The disk or the user's quota on it is full. */
export function isNoSpace(error: unknown): boolean {
  const code = systemCode(error);
  // SQLite, which holds the lock of the data folder, has a number of its own for it (SQLITE_FULL).
  if (code === 'ERR_SQLITE_ERROR') return (error as { errcode?: unknown }).errcode === 13;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** The folder or its file system refuses to be written to. */
export function isUnwritable(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'EROFS' || code === 'EACCES' || code === 'EPERM';
}

/** A plain reason for a person, for the common system errors. */
export function reasonOf(error: unknown): string {
  switch (systemCode(error)) {
    case 'ENOENT':
      return 'it does not exist';
    case 'EEXIST':
      return 'a file of that name is there already';
    case 'EACCES':
    case 'EPERM':
      return 'permission was denied';
    case 'EROFS':
      return 'the file system is read-only';
    case 'ENOSPC':
      return 'the disk is full';
    case 'EDQUOT':
      return "the user's disk quota is used up";
    case 'EISDIR':
      return 'it is a folder';
    case 'ENOTDIR':
      return 'a part of the path is not a folder';
    case 'EIO':
      return 'the disk reported an error';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
