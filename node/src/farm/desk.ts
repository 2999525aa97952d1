import {
  decode,
  encode,
  LOBBY_BYTES_MAX,
  LOBBY_WANTS_MAX,
  lobbyRequestSchema,
  MEMBERS_MAX,
  verifyRecord,
  type FarmRecord,
  type LobbyAnswer,
  type LobbyAnswerOf,
  type LobbyRequest,
  type MemberRecord,
  type PeerId,
} from '@cuadro/protocol';
import { SignatureBudget } from './budget.ts';
import { admit } from './founding.ts';
import type { FarmState } from './state.ts';

type RequestOf<K extends LobbyRequest['kind']> = Extract<LobbyRequest, { kind: K }>;
type Closed = LobbyAnswerOf<'closed'>;

const closed = (reason: Closed['reason']): Closed => ({ kind: 'closed', reason });

/**
 * Answers in the lobby: all that a stranger can reach. Nothing that is asked can make it throw, wait long, or change
 * a record, except where this node's door is open or a person wanted it.
 */
export class LobbyDesk {
  readonly #state: FarmState;
  readonly #budget: SignatureBudget;

  constructor(state: FarmState) {
    this.#state = state;
    this.#budget = new SignatureBudget(state.components.clock);
  }

  async answer(from: PeerId, bytes: Uint8Array): Promise<Uint8Array> {
    let answer: LobbyAnswer;
    try {
      answer = await this.#answer(from, bytes);
    } catch (error) {
      // The records can't be written, or this node is wrong: the asker tries again, or elsewhere.
      this.#state.components.logger.error('A request in the lobby failed.', { from, error: String(error) });
      answer = closed('busy');
    }
    return encode(answer);
  }

