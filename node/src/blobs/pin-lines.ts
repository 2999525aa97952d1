import { WORDS } from './hash-rows.ts';
import type { PinOwner } from './interface.ts';

const BREAK = 0x0a;
const BLANK = 0x20;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DIGITS = 64;
/** Where the owner begins, after the sign, the hash and a blank. */
const OWNER_AT = DIGITS + 2;
/** A line's bytes at most that are kept until its end is read; one of ours has 267. */
const REST_MAX = 4_096;
const NONE = 0xff;

export const ownerPattern = /^[!-~]+$/;

/** The value of a hexadecimal digit by its byte; NONE of all others, capitals too. */
const VALUES = new Uint8Array(256).fill(NONE);
for (const [value, byte] of Buffer.from('0123456789abcdef').entries()) VALUES[byte] = value;

/**
 * Takes the lines `+HASH OWNER` and `-HASH OWNER` of a journal apart as its bytes come, in pieces of any length, with
 * no text of a hash in between: a start reads two of them for each frame. Other lines are none, and are counted.
 */
export class PinLines {
  readonly #each: (isSet: boolean, words: Uint32Array, owner: PinOwner) => void;
  readonly #words = new Uint32Array(WORDS);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  /** What came after the last line break, as far as it is kept. */
  #rest: Buffer = Buffer.alloc(0);
  #ownerBytes: Buffer = Buffer.alloc(0);
  #owner: PinOwner = '';
  /** Lines that ended with a line break. */
  count = 0;

  /** `each` is called with words of its own, which change with the next line. */
  constructor(each: (isSet: boolean, words: Uint32Array, owner: PinOwner) => void) {
    this.#each = each;
  }

  /** What follows the last line break is no line: it was being written when the power went. */
  get isTorn(): boolean {
    return this.#rest.length > 0;
  }

  take(piece: Buffer): void {
    let start = 0;
    for (let end = piece.indexOf(BREAK); end >= 0; end = piece.indexOf(BREAK, start)) {
      if (this.#rest.length === 0) this.#line(piece, start, end);
      else {
        const line = Buffer.concat([this.#rest, piece.subarray(start, end)]);
        this.#rest = Buffer.alloc(0);
        this.#line(line, 0, line.length);
      }
      this.count += 1;
      start = end + 1;
    }
    if (start < piece.length)
      this.#rest = Buffer.concat([this.#rest, piece.subarray(start)]).subarray(0, REST_MAX);
  }

  #line(bytes: Buffer, start: number, end: number): void {
    const sign = bytes[start];
    if ((sign !== PLUS && sign !== MINUS) || end - start <= OWNER_AT || end - start >= REST_MAX) return;
    for (let i = 0, at = start + 1; i < this.#bytes.length; i++, at += 2) {
      const high = VALUES[bytes[at] as number] as number;
      const low = VALUES[bytes[at + 1] as number] as number;
      if (high === NONE || low === NONE) return;
      this.#bytes[i] = 16 * high + low;
    }
    if (bytes[start + 1 + DIGITS] !== BLANK || !this.#readOwner(bytes, start + OWNER_AT, end)) return;
    this.#each(sign === PLUS, this.#words, this.#owner);
  }

  /** Most lines have the owner of the one before. */
  #readOwner(bytes: Buffer, start: number, end: number): boolean {
    const before = this.#ownerBytes;
    if (before.length === end - start && before.compare(bytes, start, end) === 0) return true;
    const owner = bytes.toString('latin1', start, end);
    if (!ownerPattern.test(owner)) return false;
    this.#owner = owner;
    this.#ownerBytes = Buffer.from(bytes.subarray(start, end));
    return true;
  }
}
