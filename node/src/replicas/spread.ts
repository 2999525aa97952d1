import type { PeerId } from '@cuadro/protocol';
import type { Clock, Random } from '../system/interface.ts';
import { SPREAD_MS, SPREAD_TO } from './limits.ts';

export interface SpreadComponents {
  readonly clock: Pick<Clock, 'after'>;
  readonly random: Random;
  /** Members that are reachable now. */
  readonly reachable: () => readonly PeerId[];
  /** The digest of all records here. */
  readonly root: () => string | undefined;
  /** Opens an exchange as soon as there is room. */
  readonly exchange: (peer: PeerId) => void;
}

/**
 * Passes on what came by exchange (SPEC R130). That is gossiped by nobody, and members tell their roots to their
 * coordinator alone: where its link is slow, two others would differ for as long as an exchange with it takes. Whoever
 * learned something asks a few others in turn; those that know it answer at once, and it ends there. While records change
 * all the time, any two differ by what is under way, and would ask each other without end: so nobody asks before all has
 * rested here for a while.
 */
export class Spread {
  readonly #components: SpreadComponents;
  /** From whom something was learned since the last turn. */
  readonly #from = new Set<PeerId>();
  #root: string | undefined;
  #cancel: (() => void) | undefined;

  constructor(components: SpreadComponents) {
    this.#components = components;
  }

  learned(from: PeerId): void {
    this.#from.add(from);
    if (this.#cancel === undefined) this.#wait();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(): void {
    this.#root = this.#components.root();
    this.#cancel = this.#components.clock.after(SPREAD_MS, () => this.#ask());
  }

  #ask(): void {
    this.#cancel = undefined;
    const { random, reachable, root, exchange } = this.#components;
    if (root() !== this.#root) {
      this.#wait();
      return;
    }
    // One knows what it told, and of several each may lack what another one told.
    const isKnownTo = (peer: PeerId): boolean => this.#from.size === 1 && this.#from.has(peer);
    const others = reachable().filter((peer) => !isKnownTo(peer));
    this.#from.clear();
    for (let asked = 0; asked < SPREAD_TO && others.length > 0; asked++) {
      const [peer] = others.splice(Math.floor(random.float() * others.length), 1);
      if (peer !== undefined) exchange(peer);
    }
  }
}
