import { mkdir } from 'node:fs/promises';
import { recordKey, RecordBytes, type KnownRecord } from '@cuadro/protocol';
import { StoreError, StoreWriteError } from './errors.ts';
import type { Loaded, LoadOptions, RecordStore, StoreBatch } from './interface.ts';
import { type Database, LevelDatabase } from './level-database.ts';
import { FORMAT, spaceKey, spaceRange, withoutSpace } from './keys.ts';
import { KnownTerms } from './known-terms.ts';
import { type LackMark, lackIn, markLack, markTermTaken } from './lack.ts';
import { jsonOfLocal, localFromText, localToText } from './local-text.ts';
import { recordFromBytes, recordToBytes } from './record-bytes.ts';
import { finishRescue, hasBrokenLog, isDamage, rescue, wouldLose } from './rescue.ts';

type Operation = { type: 'put'; key: string; value: Uint8Array } | { type: 'del'; key: string };

/** Values read at once: enough to share the way to the database's thread, and soon taken apart. */
const READ_COUNT = 1_000;
/** So that a read ends by that count: the usual 16 KiB end it after 20 task records. */
const READ = { highWaterMarkBytes: 4 * 2 ** 20 };
/** The node's own values that are read together. */
const LOCAL_AT_ONCE = 1_000;

const text = new TextEncoder();
const fromText = new TextDecoder();
const valueBytes = (value: unknown): Uint8Array => text.encode(localToText(value));

/** Plain JSON in every version, so that an older node reads it and refuses. */
const formatPut: Operation = {
  type: 'put',
  key: spaceKey('meta', 'format'),
  value: text.encode(JSON.stringify(FORMAT)),
};

/** Records in LevelDB below `folder`; every write is one atomic, fsynced batch. */
export function createLevelStore(folder: string, components: { bytes?: RecordBytes } = {}): RecordStore {
  return new LevelStore(folder, components.bytes ?? new RecordBytes());
}

class LevelStore implements RecordStore {
  readonly #folder: string;
  readonly #bytes: RecordBytes;
  #database: LevelDatabase | undefined;
  /** The database was exchanged for what could be read of it, by this run. */
  #isRescued = false;
  /** What waits for the write that is under way; it goes out together. */
  #waiting: Operation[] = [];
  #next: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** Why a write failed since the database was opened. */
  #failure: Error | undefined;

  constructor(folder: string, bytes: RecordBytes) {
    this.#folder = folder;
    this.#bytes = bytes;
  }

