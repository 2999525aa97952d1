/** Numbers from a seed, quickly: millions of inputs are made of them (sfc32 of PractRand, Chris Doty-Humphrey). */
export class Dice {
  #a: number;
  #b: number;
  #c = 0x9e37_79b9;
  #count = 1;

  constructor(a: number, b: number) {
    this.#a = a | 0;
    this.#b = b | 0;
    for (let i = 0; i < 4; i++) this.next();
  }

  /** 32 bits, from 0 on. */
  next(): number {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 to `count` - 1. */
  below(count: number): number {
    return count <= 1 ? 0 : this.next() % count;
  }

  /** Both ends included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True once in so many times. */
  once(inSoMany: number): boolean {
    return this.below(inSoMany) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** Small mostly, and now and then up to `most`. */
  size(most: number): number {
    return this.below(1 + Math.min(most, 1 << this.below(32 - Math.clz32(most))));
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.next() >>> 11;
    return bytes;
  }
}
