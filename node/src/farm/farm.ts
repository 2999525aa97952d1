import type { ChangeView, DoorView, FarmId, PeerId } from '@cuadro/protocol';
import type { PeerState } from '../mesh/interface.ts';
import * as actions from './actions.ts';
import { LobbyDesk } from './desk.ts';
import type { FarmComponents, FarmInit, FarmMembership } from './interface.ts';
import { beginOpening, endFounding, found } from './moves.ts';
import { DOOR_GATHER_MS, FOUND_GATHER_MS } from './options.ts';
import { runRound } from './rounds.ts';
import { LOCAL, FarmState, type Intent } from './state.ts';
import { doorView } from './view.ts';

/** Which farm this machine is in, and who else is (see `interface.ts`). */
export function createFarmMembership(components: FarmComponents, init: FarmInit): FarmMembership {
  return new Membership(components, init);
}

class Membership implements FarmMembership {
  readonly #components: FarmComponents;
  readonly #state: FarmState;
  readonly #desk: LobbyDesk;
  readonly #ending = new AbortController();
  #life: 'new' | 'running' | 'stopped' = 'new';
  #unsubscribe: (() => void) | undefined;
  /** What is set in the mesh now, to tell it only of changes; undefined before the first. */
  #told: { readonly farm: FarmId | undefined; readonly members: readonly PeerId[] } | undefined;
  #cancelRound: (() => void) | undefined;
  #roundAt = Number.POSITIVE_INFINITY;
  #cancelDoor: (() => void) | undefined;
  /** Rounds and what people do to the farm itself go one after another. */
  #queue: Promise<void> = Promise.resolve();

