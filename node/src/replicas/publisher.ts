import {
  carriedBytes,
  encode,
  GOSSIPED_RECORDS_MAX,
  GOSSIPED_ROOM_BYTES,
  type RecordBytes,
  recordKey,
  type KnownRecord,
  type PeerId,
} from '@cuadro/protocol';
import type { Clock } from '../system/interface.ts';
import { GOSSIP_INTERVAL_MS, WAITING_RECORDS_MAX } from './limits.ts';

/** What gossip needs of the mesh. */
export interface GossipOut {
  gossip(topic: 'records', message: Uint8Array): void;
  reachable(): readonly PeerId[];
}

/**
 * Gossips this node's own changes in batches (SPEC R46). The first goes out at once, the next ones at their pace;
 * of a record that changes while it waits, only the last version is sent, in the first one's place.
 */
export class RecordPublisher {
  readonly counts = { batches: 0, records: 0, left: 0 };
  readonly #clock: Clock;
  readonly #mesh: GossipOut;
  readonly #bytes: RecordBytes;
  readonly #waiting = new Map<string, KnownRecord>();
  #nextAt = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | undefined;
  #running = true;

  constructor(components: { clock: Clock; mesh: GossipOut; bytes: RecordBytes }) {
    this.#clock = components.clock;
    this.#mesh = components.mesh;
    this.#bytes = components.bytes;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  publish(records: readonly KnownRecord[]): void {
    // Alone there is nobody to tell; whoever comes later gets everything by an exchange.
    if (!this.#running || this.#mesh.reachable().length === 0) return;
    for (const record of records) this.#waiting.set(recordKey(record), record);
    for (const key of this.#waiting.keys()) {
      if (this.#waiting.size <= WAITING_RECORDS_MAX) break;
      this.#waiting.delete(key);
      this.counts.left += 1;
    }
    this.#arm();
  }

  stop(): void {
    this.#running = false;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#waiting.clear();
  }

  #arm(): void {
    if (this.#cancel !== undefined || this.#waiting.size === 0) return;
    this.#cancel = this.#clock.after(Math.max(0, this.#nextAt - this.#clock.now()), () => {
      this.#cancel = undefined;
      this.#sendBatch();
      this.#arm();
    });
  }

  #sendBatch(): void {
    const batch: Uint8Array[] = [];
    let size = 0;
    for (const [key, record] of this.#waiting) {
      const bytes = this.#bytes.of(record);
      const added = carriedBytes(bytes.length);
      if (added > GOSSIPED_ROOM_BYTES) {
        this.#waiting.delete(key);
        this.counts.left += 1;
        continue;
      }
      if (size + added > GOSSIPED_ROOM_BYTES || batch.length >= GOSSIPED_RECORDS_MAX) break;
      size += added;
      batch.push(bytes);
      this.#waiting.delete(key);
    }
    if (batch.length === 0) return;
    this.#nextAt = this.#clock.now() + GOSSIP_INTERVAL_MS;
    this.counts.batches += 1;
    this.counts.records += batch.length;
    this.#mesh.gossip('records', encode({ kind: 'records', records: batch }));
  }
}
