import { encode } from './codec.ts';
import type { KnownRecord } from './records.ts';

/** Records whose bytes are kept, some 6 MB: a group commit and the gossip of it stay well below. */
const REMEMBERED = 8_192;

/**
 * The canonical bytes of records (SPEC R4), encoded once for all who need them around the same time: the store, the
 * digests, gossip and exchanges. Records are never changed in place, so an object and its bytes stay together.
 */
export class RecordBytes {
  readonly #half: number;
  #recent = new Map<KnownRecord, Uint8Array>();
  #older = new Map<KnownRecord, Uint8Array>();

  constructor(init: { remembered?: number } = {}) {
    this.#half = Math.max(1, (init.remembered ?? REMEMBERED) / 2);
  }

  of(record: KnownRecord): Uint8Array {
    const known = this.#recent.get(record);
    if (known !== undefined) return known;
    const bytes = this.#older.get(record) ?? encode(record);
    this.remember(record, bytes);
    return bytes;
  }

  /** `bytes` are the record's canonical ones, which whoever read it has checked. Nobody may change them. */
  remember(record: KnownRecord, bytes: Uint8Array): void {
    this.#recent.set(record, bytes);
    // Two generations forget what wasn't asked for lately, at the cost of one map each.
    if (this.#recent.size >= this.#half) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
  }
}
