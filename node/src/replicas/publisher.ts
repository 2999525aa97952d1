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
import {
  EARLY_BATCHES,
  FARM_BATCHES_PER_SECOND,
  GOSSIP_INTERVAL_MS,
  GOSSIPING_MS,
  PEERS_FOLLOWED_MAX,
  WAITING_RECORDS_MAX,
} from './limits.ts';

/** What gossip needs of the mesh. */
export interface GossipOut {
  gossip(topic: 'records', message: Uint8Array): void;
  reachable(): readonly PeerId[];
}

/**
 * Gossips this node's own changes in batches (SPEC R46). The first goes out at once, the next ones at their pace;
 * of a record that changes while it waits, only the last version is sent, in the first one's place. All nodes that gossip
 * at a time share the farm's budget of messages: the more of them are heard, the longer each gathers. What people do is
 * told before its turn, and what comes after it waits the longer for that.
 */
export class RecordPublisher {
  readonly counts = { batches: 0, records: 0, left: 0 };
  readonly #clock: Clock;
  readonly #mesh: GossipOut;
  readonly #bytes: RecordBytes;
  /** Records of tasks, by the thousand. */
  readonly #waiting = new Map<string, KnownRecord>();
  /** Jobs, members, what a machine is to do: few, waited for by people, and what records of tasks refer to. */
  readonly #urgent = new Map<string, KnownRecord>();
  /** When the last batch went out, or would have in its turn. */
  #sentAt = Number.NEGATIVE_INFINITY;
  /** Other nodes → when a batch of theirs was heard last. */
  readonly #heardAt = new Map<PeerId, number>();
  #cancel: (() => void) | undefined;
  #running = true;

  constructor(components: { clock: Clock; mesh: GossipOut; bytes: RecordBytes }) {
    this.#clock = components.clock;
    this.#mesh = components.mesh;
    this.#bytes = components.bytes;
  }

  get waiting(): number {
    return this.#waiting.size + this.#urgent.size;
  }

  publish(records: readonly KnownRecord[]): void {
    // Alone there is nobody to tell; whoever comes later gets everything by an exchange.
    if (!this.#running || this.#mesh.reachable().length === 0) return;
    for (const record of records) {
      const queue = record.kind === 'task' ? this.#waiting : this.#urgent;
      queue.set(recordKey(record), record);
    }
    for (const key of this.#waiting.keys()) {
      if (this.waiting <= WAITING_RECORDS_MAX) break;
      this.#waiting.delete(key);
      this.counts.left += 1;
    }
    this.#arm();
  }

  /** A batch of another node came. */
  heard(from: PeerId): void {
    // Moved to the end, so that the longest unheard come first.
    this.#heardAt.delete(from);
    this.#heardAt.set(from, this.#clock.now());
    if (this.#heardAt.size > PEERS_FOLLOWED_MAX) this.#forgetFirst();
  }

  stop(): void {
    this.#running = false;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#waiting.clear();
    this.#urgent.clear();
  }

  #arm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.waiting === 0) return;
    this.#cancel = this.#clock.after(Math.max(0, this.#dueAt() - this.#clock.now()), () => {
      this.#cancel = undefined;
      // Others may have begun meanwhile, so that it is not this node's turn yet.
      if (this.#dueAt() <= this.#clock.now()) this.#sendBatch();
      this.#arm();
    });
  }

  #turnAt(): number {
    return this.#sentAt + this.#intervalMs();
  }

  #dueAt(): number {
    return this.#urgent.size === 0 ? this.#turnAt() : this.#turnAt() - EARLY_BATCHES * this.#intervalMs();
  }

  /** This node's share of what the farm may say. */
  #intervalMs(): number {
    const sharers = (): number => this.#heardAt.size + 1;
    const shareMs = (): number => (sharers() * 1_000) / FARM_BATCHES_PER_SECOND;
    // The share of a very large farm is longer than the usual window, in which then not all of it would be heard.
    const since = this.#clock.now() - Math.max(GOSSIPING_MS, 2 * shareMs());
    for (const at of this.#heardAt.values()) {
      if (at >= since) break;
      this.#forgetFirst();
    }
    return Math.max(GOSSIP_INTERVAL_MS, shareMs());
  }

  #forgetFirst(): void {
    const first = this.#heardAt.keys().next();
    if (first.done !== true) this.#heardAt.delete(first.value);
  }

  #sendBatch(): void {
    const batch: Uint8Array[] = [];
    let size = 0;
    for (const [key, record] of both(this.#urgent, this.#waiting)) {
      const queue = record.kind === 'task' ? this.#waiting : this.#urgent;
      const bytes = this.#bytes.of(record);
      const added = carriedBytes(bytes.length);
      if (added > GOSSIPED_ROOM_BYTES) {
        queue.delete(key);
        this.counts.left += 1;
        continue;
      }
      if (size + added > GOSSIPED_ROOM_BYTES || batch.length >= GOSSIPED_RECORDS_MAX) break;
      size += added;
      batch.push(bytes);
      queue.delete(key);
    }
    if (batch.length === 0) return;
    // One before its turn takes the turn away.
    this.#sentAt = Math.max(this.#clock.now(), this.#turnAt());
    this.counts.batches += 1;
    this.counts.records += batch.length;
    this.#mesh.gossip('records', encode({ kind: 'records', records: batch }));
  }
}

function* both<Entry>(first: Iterable<Entry>, then: Iterable<Entry>): Generator<Entry> {
  yield* first;
  yield* then;
}
