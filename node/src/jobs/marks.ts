import { hash } from 'node:crypto';

/** Words of a mark, of 32 bits each. */
export const MARK_WORDS = 2;
/** Hexadecimal digits of a word. */
const WORD_DIGITS = 8;

/** A text's mark: 64 bits of its SHA-256. The first word is never 0, which stands for none. */
export function putMark(text: string, into: Uint32Array): Uint32Array {
  const digits = hash('sha256', text);
  for (let word = 0; word < MARK_WORDS; word++)
    into[word] = Number.parseInt(digits.slice(word * WORD_DIGITS, (word + 1) * WORD_DIGITS), 16);
  into[0] ||= 1;
  return into;
}

/** Words of a slot: a mark, and the number beside it. */
const SLOT_WORDS = MARK_WORDS + 1;
/** Slots of an empty table; they double when three quarters are taken. */
const SLOTS_MIN = 256;

/**
 * A number for each text, of which the mark alone is held: 12 bytes a slot, where a Map with its strings takes 80. Two
 * texts of one mark would be one; among a million a pair is as likely as one in thirty million.
 */
export class MarkedNumbers {
  #slots = new Uint32Array(SLOTS_MIN * SLOT_WORDS);
  #count = 0;
  readonly #mark = new Uint32Array(MARK_WORDS);

  get(text: string): number | undefined {
    const at = this.#find(putMark(text, this.#mark));
    return this.#slots[at] === 0 ? undefined : this.#slots[at + MARK_WORDS];
  }

  /** A whole number of 32 bits, none of them for the sign. */
  set(text: string, value: number): void {
    const at = this.#find(putMark(text, this.#mark));
    if (this.#slots[at] === 0) this.#count += 1;
    this.#slots.set(this.#mark, at);
    this.#slots[at + MARK_WORDS] = value;
    if (this.#count * 4 * SLOT_WORDS > this.#slots.length * 3) this.#grow();
  }

  /** Where it stands, or would. */
  #find(mark: Uint32Array): number {
    const [first, second] = mark as unknown as [number, number];
    const { length } = this.#slots;
    // As many slots as a power of two: the last bits tell where one begins.
    for (let at = (second % (length / SLOT_WORDS)) * SLOT_WORDS; ; at = (at + SLOT_WORDS) % length) {
      const found = this.#slots[at];
      if (found === 0 || (found === first && this.#slots[at + 1] === second)) return at;
    }
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(2 * before.length);
    for (let at = 0; at < before.length; at += SLOT_WORDS) {
      if (before[at] === 0) continue;
      const slot = before.subarray(at, at + SLOT_WORDS);
      this.#slots.set(slot, this.#find(slot));
    }
  }
}
