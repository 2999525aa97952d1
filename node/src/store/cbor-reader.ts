/** The bytes are not of the plain form that is read here. Made once: a stack would cost more than the reading. */
const MISMATCH = new Error('Not the plain form.');

/** Texts that are kept, so that all records share them: a farm has far fewer machines and jobs than these. */
const TEXTS_KEPT_MAX = 1_024;
const HASH_LENGTH = 64;

/** Bytes of a map's key of fewer than 24 ASCII characters, with their head. */
export const keyOf = (name: string): Uint8Array =>
  Uint8Array.from([0x60 + name.length, ...Buffer.from(name)]);

/**
 * Walks over canonical DAG-CBOR where the form is known beforehand, without a token or a copy in between. Every step
 * checks its bounds; whatever isn't as asked ends the reading. It takes canonical bytes only (SPEC R4).
 */
export class CborReader {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** What `form` reads, where that is all of the bytes; undefined where they have another form. */
  read<T>(bytes: Uint8Array, form: () => T): T | undefined {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
    try {
      const value = form();
      return this.#at === this.#bytes.length ? value : undefined;
    } catch (error) {
      if (error === MISMATCH) return undefined;
      throw error;
    }
  }

  check(condition: boolean): void {
    if (!condition) throw MISMATCH;
  }

  /** Steps over the key, if it is the next thing. */
  hasKey(key: Uint8Array): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return false;
    this.#at = at + key.length;
    return true;
  }

  mapSize(): number {
    return this.#head(5);
  }

  arraySize(): number {
    return this.#head(4);
  }

  /** A whole number from 0 on. */
  integer(max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#head(0);
    this.check(value <= max);
    return value;
  }

  /** A whole number from 0 on, or any other finite one in 64 bits. */
  number(): number {
    if (this.#bytes[this.#at] !== 0xfb) return this.integer();
    this.check(this.#at + 9 <= this.#bytes.length);
    const value = this.#bytes.readDoubleBE(this.#at + 1);
    // A whole one is an integer in canonical bytes.
    this.check(Number.isFinite(value) && !Number.isSafeInteger(value));
    this.#at += 9;
    return value;
  }

  boolean(): boolean {
    const head = this.#bytes[this.#at++];
    this.check(head === 0xf4 || head === 0xf5);
    return head === 0xf5;
  }

  text(lengthMax: number): string {
    const [start, end] = this.#textSpan();
    const bytes = this.#bytes;
    for (let i = start; i < end; i++) {
      if ((bytes[i] as number) > 0x7f) return this.#wideText(start, end, lengthMax);
    }
    this.check(end - start <= lengthMax);
    return bytes.toString('latin1', start, end);
  }

  /** A SHA-256 in hexadecimal. */
  hash(): string {
    const bytes = this.#bytes;
    const start = this.#at + 2;
    const end = start + HASH_LENGTH;
    this.check(bytes[start - 2] === 0x78 && bytes[start - 1] === HASH_LENGTH && end <= bytes.length);
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number;
      this.check((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66));
    }
    this.#at = end;
    return bytes.toString('latin1', start, end);
  }

  /** A text that recurs in many records. */
  shared(texts: SharedTexts): string {
    const [bytes, at] = [this.#bytes, this.#at];
    const { last } = texts;
    let same = 0;
    while (same < last.length && bytes[at + same] === last[same]) same++;
    if (same === last.length && same > 0) {
      this.#at = at + same;
      return texts.lastText;
    }
    const text = texts.one(this.text(Number.MAX_SAFE_INTEGER), bytes.subarray(at, this.#at));
    if (text === undefined) throw MISMATCH;
    return text;
  }

  /** Finds where the text lies, and steps over it. */
  #textSpan(): [start: number, end: number] {
    const length = this.#head(3);
    const start = this.#at;
    this.check(start + length <= this.#bytes.length);
    this.#at = start + length;
    return [start, this.#at];
  }

  #wideText(start: number, end: number, lengthMax: number): string {
    const text = this.#bytes.toString('utf8', start, end);
    // The general way treats a mark of byte order in its own manner, and knows best what isn't UTF-8.
    this.check(text.length <= lengthMax && !/[\ufeff\ufffd]/.test(text));
    return text;
  }

  /** The number in a head of this major type (RFC 8949, section 3), in its shortest form. */
  #head(major: number): number {
    const bytes = this.#bytes;
    const small = (bytes[this.#at++] ?? 0xff) - (major << 5);
    this.check(small >= 0 && small <= 27);
    if (small < 24) return small;
    const length = 1 << (small - 24);
    const start = this.#at;
    this.check(start + length <= bytes.length);
    this.#at = start + length;
    switch (length) {
      case 1:
        return this.#longer(bytes[start] as number, 24);
      case 2:
        return this.#longer(bytes.readUInt16BE(start), 0x100);
      case 4:
        return this.#longer(bytes.readUInt32BE(start), 0x1_0000);
      default: {
        const value = bytes.readUInt32BE(start) * 0x1_0000_0000 + bytes.readUInt32BE(start + 4);
        this.check(value <= Number.MAX_SAFE_INTEGER);
        return this.#longer(value, 0x1_0000_0000);
      }
    }
  }

  #longer(value: number, least: number): number {
    this.check(value >= least);
    return value;
  }
}

/** Texts of one pattern of which each is kept once. */
export class SharedTexts {
  readonly #pattern: RegExp;
  readonly #texts = new Map<string, string>();
  /** The text that was read last, and its bytes with their head: most often the next is the same. */
  last: Uint8Array = new Uint8Array();
  lastText = '';

  constructor(pattern: RegExp) {
    this.#pattern = pattern;
  }

  /** The kept text that equals this one; undefined where it isn't of the pattern. */
  one(text: string, bytes: Uint8Array): string | undefined {
    let kept = this.#texts.get(text);
    if (kept === undefined) {
      if (!this.#pattern.test(text)) return undefined;
      kept = text;
      if (this.#texts.size < TEXTS_KEPT_MAX) this.#texts.set(text, text);
    }
    // A copy of its own: a part of a buffer would keep all of it, and change with it.
    this.last = Uint8Array.from(bytes);
    this.lastText = kept;
    return kept;
  }
}