  constructor(components: FarmComponents, init: FarmInit) {
    this.#components = components;
    this.#state = new FarmState(components, init, {
      stopping: this.#ending.signal,
      notify: () => this.#notify(),
    });
    this.#desk = new LobbyDesk(this.#state);
  }

  async start(): Promise<void> {
    if (this.#life !== 'new') return;
    this.#life = 'running';
    const state = this.#state;
    const { mesh, clock, random } = this.#components;
    const { options } = state;
    state.startedAt = clock.now();
    await this.#load();
    mesh.serveLobby((from, request) => this.#desk.answer(from, request));
    this.#unsubscribe = mesh.subscribe({
      found: (node) => {
        state.neighbours.found(node);
        this.#schedule(FOUND_GATHER_MS);
      },
      peer: (peer, how) => this.#peerChanged(peer, how),
    });
    if (state.roster.farm === undefined) {
      const listenMs = options.listenMinMs + random.float() * (options.listenMaxMs - options.listenMinMs);
      state.listening = { untilMs: state.now + listenMs, limitMs: state.now + options.listenLimitMs };
      if (!state.init.discovery && state.joinAddresses.length === 0) await found(state, { open: false });
      else this.#schedule(listenMs);
    }
    this.changed();
    this.#schedule(options.roundMs / 2);
    clock.after(options.aloneMs, () => this.#notify());
  }

  async stop(): Promise<void> {
    if (this.#life !== 'running') return;
    this.#life = 'stopped';
    this.#unsubscribe?.();
    this.#cancelRound?.();
    this.#cancelDoor?.();
    this.#ending.abort(new Error('The node is stopping.'));
    await this.#queue;
    // An end in order ends the opening of a founding for good; only a kill has it completed.
    await endFounding(this.#state);
    this.#state.door.close();
    this.#cancelDoor?.();
  }

  changed(): void {
    const { roster } = this.#state;
    roster.invalidate();
    this.#tellMesh();
    if (this.#state.isRemoved && !this.#state.isRemovalTold) {
      this.#state.isRemovalTold = true;
      this.#state.door.close();
      this.#components.logger.warn(doorView(this.#state).message);
    }
    this.#notify();
  }

  /**
   * Nothing is promised by a connection that ends, so this waits for no disk: on a slow one a removed machine would go on
   * getting what members get for as long as the write takes. Who comes in waits, and so does this machine's own end.
   */
  membersKnown(): void {
    const { roster, self } = this.#state;
    const { latest } = roster;
    const told = this.#told;
    if (told?.farm === undefined || told.farm !== roster.farm?.id || !latest.has(self)) return;
    const members = told.members.filter((peer) => latest.has(peer));
    if (members.length === told.members.length) return;
    roster.invalidate();
    this.#setMembership(told.farm, members);
  }

  openLeftMs(): number {
    return this.#state.roster.ownFarm === undefined ? 0 : this.#state.door.leftMs;
  }

  door(): DoorView {
    return doorView(this.#state);
  }

  openDoor(forMs: number): Promise<ChangeView> {
    return actions.openDoor(this.#state, forMs);
  }

  closeDoor(): Promise<ChangeView> {
    return actions.closeDoor(this.#state);
  }

  admit(newcomer: string | undefined): Promise<ChangeView> {
    return actions.admitNewcomer(this.#state, newcomer);
  }

  refuse(newcomer: string | undefined): Promise<ChangeView> {
    return actions.refuseNewcomer(this.#state, newcomer);
  }

  removeMember(member: string, reason: string): Promise<ChangeView> {
    return actions.removeMember(this.#state, member, reason);
  }

  leave(...how: Parameters<FarmMembership['leave']>): Promise<boolean> {
    return actions.leaveFarm(this.#state, ...how);
  }

  leaveNow(): Promise<ChangeView> {
    return actions.leaveNow(this.#state);
  }

  async mergeFarm(farm: string | undefined): Promise<ChangeView> {
    const answer = await actions.mergeFarm(this.#state, farm);
    this.#schedule(0);
    return answer;
  }

  async joinAddress(address: string): Promise<ChangeView> {
    const answer = await this.#exclusive(() => actions.joinAddress(this.#state, address));
    this.#schedule(0);
    return answer;
  }

  foundFarm(): Promise<ChangeView> {
    return this.#exclusive(() => actions.foundOwn(this.#state));
  }

  /** What this node kept for itself from its last run. */
  async #load(): Promise<void> {
    const { store, mesh } = this.#components;
    const state = this.#state;
    state.absorbed = ((await store.getLocal(LOCAL.absorbed)) as FarmId[] | undefined) ?? [];
    state.joinAddresses = ((await store.getLocal(LOCAL.join)) as string[] | undefined) ?? [];
    const intent = (await store.getLocal(LOCAL.intent)) as Intent | undefined;
    if (intent !== undefined) state.intent = { ...intent, untilMs: state.now + state.options.intentMs };
    for (const [key, value] of await store.listLocal(LOCAL.addresses)) {
      const peer = key.slice(LOCAL.addresses.length);
      const addresses = value as { lobby: string[]; mesh: string[] };
      state.neighbours.remember(peer, addresses);
      mesh.addAddresses(peer, addresses.mesh);
    }
    const founding = (await store.getLocal(LOCAL.founding)) as FarmId | undefined;
    if (founding === undefined) return;
    // A kill cut the founding off, so it is completed; of another farm's there is nothing left to complete.
    if (founding === state.roster.farm?.id) beginOpening(state);
    else await endFounding(state);
  }

  #tellMesh(): void {
    const { roster } = this.#state;
    const farm = roster.ownFarm?.id;
    const members = farm === undefined ? [] : [...roster.members.keys()].sort();
    const told = this.#told;
    if (told !== undefined && told.farm === farm && told.members.join() === members.join()) return;
    this.#setMembership(farm, members);
    this.#schedule(FOUND_GATHER_MS);
  }

  #setMembership(farm: FarmId | undefined, members: readonly PeerId[]): void {
    this.#told = { farm, members };
    this.#components.mesh.setMembership(farm === undefined ? undefined : { farm, members: new Set(members) });
  }

  #peerChanged(peer: PeerId, how: PeerState): void {
    if (how === 'reachable') void this.#keepAddresses(peer);
    else this.#schedule(this.#state.options.roundMs);
    this.#notify();
  }

  /** Where a member was reached is tried first at the next start, also without announcements. */
  async #keepAddresses(peer: PeerId): Promise<void> {
    const { mesh, store, logger } = this.#components;
    const neighbour = this.#state.neighbours.get(peer);
    const kept = { mesh: [...mesh.knownAddresses(peer)], lobby: [...(neighbour?.lobby ?? [])] };
    if (kept.lobby.length + kept.mesh.length === 0) return;
    try {
      const key = `${LOCAL.addresses}${peer}`;
      if (JSON.stringify(await store.getLocal(key)) === JSON.stringify(kept)) return;
      await store.setLocal({ [key]: kept });
    } catch (error) {
      logger.debug('Where a member was reached was not noted.', { peer, error: String(error) });
    }
  }

  /** A round in so long, or sooner where one is due sooner. */
  #schedule(delayMs: number): void {
    const { clock } = this.#components;
    const at = clock.now() + delayMs;
    if (this.#life !== 'running' || at >= this.#roundAt) return;
    this.#cancelRound?.();
    this.#roundAt = at;
    this.#cancelRound = clock.after(delayMs, () => {
      this.#roundAt = Number.POSITIVE_INFINITY;
      void this.#round();
    });
  }

  async #round(): Promise<void> {
    const { logger, random } = this.#components;
    try {
      await this.#exclusive(() => runRound(this.#state));
    } catch (error) {
      // Its records can't be written, or the mesh has stopped: the node's own end is decided elsewhere.
      logger.warn('A round of looking after the farm failed.', { error: String(error) });
    }
    this.#schedule(this.#state.options.roundMs * (0.5 + random.float()));
  }

  #exclusive<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(() => {
      if (this.#life !== 'running') throw new Error('The node is stopping.');
      return task();
    });
    this.#queue = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  #notify(): void {
    if (this.#cancelDoor !== undefined || this.#life !== 'running') return;
    this.#cancelDoor = this.#components.clock.after(DOOR_GATHER_MS, () => {
      this.#cancelDoor = undefined;
      if (this.#life === 'running') this.#components.onDoor(() => doorView(this.#state));
    });
  }
}
