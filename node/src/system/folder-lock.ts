import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DataFolderInUseError, DataFolderUnwritableError } from './errors.ts';
import { isUnwritable, reasonOf } from './files.ts';
import { makeFolderSync } from './folders.ts';
import type { Startable } from './interface.ts';

/** SQLite's result for a lock that another connection holds. */
const sqliteBusy = 5;

/**
 * Keeps a second node off a data folder. The lock is SQLite's exclusive file lock (a POSIX record lock, or the
 * Windows equal) on an empty database: the kernel drops it with the process, however it dies, so a stale lock
 * cannot exist and no pid has to be judged. The pid beside it is for the message alone.
 */
export function createFolderLock(folder: string): Startable {
  return new FolderLock(folder);
}

class FolderLock implements Startable {
  readonly #folder: string;
  #database: DatabaseSync | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get #pidFile(): string {
    return join(this.#folder, 'node.pid');
  }

  async start(): Promise<void> {
    if (this.#database !== undefined) return;
    let database: DatabaseSync | undefined;
    try {
      makeFolderSync(this.#folder);
      const lock = join(this.#folder, 'node.lock');
      // Shows a read-only or full folder as a system error with its code, which SQLite would blur.
      writeFileSync(lock, '', { flag: 'a' });
      // What stands in it is damage: no node writes there. SQLite refuses most of it, and takes some for a database of a
      // later version, which it only reads, and lets two open at once.
      if (statSync(lock).size > 0) truncateSync(lock);
      database = new DatabaseSync(lock, { timeout: 0 });
      // Nothing is ever written, so no rollback file needs to lie about.
      database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
      writeFileSync(this.#pidFile, `${process.pid}\n`);
    } catch (error) {
      database?.close();
      throw this.#explain(error);
    }
    this.#database = database;
  }

  async stop(): Promise<void> {
    if (this.#database === undefined) return;
    const database = this.#database;
    this.#database = undefined;
    try {
      rmSync(this.#pidFile, { force: true });
    } finally {
      database.close();
    }
  }

  #explain(error: unknown): unknown {
    if ((error as { errcode?: number }).errcode === sqliteBusy) {
      return new DataFolderInUseError(this.#folder, readPid(this.#pidFile), { cause: error });
    }
    const code = (error as NodeJS.ErrnoException).code;
    const refused =
      isUnwritable(error) || ['ENOSPC', 'EDQUOT', 'ENOTDIR', 'EEXIST', 'ENOENT'].includes(code ?? '');
    if (refused || code === 'ERR_SQLITE_ERROR') {
      return new DataFolderUnwritableError(this.#folder, reasonOf(error), { cause: error });
    }
    return error;
  }
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
