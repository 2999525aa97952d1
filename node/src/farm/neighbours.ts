import { compareText, type FarmId, type LobbyAnswerOf, type PeerId } from '@cuadro/protocol';
import type { FoundNode } from '../mesh/interface.ts';
import type { Clock } from '../system/interface.ts';
import { ASK_PAUSE_MAX_MS, FAILURES_MAX, FOUND_AGAIN_MS, NEIGHBOURS_MAX } from './options.ts';

/** Another node whose lobby can be asked: found on the network, named by a person, or known from before. */
export interface Neighbour {
  readonly peer: PeerId;
  /** The farm that it was last heard to be of: by its answer, or else by its announcement. */
  readonly farm: FarmId | undefined;
  lobby: readonly string[];
  mesh: readonly string[];
  /** Whether it was seen on the network in this run, and not only known from before. */
  seen: boolean;
  /** Its last answer to `who`. */
  who: LobbyAnswerOf<'who'> | undefined;
  /** When it is to be asked again, by what is asked. */
  readonly nextAt: Map<'who' | 'join' | 'present' | 'dissolve', number>;
  /** Asked in a row without an answer. */
  failures: number;
}

/** Orders farms, and their nodes, the same on every machine. */
export const byFarm = (a: Neighbour, b: Neighbour): number =>
  compareText(a.farm ?? '', b.farm ?? '') || compareText(a.peer, b.peer);

export class Neighbours {
  readonly #clock: Clock;
  readonly #known = new Map<PeerId, Neighbour>();
  #inOrder: readonly Neighbour[] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In a fixed order, so that all nodes choose alike. */
  all(): readonly Neighbour[] {
    this.#inOrder ??= [...this.#known.values()].sort(byFarm);
    return this.#inOrder;
  }

  get(peer: PeerId): Neighbour | undefined {
    return this.#known.get(peer);
  }

  /** Whether any other node was seen. */
  get anySeen(): boolean {
    return [...this.#known.values()].some(({ seen }) => seen);
  }

  /** An announcement: what it says is asked about at once. */
  found({ peer, farm, lobby, mesh }: FoundNode): void {
    const neighbour = this.#put(peer);
    if (neighbour === undefined) return;
    neighbour.seen = true;
    neighbour.lobby = lobby;
    neighbour.mesh = mesh;
    neighbour.failures = 0;
    if (neighbour.farm !== farm) neighbour.who = undefined;
    this.#setFarm(neighbour, farm);
    // Announcements prove nothing, so a flood of them asks no more than this.
    const soon = this.#clock.now() + FOUND_AGAIN_MS;
    for (const [what, at] of neighbour.nextAt) neighbour.nextAt.set(what, Math.min(at, soon));
  }

  /** One that a person named, or that is known from an earlier run. What is said now comes before what was said then. */
  remember(peer: PeerId, addresses: { lobby: readonly string[]; mesh: readonly string[] }): void {
    const neighbour = this.#put(peer);
    if (neighbour === undefined) return;
    neighbour.lobby = [...new Set([...addresses.lobby, ...neighbour.lobby])].slice(0, 16);
    neighbour.mesh = [...new Set([...addresses.mesh, ...neighbour.mesh])].slice(0, 16);
  }

  answered(neighbour: Neighbour, who: LobbyAnswerOf<'who'>): void {
    neighbour.failures = 0;
    neighbour.seen = true;
    neighbour.who = who;
    this.#setFarm(neighbour, who.farm?.id);
  }

  /** It didn't answer: asked less and less, and forgotten in the end. */
  failed(neighbour: Neighbour): void {
    neighbour.failures++;
    if (neighbour.failures < FAILURES_MAX) return;
    // What is known from earlier runs may be switched off for weeks.
    neighbour.who = undefined;
    neighbour.seen = false;
  }

  isDue(neighbour: Neighbour, what: 'who' | 'join' | 'present' | 'dissolve'): boolean {
    return (neighbour.nextAt.get(what) ?? Number.NEGATIVE_INFINITY) <= this.#clock.now();
  }

  /** Sets when it is asked again: after `pauseMs`, longer the more often it failed. */
  asked(neighbour: Neighbour, what: 'who' | 'join' | 'present' | 'dissolve', pauseMs: number): void {
    const factor = 2 ** Math.max(0, neighbour.failures - 3);
    const pause = Math.max(pauseMs, Math.min(ASK_PAUSE_MAX_MS, pauseMs * factor));
    neighbour.nextAt.set(what, this.#clock.now() + pause);
  }

  #setFarm(neighbour: Neighbour, farm: FarmId | undefined): void {
    if (neighbour.farm === farm) return;
    (neighbour as { farm: FarmId | undefined }).farm = farm;
    this.#inOrder = undefined;
  }

  #put(peer: PeerId): Neighbour | undefined {
    const known = this.#known.get(peer);
    if (known !== undefined) return known;
    if (this.#known.size >= NEIGHBOURS_MAX && !this.#dropSilent()) return undefined;
    const neighbour: Neighbour = {
      peer,
      farm: undefined,
      lobby: [],
      mesh: [],
      seen: false,
      who: undefined,
      nextAt: new Map(),
      failures: 0,
    };
    this.#known.set(peer, neighbour);
    this.#inOrder = undefined;
    return neighbour;
  }

  /** Makes room: one that doesn't answer gives way. */
  #dropSilent(): boolean {
    const silent = [...this.#known.values()].find(({ who }) => who === undefined);
    if (silent !== undefined) this.#known.delete(silent.peer);
    this.#inOrder = undefined;
    return silent !== undefined;
  }
}
