import type { BlobHash, PinOwner } from '../../../node/src/blobs/interface.ts';

/** A promise of the store that did not hold. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise';
  readonly rule: string;
  constructor(rule: string, sentence: string) {
    super(sentence);
    this.rule = rule;
  }
}

type PinState = 'set' | 'unset' | 'open';

interface PinChange {
  readonly key: string;
  readonly wish: 'set' | 'unset';
  /** Ran at the same time as one that wished the opposite. */
  isCrossed: boolean;
}

interface Held {
  /** Acknowledged, and nobody began to take it away since. */
  isSure: boolean;
  /** How often somebody began to. */
  removals: number;
  /** How often the disk changed it. */
  damages: number;
  /** How often the store took it out of use. */
  quarantines: number;
  isDamaged: boolean;
}

export const short = (hash: BlobHash): string => hash.slice(0, 8);

const keyOf = (hash: BlobHash, owner: PinOwner): string => `${hash} ${owner}`;

/**
 * What the store has acknowledged, kept apart from it: which blobs must be there, and whose pins must stand. Where
 * something was on its way at the end of a process, both ways are right until the next start tells which it was.
 */
export class Ledger {
  readonly #pins = new Map<string, PinState>();
  readonly #changing = new Set<PinChange>();
  readonly #blobs = new Map<BlobHash, Held>();
  readonly #arriving: BlobHash[] = [];

  #held(hash: BlobHash): Held {
    const held = this.#blobs.get(hash) ?? {
      isSure: false,
      removals: 0,
      damages: 0,
      quarantines: 0,
      isDamaged: false,
    };
    this.#blobs.set(hash, held);
    return held;
  }

  // ---- Blobs -------------------------------------------------------------------------------------------------

  /** The store is asked to keep a blob; what comes back is called with whether it says that it does. */
  puts(hash: BlobHash): (isDone: boolean) => void {
    this.#arriving.push(hash);
    const { removals, damages } = this.#held(hash);
    return (isDone) => {
      this.#arriving.splice(this.#arriving.indexOf(hash), 1);
      const held = this.#held(hash);
      if (!isDone) return;
      // Taken away meanwhile, or damaged: it may have been before or after.
      if (held.removals !== removals || held.damages !== damages) return;
      held.isSure = true;
      held.isDamaged = false;
    };
  }

  /** It is on its way into the store. */
  isArriving(hash: BlobHash): boolean {
    return this.#arriving.includes(hash);
  }

  /** The store is asked whether it has a blob; what comes back is called when it says so. */
  looksFor(hash: BlobHash): () => void {
    const { removals } = this.#held(hash);
    return () => {
      const held = this.#held(hash);
      if (held.removals === removals && !held.isDamaged) held.isSure = true;
    };
  }

  isSure(hash: BlobHash): boolean {
    return this.#blobs.get(hash)?.isSure === true;
  }

  /** What comes back tells whether these must be there, as they had to since now. */
  trusts(hashes: readonly BlobHash[]): () => boolean {
    const tell = (): string => hashes.map((hash) => Object.values(this.#held(hash)).join(' ')).join(', ');
    const before = tell();
    const areSure = hashes.every((hash) => this.isSure(hash));
    return () => areSure && tell() === before;
  }

  damaged(hash: BlobHash): void {
    const held = this.#held(hash);
    held.isDamaged = true;
    held.isSure = false;
    held.damages += 1;
  }

  /** The store began to take a blob away. */
  removing(hash: BlobHash, how: 'rm' | 'rename'): void {
    const held = this.#held(hash);
    if (held.isSure && how === 'rename') throw new BrokenPromise('quarantine', `${short(hash)} is whole.`);
    const owner = held.isSure ? this.ownersOf(hash, 'set')[0] : undefined;
    if (owner !== undefined) throw new BrokenPromise('eviction', `${short(hash)} is pinned by ${owner}.`);
    held.isSure = false;
    if (how === 'rm') held.removals += 1;
    else held.quarantines += 1;
  }

  /** Blobs that must be there. */
  sureBlobs(): BlobHash[] {
    return [...this.#blobs].filter(([, { isSure }]) => isSure).map(([hash]) => hash);
  }

  /** A new process says whether it has a blob; what it says is so. */
  found(hash: BlobHash, state: 'whole' | 'damaged' | 'absent'): void {
    const held = this.#held(hash);
    held.isSure = state === 'whole';
    held.isDamaged = state === 'damaged';
  }

  // ---- Pins --------------------------------------------------------------------------------------------------

  /** A pin is asked for or given up; what comes back is called with how that ended. */
  changesPin(hash: BlobHash, owner: PinOwner, wish: 'set' | 'unset'): (isDone: boolean) => void {
    const key = keyOf(hash, owner);
    const change: PinChange = { key, wish, isCrossed: false };
    for (const other of this.#changing)
      if (other.key === key && other.wish !== wish) other.isCrossed = change.isCrossed = true;
    this.#changing.add(change);
    if (this.pin(hash, owner) !== wish) this.#pins.set(key, 'open');
    return (isDone) => {
      this.#changing.delete(change);
      if (change.isCrossed) this.#pins.set(key, 'open');
      else if (isDone) this.#pins.set(key, wish);
    };
  }

  pin(hash: BlobHash, owner: PinOwner): PinState {
    return this.#pins.get(keyOf(hash, owner)) ?? 'unset';
  }

  foundPin(hash: BlobHash, owner: PinOwner, isThere: boolean): void {
    this.#pins.set(keyOf(hash, owner), isThere ? 'set' : 'unset');
  }

  ownersOf(hash: BlobHash, state: PinState): PinOwner[] {
    return this.#pinsWhere((of, pin) => of === hash && pin === state).map(([, owner]) => owner);
  }

  /** Blobs that an owner pins, or may pin. */
  pinnedBy(owner: PinOwner): BlobHash[] {
    return this.#pinsWhere((_hash, pin, of) => of === owner && pin !== 'unset').map(([hash]) => hash);
  }

  #pinsWhere(
    isMeant: (hash: BlobHash, pin: PinState, owner: PinOwner) => boolean,
  ): [hash: BlobHash, owner: PinOwner][] {
    const found: [BlobHash, PinOwner][] = [];
    for (const [key, pin] of this.#pins) {
      const [hash = '', owner = ''] = key.split(' ');
      if (isMeant(hash, pin, owner)) found.push([hash, owner]);
    }
    return found;
  }

  /** The process is gone, and with it what was under way. */
  ended(): void {
    this.#changing.clear();
    this.#arriving.length = 0;
  }
}
