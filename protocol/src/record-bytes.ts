import { encode } from './codec.ts';
import type { KnownRecord } from './records.ts';

/** Records whose bytes are kept, some 6 MB as a rule: a group commit and the gossip of it stay well below. */
const REMEMBERED = 8_192;
/** And bytes of them at most: others may send records of the largest size. */
const REMEMBERED_BYTES = 16 * 2 ** 20;

/**
 * The canonical bytes of records (SPEC R4), encoded once for all who need them around the same time: the store, the
 * digests, gossip and exchanges. Records are never changed in place, so an object and its bytes stay together.
 */
export class RecordBytes {
  readonly #half: number;
  #recentBytes = 0;
  #recent = new Map<KnownRecord, Uint8Array>();
  #older = new Map<KnownRecord, Uint8Array>();

  constructor(init: { remembered?: number } = {}) {
    this.#half = Math.max(1, (init.remembered ?? REMEMBERED) / 2);
  }

  of(record: KnownRecord): Uint8Array {
    const known = this.#recent.get(record);
    if (known !== undefined) return known;
    const bytes = this.#older.get(record) ?? encode(record);
    this.#keep(record, bytes);
    return bytes;
  }

  /** `bytes` are the record's canonical ones, which whoever read it has checked. Nobody may change them. */
  remember(record: KnownRecord, bytes: Uint8Array): void {
    this.#keep(record, ownMemory(bytes));
  }

  #keep(record: KnownRecord, bytes: Uint8Array): void {
    this.#recent.set(record, bytes);
    this.#recentBytes += bytes.length;
    // Two generations forget what wasn't asked for lately, at the cost of one map each.
    if (this.#recent.size >= this.#half || this.#recentBytes >= REMEMBERED_BYTES / 2) {
      this.#older = this.#recent;
      this.#recent = new Map();
      this.#recentBytes = 0;
    }
  }
}

/** A record that is a small part of a message would keep all of it, or a block of what else was in it. */
function ownMemory(bytes: Uint8Array): Uint8Array {
  return 2 * bytes.length < bytes.buffer.byteLength ? new Uint8Array(bytes) : bytes;
}
