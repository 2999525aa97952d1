import { SYNC_BAD_RECORDS_MAX, type KnownRecord, type PeerId } from '@cuadro/protocol';
import type { RecordDoor, ReadRecord } from './door.ts';
import { SyncFault } from './errors.ts';
import type { DeliverRecords } from './interface.ts';
import { PAGES_STORING_MAX } from './limits.ts';
import type { Refusals } from './refusals.ts';

/**
 * What comes in by one exchange: through the door, and on to be stored, some pages at once so that they share group
 * commits; whoever brings more waits.
 */
export class Intake {
  refused = 0;
  /** Records that were handed on to be stored. */
  stored = 0;
  readonly #peer: PeerId;
  readonly #door: RecordDoor;
  readonly #deliver: DeliverRecords;
  readonly #refusals: Refusals;
  readonly #storing: Promise<void>[] = [];

  constructor(
    components: { door: RecordDoor; deliver: DeliverRecords; refusals: Refusals },
    init: { peer: PeerId },
  ) {
    this.#door = components.door;
    this.#deliver = components.deliver;
    this.#refusals = components.refusals;
    this.#peer = init.peer;
  }

  /**
   * Reads one record; what is of no use is counted.
   * @throws SyncFault for bytes that are no record at all, and for too many that are of no use.
   */
  read(bytes: Uint8Array): Exclude<ReadRecord, { kind: 'refused' }> | undefined {
    const read = this.#door.read(bytes);
    if (read.kind !== 'refused') return read;
    if (read.reason === 'malformed-record') throw new SyncFault('malformed-record');
    this.#refusals.count(read.reason, this.#peer);
    this.refused += 1;
    if (this.refused > SYNC_BAD_RECORDS_MAX) throw new SyncFault('too-many-bad-records');
    return undefined;
  }

  /** Resolves when there is room for another page. */
  async store(records: KnownRecord[]): Promise<void> {
    if (records.length === 0) return;
    this.stored += records.length;
    const stored = this.#deliver(this.#peer, records);
    // It is awaited below, perhaps after another has failed: until then its failure must not be unheard of.
    stored.catch(() => undefined);
    this.#storing.push(stored);
    if (this.#storing.length >= PAGES_STORING_MAX) await this.#storing.shift();
  }

  /** Resolves when everything is durable. */
  async settled(): Promise<void> {
    await Promise.all(this.#storing.splice(0));
  }
}
