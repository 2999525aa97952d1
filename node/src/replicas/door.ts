import {
  decode,
  isCanonical,
  knownRecordSchema,
  recordKey,
  verifyRecord,
  type KnownRecord,
  type RecordBytes,
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

  constructor(components: {
    verify: Verify;
    bytes: RecordBytes;
    held: (key: string) => Uint8Array | undefined;
  }) {
    this.#verify = components.verify;
    this.#bytes = components.bytes;
    this.#held = components.held;
  }

  read(bytes: Uint8Array): ReadRecord {
    try {
      return this.#read(bytes);
    } catch {
      // Whatever a peer's bytes do to a decoder (nest deeper than the stack is) is malformed, and never more than that.
      return refused('malformed-record');
    }
  }

  #read(bytes: Uint8Array): ReadRecord {
    const value = decode(bytes);
    const parsed = knownRecordSchema.safeParse(value);
    if (!parsed.success) return refused('unknown-record');
    const record = value as KnownRecord;
    const key = recordKey(record);
    const digest = digestOf(key, bytes);
    if (sameDigest(this.#held(key), digest)) return { kind: 'held', key, digest };
    if (!isCanonical(bytes, record)) return refused('malformed-record');
    if (!verifyRecord(record, this.#verify)) return refused('badly-signed-record');
    // A copy: these are a part of a message, whose memory would be kept with them.
    this.#bytes.remember(record, bytes.slice());
    return { kind: 'record', key, digest, record };
  }
}
