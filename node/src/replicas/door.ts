import type { KnownRecord, RecordBytes, Verify } from '@cuadro/protocol';
import { sameDigest } from './digests.ts';
import { createRecordReader, type ReadTask, type RecordReader, type RecordRefusal } from './reader.ts';

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

const refused = (reason: RecordRefusal): ReadRecord => ({ kind: 'refused', reason });

/**
 * The door of all replicated records: bounded bytes that are canonical (SPEC R4), of a form that this version
 * knows, with good signatures only (R30). What it lets in is the value as it came, so that what newer versions put
 * into it, at any depth, is kept, hashed and passed on (R26).
 */
export class RecordDoor {
  readonly #reader: RecordReader;
  readonly #bytes: RecordBytes;
  /** Digest of the record that is held under a key. */
  readonly #held: (key: string) => Uint8Array | undefined;
  readonly #digests = new WeakMap<KnownRecord, Uint8Array>();

  constructor(components: {
    verify: Verify;
    bytes: RecordBytes;
    held: (key: string) => Uint8Array | undefined;
    readTask?: ReadTask;
    /** Made of the others where it isn't given. */
    reader?: RecordReader;
  }) {
    this.#reader = components.reader ?? createRecordReader(components);
    this.#bytes = components.bytes;
    this.#held = components.held;
  }

  /** The bytes are kept with the record. Decoding a message has made them: a part of it would keep all of its memory. */
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
    const examined = this.#reader.examine(bytes);
    if (examined === undefined) return refused('unknown-record');
    const { key, digest, record } = examined;
    if (sameDigest(this.#held(key), digest)) return { kind: 'held', key, digest };
    const refusal = this.#reader.refusal(bytes, examined);
    if (refusal !== undefined) return refused(refusal);
    this.#bytes.remember(record, bytes);
    this.#digests.set(record, digest);
    return { kind: 'record', key, digest, record };
  }
}
