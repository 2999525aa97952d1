import { createHash } from 'node:crypto';
import { threeWords, type FarmId, type PeerId } from '@cuadro/protocol';
import { Door } from './door.ts';
import type { FarmComponents, FarmInit, FarmOptions } from './interface.ts';
import { Neighbours } from './neighbours.ts';
import { ABSORBED_MAX, defaultOptions, WANTED_MAX } from './options.ts';
import { Roster } from './roster.ts';

/** A farm that was asked to let this machine in, and how that stands. */
export interface Asked {
  readonly farm: { readonly id: FarmId; readonly name: string };
  readonly machine: string;
  readonly state: 'waiting' | 'refused' | 'removed';
}

/** What this node is about to do with its farm; durable, since the other side may have acted on it. */
export interface Intent {
  readonly into: FarmId;
  /** Whether a person wanted it. */
  readonly confirmed: boolean;
}

/** Names of this room's values in the store's local space. */
export const LOCAL = {
  /** The farm being founded, until that has settled. */
  founding: 'farm/founding',
  /** The farm that this one is dissolving into. */
  intent: 'farm/intent',
  /** Farms that this node has left for another. */
  absorbed: 'farm/absorbed',
  /** Addresses that a person gave to `join`, until it is done. */
  join: 'farm/join',
  /** Where members were last reached, by peer. */
  addresses: 'farm/addresses/',
} as const;

/** Everything that this room knows beside the records; its parts are functions over it. */
export class FarmState {
  readonly components: FarmComponents;
  readonly init: FarmInit;
  readonly options: FarmOptions;
  readonly roster: Roster;
  readonly door: Door;
  readonly neighbours: Neighbours;
  readonly stopping: AbortSignal;
  /** Tells that the door's page has changed. */
  readonly notify: () => void;
  /** While there is no farm: until when to listen, and until when at most. */
  listening: { readonly untilMs: number; readonly limitMs: number } | undefined;
  /** By farm. */
  readonly asked = new Map<FarmId, Asked>();
  /** Farms that a person wants to merge with; ended by a restart, as an open door is. */
  readonly wanted = new Set<FarmId>();
  /** Farms that a person here let in: what is left of their members is admitted as they ask. */
  readonly letIn = new Set<FarmId>();
  /** A farm that a person wants this farm of one to join, whichever id is lower. */
  joining: FarmId | undefined;
  intent: (Intent & { readonly untilMs: number }) | undefined;
  absorbed: readonly FarmId[] = [];
  /** Addresses that a person gave to `join`. */
  joinAddresses: readonly string[] = [];
  /** What made this machine a removed one is told once. */
  isRemovalTold = false;
  startedAt = 0;
  /** Of the timer after which a founding has settled. */
  cancelSettling: (() => void) | undefined;

  constructor(
    components: FarmComponents,
    init: FarmInit,
    given: { stopping: AbortSignal; notify: () => void },
  ) {
    this.components = components;
    this.init = init;
    this.options = { ...defaultOptions, ...init.options };
    this.stopping = given.stopping;
    this.notify = given.notify;
    this.roster = new Roster(components.queries, components.mesh.self);
    this.door = new Door(components.clock, this.options, given.notify);
    this.neighbours = new Neighbours(components.clock);
  }

  get self(): PeerId {
    return this.components.mesh.self;
  }

  get now(): number {
    return this.components.clock.now();
  }

  /** Whether this machine was a member of the farm that it holds, and was removed. */
  get isRemoved(): boolean {
    return this.roster.removed.has(this.self);
  }

  words(newcomer: PeerId, farm: FarmId): string {
    return threeWords(newcomer, farm, (bytes) => createHash('sha256').update(bytes).digest());
  }

  want(farm: FarmId): void {
    if (this.wanted.size >= WANTED_MAX) this.wanted.clear();
    this.wanted.add(farm);
    this.notify();
  }

  letInFarm(farm: FarmId): void {
    if (this.letIn.size >= WANTED_MAX) this.letIn.clear();
    this.letIn.add(farm);
  }

  /** Makes an intent, or its end, durable. */
  async setIntent(intent: Intent | undefined): Promise<void> {
    this.intent = intent && { ...intent, untilMs: this.now + this.options.intentMs };
    await this.components.store.setLocal({ [LOCAL.intent]: intent });
  }

  async addAbsorbed(farm: FarmId): Promise<void> {
    if (this.absorbed.includes(farm)) return;
    this.absorbed = [farm, ...this.absorbed].slice(0, ABSORBED_MAX);
    await this.components.store.setLocal({ [LOCAL.absorbed]: this.absorbed });
  }
}
