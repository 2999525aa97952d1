import type { KnownRecord } from '@cuadro/protocol';
import type { Startable } from '../system/interface.ts';

/** One atomic, durable change. */
export interface StoreBatch {
  put: KnownRecord[];
  /** Keys (`recordKey`) of records that are gone: a deleted job's tasks. */
  remove: string[];
  /** The highest term seen (SPEC R40). */
  term?: number;
}

export interface LoadOptions {
  /** Called with each record as it is read, instead of a list of all: a million as objects would fill the memory. */
  each?(record: KnownRecord): void;
  /** With `each`: awaited once, when all but the task records were given, and before the first of these. */
  beforeTasks?(): Promise<void>;
}

/** What a start found of the records. */
export interface Loaded {
  /** Every record, or none where `each` has got them. */
  records: KnownRecord[];
  term: number;
  /** Records that were left out, since their bytes are damaged; they are fetched again from others. */
  damaged: number;
  /**
   * Records that were here may be missing: some of the latest writes were lost, now or before an earlier start
   * (`cut`), or the database was damaged and exchanged for what could be read of it, just now (`rescued`) or before
   * (`aside`). `gone` says who finds files that no record is left of. It is said at every start until it is ended.
   */
  lacks?: 'cut' | 'rescued' | 'aside' | 'gone';
}

/** What may be missing, for who keeps what belongs to it, and finds that nothing is in doubt any more. */
export interface Lack {
  /** How long the node has run with it, over all its starts. */
  readonly ranMs: number;
  /** Notes durably that it ran on for so long. */
  ran(ms: number): Promise<void>;
  /** No later start hears of it. A damaged database that was put aside stays where it is. */
  end(): Promise<void>;
}

/** The records of one node, durable. Opened by one process at a time. */
export interface RecordStore extends Startable {
  /** Where the files turn out damaged while they are read, `each` may get a record twice. */
  load(options?: LoadOptions): Promise<Loaded>;
  /** Resolves once all of it is durable (fsynced), or rejects with nothing of it written. */
  write(batch: StoreBatch): Promise<void>;
  /**
   * Small values of the node itself, such as what it has collected: `key` → JSON. Durable like `write`. One that turns
   * out damaged counts as absent (SPEC R172).
   */
  getLocal(key: string): Promise<unknown>;
  setLocal(entries: Record<string, unknown>): Promise<void>;
  /** All local values whose key starts with `prefix`. */
  listLocal(prefix: string): Promise<[key: string, value: unknown][]>;
  /** Gives the same one by one, as the JSON text that is stored: for values of which there are very many. */
  eachLocalText(prefix: string, each: (key: string, text: string) => void): Promise<void>;
  /** Keys of those that are stored and damaged. */
  listDamagedLocal(): Promise<string[]>;
}