  async start(): Promise<void> {
    if (this.#database !== undefined) return;
    await finishRescue(this.#folder);
    await mkdir(this.#folder, { recursive: true });
    if (await wouldLose(this.#folder)) await this.#rescue('repair');
    // To open it makes a new log, which tells nothing of what is missing.
    else if (await hasBrokenLog(this.#folder)) await markLack(this.#folder, 'cut');
    try {
      await this.#openDatabase();
    } catch (error) {
      if (!isDamage(error)) throw error;
      await this.#rescue('repair');
      await this.#openDatabase();
    }
  }

  async #openDatabase(): Promise<void> {
    let isNewer = false;
    const look = async (database: Database): Promise<void> => {
      const stored = await database.get(spaceKey('meta', 'format'));
      const format = stored === undefined ? 0 : Number(localFromText(fromText.decode(stored)));
      isNewer = format > FORMAT;
      // Before anything is written that an older node could not read.
      if (!isNewer && format !== FORMAT) await database.batch([formatPut], { sync: true });
    };
    let database: LevelDatabase;
    try {
      database = await LevelDatabase.open(this.#folder, look);
    } catch (cause) {
      throw new StoreError('store-open-failed', `The records in ${this.#folder} can't be opened.`, { cause });
    }
    if (isNewer) {
      await database.close();
      throw new StoreError(
        'store-open-failed',
        `The records in ${this.#folder} were written by a newer Cuadro.`,
      );
    }
    this.#database = database;
    this.#failure = undefined;
  }

  async #rescue(mode: 'read' | 'repair'): Promise<void> {
    await this.stop();
    await markLack(this.#folder, 'damaged');
    await rescue(this.#folder, mode);
    this.#isRescued = true;
  }

  async stop(): Promise<void> {
    await (this.#next ?? this.#writing).catch(() => undefined);
    const database = this.#database;
    this.#database = undefined;
    await database?.close();
  }

  async load(options: LoadOptions = {}): Promise<Loaded> {
    let mark = await lackIn(this.#folder);
    let loaded: Loaded;
    try {
      loaded = await this.#read(options, mark);
    } catch (error) {
      if (!isDamage(error)) throw error;
      await this.#rescue('read');
      await this.#openDatabase();
      mark = await lackIn(this.#folder);
      loaded = await this.#read(options, mark);
    }
    if (mark === undefined) return loaded;
    if (mark.isTermOld) {
      // What told of the older one may be gone by the next start.
      await this.write({ put: [], remove: [], term: loaded.term });
      await markTermTaken(this.#folder, mark);
    }
    const before = mark.why === 'damaged' ? 'aside' : mark.why;
    return { ...loaded, lacks: this.#isRescued ? 'rescued' : before };
  }

  #read(options: LoadOptions, mark: LackMark | undefined): Promise<Loaded> {
    return this.#use((database) => this.#readAll(database, options, mark));
  }

  async #readAll(database: Database, options: LoadOptions, mark: LackMark | undefined): Promise<Loaded> {
    const records: KnownRecord[] = [];
    let damaged = 0;
    const term = await this.#meta('term');
    const known = term === 'damaged' || mark?.isTermOld === true ? new KnownTerms() : undefined;
    let isBeforeTasks = true;
    const iterator = database.values({ ...spaceRange('record'), ...READ });
    try {
      let reading = iterator.nextv(READ_COUNT);
      for (let values = await reading; values.length > 0; values = await reading) {
        // The database reads on in its own thread while these are taken apart.
        reading = iterator.nextv(READ_COUNT);
        reading.catch(() => undefined);
        this.#database?.hasRead(sum(values, (value) => value.length));
        for (const value of values) {
          const record = recordFromBytes(value);
          if (record === undefined) {
            damaged++;
            continue;
          }
          known?.see(record);
          // The keys of tasks come after all others.
          if (record.kind === 'task' && isBeforeTasks) {
            isBeforeTasks = false;
            await options.beforeTasks?.();
          }
          if (options.each === undefined) records.push(record);
          else options.each(record);
        }
      }
    } finally {
      await iterator.close();
    }
    return { records, term: KnownTerms.of(term, known), damaged };
  }

  async write(batch: StoreBatch): Promise<void> {
    const operations: Operation[] = batch.put.map((record) => ({
      type: 'put',
      key: spaceKey('record', recordKey(record)),
      value: recordToBytes(record, this.#bytes.of(record)),
    }));
    for (const key of batch.remove) operations.push({ type: 'del', key: spaceKey('record', key) });
    if (batch.term !== undefined) {
      operations.push({ type: 'put', key: spaceKey('meta', 'term'), value: valueBytes(batch.term) });
    }
    await this.#batch(operations);
  }

  async getLocal(key: string): Promise<unknown> {
    const bytes = await this.#use((database) => database.get(spaceKey('local', key)));
    return bytes === undefined ? undefined : localFromText(fromText.decode(bytes));
  }

  async setLocal(entries: Record<string, unknown>): Promise<void> {
    await this.#batch(
      Object.entries(entries).map(([key, value]) =>
        value === undefined
          ? { type: 'del', key: spaceKey('local', key) }
          : { type: 'put', key: spaceKey('local', key), value: valueBytes(value) },
      ),
    );
  }

  async listLocal(prefix: string): Promise<[string, unknown][]> {
    const listed: [string, unknown][] = [];
    await this.eachLocalText(prefix, (key, text) => listed.push([key, JSON.parse(text)]));
    return listed;
  }

  eachLocalText(prefix: string, each: (key: string, text: string) => void): Promise<void> {
    return this.#eachLocal(prefix, (key, stored) => {
      const json = jsonOfLocal(stored);
      if (json !== undefined) each(key, json);
    });
  }

  async listDamagedLocal(): Promise<string[]> {
    const damaged: string[] = [];
    await this.#eachLocal('', (key, stored) => {
      if (jsonOfLocal(stored) === undefined) damaged.push(key);
    });
    return damaged;
  }

  /** Some at a time: of a job of a million tasks all of them at once would take hundreds of megabytes. */
  #eachLocal(prefix: string, each: (key: string, stored: string) => void): Promise<void> {
    const options = { ...spaceRange('local', prefix), ...READ, valueEncoding: 'utf8' };
    return this.#use(async (database) => {
      const iterator = database.iterator<string, string>(options);
      try {
        for (;;) {
          const entries = await iterator.nextv(LOCAL_AT_ONCE);
          if (entries.length === 0) return;
          this.#database?.hasRead(sum(entries, ([, stored]) => stored.length));
          for (const [key, stored] of entries) each(withoutSpace(key), stored);
        }
      } finally {
        await iterator.close();
      }
    });
  }

  async #use<T>(work: (database: Database) => Promise<T>): Promise<T> {
    return this.#open().use(work);
  }

  #open(): LevelDatabase {
    if (this.#database === undefined) throw new StoreError('store-closed', 'The records are not open.');
    return this.#database;
  }

  async #meta(key: string): Promise<number | 'damaged' | undefined> {
    const bytes = await this.#use((database) => database.get(spaceKey('meta', key)));
    if (bytes === undefined) return undefined;
    const value = localFromText(fromText.decode(bytes));
    return Number.isSafeInteger(value) ? (value as number) : 'damaged';
  }

  #batch(operations: readonly Operation[]): Promise<void> {
    if (operations.length === 0) return Promise.resolve();
    for (const operation of operations) this.#waiting.push(operation);
    this.#next ??= this.#writing.then(() => this.#writeWaiting());
    return this.#next;
  }

  #writeWaiting(): Promise<void> {
    const operations = this.#waiting;
    this.#waiting = [];
    this.#next = undefined;
    const written = this.#write(operations);
    this.#writing = written.catch(() => undefined);
    return written;
  }

  /**
   * One at a time, and none after one that failed (SPEC R175): LevelDB goes on behind what that one left in its log,
   * and at the next start drops what follows a torn write, however durable it was called.
   */
  async #write(operations: Operation[]): Promise<void> {
    const database = this.#open();
    try {
      if (this.#failure !== undefined) throw this.#failure;
      const written = database.use((level) => level.batch(operations, { sync: true }));
      // Written and synced to files that nobody finds any more, it would be durable for nobody (SPEC R174).
      const [isInPlace] = await Promise.all([database.isInPlace(), written]);
      if (!isInPlace) throw new Error(`The folder ${this.#folder} is gone.`);
    } catch (cause) {
      this.#failure ??= cause instanceof Error ? cause : new Error(String(cause));
      throw new StoreWriteError(this.#folder, this.#failure);
    }
  }
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  let total = 0;
  for (const one of all) total += of(one);
  return total;
}
