import { stat, statfs } from 'node:fs/promises';
import { Level } from 'level';
import { StoreError } from './errors.ts';
import { hasBrokenLog, wouldLose } from './rescue.ts';

/**
 * Open files of the database, which are mapped into the memory of the process: with the usual thousand all that was ever
 * read of a season counts as memory in use. Reading in order takes one after the other. LevelDB takes no fewer.
 */
const OPEN_FILES_MAX = 74;
/**
 * Bytes of each, half of the usual and the least that LevelDB takes: so it maps no more than 64 MB. To write in the order
 * of the keys costs it a twentieth more processor time so.
 */
const FILE_BYTES_MAX = 2 ** 20;
/** Bytes that long readings may have read, and so mapped, before the database is opened anew. */
const READ_BYTES_MAX = 16 * 2 ** 20;
/** Free bytes below which it stays open: to open it writes what its log holds into a table, and begins new lists. */
const ROOM_BYTES_MIN = 64 * 2 ** 20;

/** Bytes of its cache, a quarter of the usual: all records are in memory, and of the rest little is read twice. */
const CACHE_BYTES = 2 * 2 ** 20;

const OPTIONS = {
  keyEncoding: 'utf8',
  valueEncoding: 'view',
  maxOpenFiles: OPEN_FILES_MAX,
  maxFileSize: FILE_BYTES_MAX,
  cacheSize: CACHE_BYTES,
} as const;

export type Database = Level<string, Uint8Array>;

/**
 * An open LevelDB. It keeps mapped what was read of it, 64 MB after a start that reads a season, and has no way to give
 * that back but to be closed. So it is opened anew after long readings, in a moment in which nobody uses it; who comes
 * meanwhile waits for some tens of milliseconds.
 */
export class LevelDatabase {
  readonly #folder: string;
  /** Which folder was opened, by the file system's own account. */
  readonly #place: string;
  readonly #database: Database;
  readonly #readBytesMax: number;
  #users = 0;
  #readBytes = 0;
  #renewing: Promise<void> | undefined;
  #isClosed = false;

  private constructor(init: { folder: string; place: string; database: Database; readBytesMax: number }) {
    this.#folder = init.folder;
    this.#place = init.place;
    this.#database = init.database;
    this.#readBytesMax = init.readBytesMax;
  }

  /** `check` looks at it before anything is written; where it rejects, it is closed again. */
  static async open(
    folder: string,
    check: (database: Database) => Promise<void>,
    init: { readBytesMax?: number; database?: Database } = {},
  ): Promise<LevelDatabase> {
    const { readBytesMax = READ_BYTES_MAX, database = levelIn(folder) } = init;
    try {
      await database.open();
      await check(database);
    } catch (error) {
      await database.close().catch(() => undefined);
      throw error;
    }
    return new LevelDatabase({ folder, place: await placeOf(folder), database, readBytesMax });
  }

  /** Keeps it open until the work is done. @throws StoreError where it can't be opened again. */
  async use<T>(work: (database: Database) => Promise<T>): Promise<T> {
    while (this.#renewing !== undefined) await this.#renewing;
    this.#users += 1;
    try {
      if (this.#isClosed) throw new StoreError('store-closed', 'The records are not open.');
      if (this.#database.status !== 'open') await this.#openAgain();
      return await work(this.#database);
    } finally {
      this.#users -= 1;
      if (this.#isToBeRenewed) this.#renewing = this.#renew();
    }
  }

  /** Whether its name stands for the folder that was opened still: what is written elsewhere is found by nobody. */
  async isInPlace(): Promise<boolean> {
    return (await placeOf(this.#folder)) === this.#place;
  }

  /** So many bytes of values came of a long reading. */
  hasRead(bytes: number): void {
    this.#readBytes += bytes;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#renewing;
    await this.#database.close();
  }

  get #isToBeRenewed(): boolean {
    const isLeftAlone = this.#users === 0 && this.#renewing === undefined && !this.#isClosed;
    return isLeftAlone && this.#readBytes >= this.#readBytesMax;
  }

  /** Never rejects: whoever uses it next opens it, and is told where that can't be done. */
  async #renew(): Promise<void> {
    this.#readBytes = 0;
    try {
      if (!(await this.#wouldOpen())) return;
      await this.#database.close();
      await this.#openAgain();
    } catch {
      // It is open still, or `use` tries again.
    } finally {
      this.#renewing = undefined;
    }
  }

  /** What can't be opened stays open: it can be read as it is, and the next start knows what to do about it. */
  async #wouldOpen(): Promise<boolean> {
    if (!(await this.isInPlace())) return false;
    const { bavail, bsize } = await statfs(this.#folder);
    if (bavail * bsize < ROOM_BYTES_MIN) return false;
    return !(await wouldLose(this.#folder)) && !(await hasBrokenLog(this.#folder));
  }

  async #openAgain(): Promise<void> {
    try {
      // A folder that somebody else made in its place would begin with nothing.
      await this.#database.open({ createIfMissing: false });
    } catch (cause) {
      throw new StoreError('store-open-failed', `The records in ${this.#folder} can't be opened again.`, {
        cause,
      });
    }
  }
}

/** LevelDB below a folder, not open yet. */
export const levelIn = (folder: string): Database => new Level<string, Uint8Array>(folder, OPTIONS);

/** Device and number of a folder; a name that stands for another folder now, or for none, gives another. */
async function placeOf(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => undefined);
  return found === undefined ? '' : `${found.dev}:${found.ino}`;
}