  async #answer(from: PeerId, bytes: Uint8Array): Promise<LobbyAnswer> {
    const request = readRequest(bytes);
    if (request === undefined) {
      const { logger, mesh } = this.#state.components;
      logger.debug('A request in the lobby was not readable.', { from });
      mesh.refuse('lobby-request-unreadable', from);
      return closed('unreadable');
    }
    if (request.kind === 'who') return this.#who(from, request);
    const { ownFarm } = this.#state.roster;
    if (ownFarm === undefined) return closed('no-farm');
    switch (request.kind) {
      case 'join':
        return this.#join(from, request, ownFarm);
      case 'present':
        return this.#present(from, request, ownFarm);
      case 'dissolve':
        return this.#dissolve(from, request, ownFarm);
    }
  }

  #who(from: PeerId, { farm: theirs }: RequestOf<'who'>): LobbyAnswer {
    const { roster, init, door, wanted, absorbed, components } = this.#state;
    const farm = roster.ownFarm;
    return {
      kind: 'who',
      version: init.version.slice(0, 64),
      name: init.name().slice(0, 200),
      ...(farm !== undefined && { farm: { id: farm.id, name: farm.name.value } }),
      openMs: farm === undefined || !roster.isArtist ? 0 : door.leftMs,
      jobs: farm === undefined ? 0 : roster.jobs,
      members: farm === undefined ? 0 : roster.members.size,
      mesh: [...components.mesh.status().meshAddresses].slice(0, 16),
      standing: this.#standingOf(from),
      confirmed: theirs !== undefined && wanted.has(theirs),
      absorbed: theirs !== undefined && theirs !== farm?.id && absorbed.includes(theirs),
    };
  }

  #standingOf(peer: PeerId): 'stranger' | 'member' | 'removed' {
    const { roster } = this.#state;
    if (roster.ownFarm === undefined) return 'stranger';
    if (roster.members.has(peer)) return 'member';
    return roster.removed.has(peer) ? 'removed' : 'stranger';
  }

  async #join(from: PeerId, { name, mesh }: RequestOf<'join'>, farm: FarmRecord): Promise<LobbyAnswer> {
    const standing = await this.#standing(from, farm);
    if (standing !== undefined) return standing;
    const { roster, door } = this.#state;
    const record = { kind: 'member', peer: from, name, admissions: {}, removals: {} } as MemberRecord;
    if (name.peer !== from) return closed('unreadable');
    // While this farm may be dissolving, a newcomer could be left behind.
    if (this.#isBusy(farm) || !this.#budget.spend([record])) return closed('busy');
    if (!verifyRecord(record, this.#state.components.verify)) return closed('unreadable');
    if (door.isOpen && roster.isArtist && !door.isRefused(from)) {
      if (roster.members.size >= MEMBERS_MAX) return closed('crowded');
      await admitAll(this.#state, farm, [record]);
      this.#state.components.mesh.addAddresses(from, mesh);
      return this.#admitted(from, farm);
    }
    const knocked = door.knock({ peer: from, name: name.value, records: [record], mesh });
    return knocked === 'waiting' ? this.#waiting(farm) : closed(knocked);
  }

  /** A member that isn't known here yet: its records are taken if they prove it. */
  async #present(from: PeerId, request: RequestOf<'present'>, farm: FarmRecord): Promise<LobbyAnswer> {
    if (request.farm !== farm.id) return closed('other-farm');
    const standing = await this.#standing(from, farm);
    if (standing !== undefined) return standing.kind === 'removed' ? standing : this.#known(request);
    if (!this.#budget.spend(request.members)) return closed('busy');
    const { roster, components } = this.#state;
    if (!request.members.every((record) => verifyRecord(record, components.verify))) return closed('unknown');
    if (!roster.with(farm, request.members).members.has(from)) return this.#voided(request.members, farm);
    await components.merge(request.members);
    roster.invalidate();
    return this.#standingOf(from) === 'member' ? this.#known(request) : closed('unknown');
  }

  /** Whoever let it in may have been removed by somebody who didn't know of that (SPEC R64, R129): it is to know why. */
  async #voided(shown: readonly MemberRecord[], farm: FarmRecord): Promise<LobbyAnswer> {
    const { removed } = this.#state.roster;
    const gone = shown.flatMap(({ peer }) =>
      removed.has(peer) ? [peer, removed.get(peer)?.by ?? peer] : [],
    );
    if (gone.length === 0) return closed('unknown');
    return this.#out(gone, farm);
  }

  #known({ wants }: RequestOf<'present'>): LobbyAnswer {
    const { members: now } = this.#state.roster;
    return { kind: 'known', addresses: this.#addresses((wants ?? []).filter((peer) => now.has(peer))) };
  }

  /** Another farm dissolves into this one: its members are readmitted where both sides want it (SPEC R66). */
  async #dissolve(from: PeerId, request: RequestOf<'dissolve'>, farm: FarmRecord): Promise<LobbyAnswer> {
    if (request.into !== farm.id) return closed('other-farm');
    const { roster, door, wanted, letIn, components } = this.#state;
    if (roster.removed.has(from)) return this.#removed(from, farm);
    const missing = request.members.filter(
      ({ peer }) => !roster.members.has(peer) && !roster.removed.has(peer),
    );
    if (missing.length === 0) {
      return roster.members.has(from) ? this.#admitted(from, farm) : closed('unreadable');
    }
    if (this.#isBusy(farm) || !this.#budget.spend(request.members)) return closed('busy');
    if (!request.members.every((record) => verifyRecord(record, components.verify)))
      return closed('unreadable');
    const isFresh = request.jobs === 0 && roster.jobs === 0;
    const letsIn = door.isOpen && roster.isArtist && !door.isRefused(from) && (isFresh || request.confirmed);
    if (wanted.has(request.farm.id) || letIn.has(request.farm.id) || letsIn) {
      if (roster.members.size + request.total > MEMBERS_MAX) return closed('crowded');
      await admitAll(this.#state, farm, missing);
      components.mesh.addAddresses(from, request.mesh);
      if (this.#standingOf(from) === 'member') return this.#admitted(from, farm);
    }
    // Two farms that only look at each other are no newcomers; a person over there has to want it.
    if (!request.confirmed) return closed('busy');
    const own = request.members.find(({ peer }) => peer === from);
    if (own === undefined) return closed('unreadable');
    const theirs = { ...request.farm, members: request.total, jobs: request.jobs };
    const newcomer = { peer: from, name: own.name.value, records: missing, mesh: request.mesh };
    const knocked = door.knock({ ...newcomer, farm: theirs });
    return knocked === 'waiting' ? this.#waiting(farm) : closed(knocked);
  }

  #isBusy(farm: FarmRecord): boolean {
    return this.#state.intent !== undefined || farm.mergedInto !== undefined;
  }

  /** The answer to one that was here before. */
  async #standing(from: PeerId, farm: FarmRecord): Promise<LobbyAnswer | undefined> {
    switch (this.#standingOf(from)) {
      case 'member':
        return this.#admitted(from, farm);
      case 'removed':
        return this.#removed(from, farm);
      case 'stranger':
        return undefined;
    }
  }

  #admitted(peer: PeerId, farm: FarmRecord): LobbyAnswer {
    const { roster, components, self } = this.#state;
    const proof = roster.proof([peer, self]);
    const addresses = this.#addresses(proof.slice(0, LOBBY_WANTS_MAX).map((record) => record.peer));
    components.logger.debug('A member was answered in the lobby.', { peer });
    return { kind: 'admitted', farm, members: proof, addresses };
  }

  #addresses(peers: readonly PeerId[]): { peer: PeerId; mesh: string[] }[] {
    return peers
      .map((peer) => ({ peer, mesh: this.#addressesOf(peer) }))
      .filter(({ mesh }) => mesh.length > 0);
  }

  #addressesOf(peer: PeerId): string[] {
    const { mesh } = this.#state.components;
    const known = peer === this.#state.self ? mesh.status().meshAddresses : mesh.knownAddresses(peer);
    return known.filter((address) => address.length <= 200).slice(0, ADDRESSES_TOLD);
  }

  #removed(peer: PeerId, farm: FarmRecord): Promise<LobbyAnswer> {
    const by = this.#state.roster.removed.get(peer)?.by;
    return this.#out(by === undefined ? [peer] : [peer, by], farm);
  }

  /**
   * That is final for whoever hears it, so it waits for the disk: were the write to fail, nobody else would know of it
   * any more (SPEC R186).
   */
  async #out(gone: readonly PeerId[], farm: FarmRecord): Promise<LobbyAnswer> {
    const members = this.#state.roster.proof(gone, false);
    await this.#state.components.durable();
    return { kind: 'removed', farm, members };
  }

  #waiting(farm: FarmRecord): LobbyAnswer {
    const name = this.#state.init.name().slice(0, 200);
    return { kind: 'waiting', farm: { id: farm.id, name: farm.name.value }, name };
  }
}

/** Addresses told of each member: the rest is found by sync, and an answer has a bound. */
const ADDRESSES_TOLD = 3;

function readRequest(bytes: Uint8Array): LobbyRequest | undefined {
  try {
    return lobbyRequestSchema.parse(decode(bytes, LOBBY_BYTES_MAX));
  } catch {
    return undefined;
  }
}

/** Admits all of them that aren't members, and weren't removed; resolves once it is durable. */
export async function admitAll(
  state: FarmState,
  farm: FarmRecord,
  records: readonly MemberRecord[],
): Promise<void> {
  const { roster, components } = state;
  const admitted = records
    .filter(({ peer }) => !roster.members.has(peer) && !roster.removed.has(peer))
    .map((record) => admit(components, farm, record));
  if (admitted.length > 0) await components.merge(admitted);
  roster.invalidate();
  for (const { peer } of admitted) state.door.leave(peer);
}
