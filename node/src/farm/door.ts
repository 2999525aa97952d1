import type { FarmId, MemberRecord, PeerId } from '@cuadro/protocol';
import type { Clock } from '../system/interface.ts';
import type { FarmOptions } from './interface.ts';
import { NEWCOMERS_MAX } from './options.ts';

/** Somebody at the door: a machine, or one that speaks for a whole farm. */
export interface Newcomer {
  readonly peer: PeerId;
  readonly name: string;
  /** Whom to admit: the machine itself, or the members of its farm. */
  readonly records: readonly MemberRecord[];
  readonly mesh: readonly string[];
  readonly farm?: {
    readonly id: FarmId;
    readonly name: string;
    readonly members: number;
    readonly jobs: number;
  };
}

/** This node's door: how long it is open, and who waits at it. It is gone with the run of the node. */
export class Door {
  readonly #clock: Clock;
  readonly #options: FarmOptions;
  readonly #changed: () => void;
  #openUntil = Number.NEGATIVE_INFINITY;
  #cancelEnd: (() => void) | undefined;
  readonly #newcomers = new Map<PeerId, { newcomer: Newcomer; heardAt: number }>();
  readonly #refused = new Map<PeerId, number>();

  /** `changed` is called whenever what the door shows has changed. */
  constructor(clock: Clock, options: FarmOptions, changed: () => void) {
    this.#clock = clock;
    this.#options = options;
    this.#changed = changed;
  }

  get leftMs(): number {
    return Math.max(0, this.#openUntil - this.#clock.now());
  }

  get isOpen(): boolean {
    return this.leftMs > 0;
  }

  /** Opens it for so long from now on, whatever was left. */
  open(forMs: number): void {
    this.#cancelEnd?.();
    this.#openUntil = this.#clock.now() + forMs;
    this.#cancelEnd = this.#clock.after(forMs, () => this.#changed());
    this.#changed();
  }

  close(): void {
    this.#cancelEnd?.();
    this.#cancelEnd = undefined;
    if (!this.isOpen) return;
    this.#openUntil = Number.NEGATIVE_INFINITY;
    this.#changed();
  }

  /** Somebody asks to be let in; asks again while it waits. */
  knock(newcomer: Newcomer): 'waiting' | 'refused' | 'crowded' {
    const now = this.#clock.now();
    this.#forget();
    if (this.#refused.has(newcomer.peer)) return 'refused';
    const isNew = !this.#newcomers.has(newcomer.peer);
    if (isNew && this.#newcomers.size >= NEWCOMERS_MAX) return 'crowded';
    this.#newcomers.set(newcomer.peer, { newcomer, heardAt: now });
    if (isNew) this.#changed();
    return 'waiting';
  }

  newcomers(): Newcomer[] {
    this.#forget();
    return [...this.#newcomers.values()].map(({ newcomer }) => newcomer);
  }

  /** A person said no. */
  refuse(peer: PeerId): void {
    this.#newcomers.delete(peer);
    if (this.#refused.size >= NEWCOMERS_MAX) this.#refused.clear();
    this.#refused.set(peer, this.#clock.now() + this.#options.refusedMs);
    this.#changed();
  }

  /** It is in. */
  leave(peer: PeerId): void {
    this.#refused.delete(peer);
    if (this.#newcomers.delete(peer)) this.#changed();
  }

  /** Whether it was refused lately. */
  isRefused(peer: PeerId): boolean {
    this.#forget();
    return this.#refused.has(peer);
  }

  #forget(): void {
    const now = this.#clock.now();
    const size = this.#newcomers.size;
    for (const [peer, { heardAt }] of this.#newcomers) {
      if (now - heardAt > this.#options.newcomerKeptMs) this.#newcomers.delete(peer);
    }
    for (const [peer, until] of this.#refused) if (now >= until) this.#refused.delete(peer);
    if (this.#newcomers.size < size) this.#changed();
  }
}
