import {
  members,
  mergeRecords,
  proofOf,
  LOBBY_RECORDS_BYTES_MAX,
  LOBBY_RECORDS_MAX,
  encode,
  type FarmMember,
  type FarmMembers,
  type FarmRecord,
  type MemberRecord,
  type PeerId,
} from '@cuadro/protocol';
import type { FarmComponents } from './interface.ts';

/** Who belongs to the farm, as the records say now; derived once per change. */
export class Roster {
  readonly #queries: FarmComponents['queries'];
  readonly #self: PeerId;
  #derived: { farm: FarmRecord; records: Map<PeerId, MemberRecord>; who: FarmMembers } | undefined;

  constructor(queries: FarmComponents['queries'], self: PeerId) {
    this.#queries = queries;
    this.#self = self;
  }

  /** The records changed. */
  invalidate(): void {
    this.#derived = undefined;
  }

  get farm(): FarmRecord | undefined {
    return this.#queries.farmRecord();
  }

  get members(): ReadonlyMap<PeerId, FarmMember> {
    return this.#derive()?.who.members ?? new Map();
  }

  get removed(): FarmMembers['removed'] {
    return this.#derive()?.who.removed ?? new Map();
  }

  get records(): ReadonlyMap<PeerId, MemberRecord> {
    return this.#derive()?.records ?? new Map();
  }

  /** The farm of which this machine is a member now. */
  get ownFarm(): FarmRecord | undefined {
    return this.members.has(this.#self) ? this.farm : undefined;
  }

  /** Who belongs to the farm by all that came in, derived each time: what is asked of others here may be older. */
  get latest(): ReadonlyMap<PeerId, FarmMember> {
    const { farm } = this;
    return farm === undefined ? new Map() : members(farm, this.#queries.memberRecords()).members;
  }

  /** Whether this machine may admit and remove. */
  get isArtist(): boolean {
    return this.members.get(this.#self)?.role === 'artist';
  }

  /** A farm of one: nobody is bound by where it goes. */
  get isAlone(): boolean {
    return this.members.size === 1;
  }

  get jobs(): number {
    return this.#queries.jobIds().filter((id) => this.#queries.jobRecord(id)?.deleted === undefined).length;
  }

  nameOf(peer: PeerId): string {
    const { members: now, removed } = this;
    return (
      now.get(peer)?.name ??
      removed.get(peer)?.name ??
      this.records.get(peer)?.name.value ??
      `…${peer.slice(-6)}`
    );
  }

  /** Who would belong to a farm if these records were known here, too. */
  with(farm: FarmRecord, shown: readonly MemberRecord[]): FarmMembers {
    const joint = new Map(this.records);
    for (const record of shown) {
      const known = joint.get(record.peer);
      joint.set(record.peer, known === undefined ? record : mergeRecords(known, record));
    }
    return members(farm, joint.values());
  }

  /** The records that prove these peers' standing, and then as many others as fit into an answer. */
  proof(of: readonly PeerId[], others = true): MemberRecord[] {
    const { farm } = this;
    if (farm === undefined) return [];
    const chosen = new Map<PeerId, MemberRecord>();
    let bytes = 0;
    const add = (record: MemberRecord): void => {
      if (chosen.has(record.peer) || chosen.size >= LOBBY_RECORDS_MAX) return;
      const size = encode(record).byteLength;
      if (bytes + size > LOBBY_RECORDS_BYTES_MAX) return;
      bytes += size;
      chosen.set(record.peer, record);
    };
    for (const peer of of) for (const record of proofOf(farm, this.records, peer)) add(record);
    if (others)
      for (const peer of this.members.keys()) {
        const record = this.records.get(peer);
        if (record !== undefined) add(record);
      }
    return [...chosen.values()];
  }

  #derive() {
    const farm = this.#queries.farmRecord();
    if (farm === undefined) return undefined;
    if (this.#derived?.farm === farm) return this.#derived;
    const records = new Map(this.#queries.memberRecords().map((record) => [record.peer, record]));
    this.#derived = { farm, records, who: members(farm, records.values()) };
    return this.#derived;
  }
}
