import type { Random } from '../../node/src/system/interface.ts';

const MASK = (1n << 64n) - 1n;

/** splitmix64 (Sebastiano Vigna, public domain): spreads a seed whose bits are all alike. */
function* spread(seed: bigint): Generator<number, never, void> {
  let state = seed & MASK;
  for (;;) {
    state = (state + 0x9e3779b97f4a7c15n) & MASK;
    let mixed = state;
    mixed = ((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & MASK;
    mixed ^= mixed >> 31n;
    yield Number(mixed & 0xffffffffn);
    yield Number(mixed >> 32n);
  }
}

/** A name's own 64 bits, so that a stream of numbers for one purpose doesn't shift those of others (FNV-1a). */
function hashOf(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const character of text)
    hash = ((hash ^ BigInt(character.codePointAt(0) ?? 0)) * 0x100000001b3n) & MASK;
  return hash;
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** All chance of a run: sfc32 (Chris Doty-Humphrey, public domain), begun from a 64-bit seed. */
export class Dice implements Random {
  readonly #seed: bigint;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: bigint) {
    this.#seed = seed;
    const words = spread(seed);
    [this.#a, this.#b, this.#c] = [words.next().value, words.next().value, words.next().value];
    for (let i = 0; i < 12; i++) this.#next();
  }

  /** Dice of its own for one purpose: what is thrown there changes nothing here. */
  fork(name: string): Dice {
    return new Dice(this.#seed ^ hashOf(name));
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  float(): number {
    return this.#next() / 2 ** 32;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.#next() & 255);
  }

  name(length = 16): string {
    return Array.from(this.bytes(length), (byte) => ALPHABET[byte & 31]).join('');
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.float() * (high - low + 1));
  }

  between(low: number, high: number): number {
    return low + this.float() * (high - low);
  }

  /** Mostly short, now and then very long: as waits in a network and render times are. */
  longTailed(mean: number): number {
    return -Math.log(1 - this.float()) * mean;
  }

  chance(share: number): boolean {
    return this.float() < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.float() * items.length)] as T;
  }

  /** One of them, the more often the greater its weight. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T {
    let at = this.float() * items.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, item] of items) {
      at -= weight;
      if (at < 0) return item;
    }
    return (items.at(-1) as readonly [number, T])[1];
  }

  shuffled<T>(items: readonly T[]): T[] {
    const mixed = [...items];
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = this.whole(0, i);
      [mixed[i], mixed[j]] = [mixed[j] as T, mixed[i] as T];
    }
    return mixed;
  }
}
