import { recordKey, type KnownRecord, type RecordBytes } from '@cuadro/protocol';
import { StoreError } from './errors.ts';
import type { LoadOptions, RecordStore, StoreBatch } from './interface.ts';
import { jsonOfLocal, localFromText, localToText } from './local-text.ts';
import { recordFromBytes, recordToBytes } from './record-bytes.ts';

/** What survives of a memory store when its node is restarted. */
export interface MemoryDisk {
  records: Map<string, Uint8Array>;
  local: Map<string, string>;
  term: number;
}

export const emptyDisk = (): MemoryDisk => ({ records: new Map(), local: new Map(), term: 0 });

/** The memory twin of the LevelDB store, for tests and simulation; it keeps bytes, so nothing is shared by accident. */
export function createMemoryStore(
  disk: MemoryDisk = emptyDisk(),
  init: { bytes?: RecordBytes } = {},
): RecordStore {
  return new MemoryStore(disk, init.bytes);
}

class MemoryStore implements RecordStore {
  readonly #disk: MemoryDisk;
  /** Shared with whoever else encodes the records. */
  readonly #bytes: RecordBytes | undefined;
  #started = false;

  constructor(disk: MemoryDisk, bytes: RecordBytes | undefined) {
    this.#disk = disk;
    this.#bytes = bytes;
  }

  start(): Promise<void> {
    this.#started = true;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#started = false;
    return Promise.resolve();
  }

  async load(options: LoadOptions = {}): Promise<{ records: KnownRecord[]; term: number; damaged: number }> {
    const { records, term } = await this.#open();
    const read = [...records.keys()].sort().map((key) => recordFromBytes(records.get(key) as Uint8Array));
    const whole = read.filter((record) => record !== undefined);
    const firstTask = whole.findIndex(({ kind }) => kind === 'task');
    for (const [i, record] of options.each === undefined ? [] : whole.entries()) {
      if (i === firstTask) await options.beforeTasks?.();
      options.each?.(record);
    }
    return { records: options.each === undefined ? whole : [], term, damaged: read.length - whole.length };
  }

  async write(batch: StoreBatch): Promise<void> {
    const disk = await this.#open();
    const encoded = batch.put.map(
      (record) => [recordKey(record), recordToBytes(record, this.#bytes?.of(record))] as const,
    );
    for (const [key, bytes] of encoded) disk.records.set(key, bytes);
    for (const key of batch.remove) disk.records.delete(key);
    if (batch.term !== undefined) disk.term = batch.term;
  }

  async getLocal(key: string): Promise<unknown> {
    const text = (await this.#open()).local.get(key);
    return text === undefined ? undefined : localFromText(text);
  }

  async setLocal(entries: Record<string, unknown>): Promise<void> {
    const { local } = await this.#open();
    for (const [key, value] of Object.entries(entries)) {
      if (value === undefined) local.delete(key);
      else local.set(key, localToText(value));
    }
  }

  async listLocal(prefix: string): Promise<[string, unknown][]> {
    const listed: [string, unknown][] = [];
    await this.eachLocalText(prefix, (key, text) => listed.push([key, JSON.parse(text)]));
    return listed;
  }

  async eachLocalText(prefix: string, each: (key: string, text: string) => void): Promise<void> {
    const { local } = await this.#open();
    const stored = [...local].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, text] of stored) {
      const json = jsonOfLocal(text);
      if (json !== undefined) each(key, json);
    }
  }

  async listDamagedLocal(): Promise<string[]> {
    const { local } = await this.#open();
    return [...local].filter(([, stored]) => jsonOfLocal(stored) === undefined).map(([key]) => key);
  }

  #open(): Promise<MemoryDisk> {
    if (!this.#started) return Promise.reject(new StoreError('store-closed', 'The records are not open.'));
    return Promise.resolve(this.#disk);
  }
}
