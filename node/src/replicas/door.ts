import {
  decode,
  isCanonical,
  isSurelyCanonical,
  knownRecordSchema,
  RECORD_BYTES_MAX,
  recordKey,
  verifyRecord,
  type KnownRecord,
  type RecordBytes,
  type TaskRecord,
  type Verify,
} from '@cuadro/protocol';
import { digestOf, sameDigest } from './digests.ts';

/** Why a record is refused at the door. */
export type RecordRefusal = 'malformed-record' | 'unknown-record' | 'badly-signed-record';

export type ReadRecord =
  | {
      readonly kind: 'record';
      readonly key: string;
      readonly digest: Uint8Array;
      readonly record: KnownRecord;
    }
  /** Held already in the same bytes. */
  | { readonly kind: 'held'; readonly key: string; readonly digest: Uint8Array }
  | { readonly kind: 'refused'; readonly reason: RecordRefusal };

/**
 * Reads the canonical bytes of a task record as this version writes it, at a fraction of what the general way costs;
 * undefined for everything else, which then goes the general way.
 */
export type ReadTask = (canonical: Uint8Array) => TaskRecord | undefined;

const refused = (reason: RecordRefusal): ReadRecord => ({ kind: 'refused', reason });

/**
 * The door of all replicated records: bounded bytes that are canonical (SPEC R4), of a form that this version
 * knows, with good signatures only (R30). What it lets in is the value as it came, so that what newer versions put
 * into it, at any depth, is kept, hashed and passed on (R26).
 */
export class RecordDoor {
  readonly #verify: Verify;
  readonly #bytes: RecordBytes;
  /** Digest of the record that is held under a key. */
  readonly #held: (key: string) => Uint8Array | undefined;
  readonly #readTask: ReadTask;
  readonly #digests = new WeakMap<KnownRecord, Uint8Array>();

  constructor(components: {
    verify: Verify;
    bytes: RecordBytes;
    held: (key: string) => Uint8Array | undefined;
    readTask?: ReadTask;
  }) {
    this.#verify = components.verify;
    this.#bytes = components.bytes;
    this.#held = components.held;
    this.#readTask = components.readTask ?? (() => undefined);
  }

  read(bytes: Uint8Array): ReadRecord {
    try {
      return this.#read(bytes);
    } catch {
      // Whatever a peer's bytes do to a decoder (nest deeper than the stack is) is malformed, and never more than that.
      return refused('malformed-record');
    }
  }

  /** Of a record as it was let in here; undefined for others, also for what merging made of it. */
  digestOf(record: KnownRecord): Uint8Array | undefined {
    return this.#digests.get(record);
  }

  #read(bytes: Uint8Array): ReadRecord {
    const task = this.#task(bytes);
    const record = task ?? this.#general(bytes);
    if (record === undefined) return refused('unknown-record');
    const key = recordKey(record);
    const digest = digestOf(key, bytes);
    if (sameDigest(this.#held(key), digest)) return { kind: 'held', key, digest };
    if (task === undefined && !isCanonical(bytes, record)) return refused('malformed-record');
    if (!verifyRecord(record, this.#verify)) return refused('badly-signed-record');
    // A copy: these are a part of a message, whose memory would be kept with them.
    this.#bytes.remember(record, bytes.slice());
    this.#digests.set(record, digest);
    return { kind: 'record', key, digest, record };
  }

  /** Nearly all records are tasks: of 17 nodes that dispatch, 43 % of the time went into reading them the general way. */
  #task(bytes: Uint8Array): TaskRecord | undefined {
    if (bytes.length > RECORD_BYTES_MAX || !isSurelyCanonical(bytes)) return undefined;
    return this.#readTask(bytes);
  }

  #general(bytes: Uint8Array): KnownRecord | undefined {
    const value = decode(bytes);
    return knownRecordSchema.safeParse(value).success ? (value as KnownRecord) : undefined;
  }
}
