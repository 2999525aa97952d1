/** The bytes are not of the plain form that is read here. Made once: a stack would cost more than the reading. */
const MISMATCH = new Error('Not the plain form.');

/** Texts that are kept, so that all records share them: a farm has far fewer machines and jobs than these. */
const TEXTS_KEPT_MAX = 1_024;
const HASH_LENGTH = 64;
/** Far more than a farm's machines, so that few share one. */
const PLACES = 1_024;

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
    return this.#textOf(start, end, lengthMax);
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
    const [start, end] = this.#textSpan();
    const bytes = this.#bytes;
    const known = texts.known(bytes, start, end);
    if (known !== undefined) return known;
    const text = texts.one(this.#textOf(start, end, Number.MAX_SAFE_INTEGER), bytes.subarray(start, end));
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

  #textOf(start: number, end: number, lengthMax: number): string {
    const bytes = this.#bytes;
    for (let i = start; i < end; i++) {
      if ((bytes[i] as number) > 0x7f) return this.#wideText(start, end, lengthMax);
    }
    this.check(end - start <= lengthMax);
    return bytes.toString('latin1', start, end);
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
  /**
   * Texts that were read lately, by the place that their bytes give them: a record names its coordinator, its worker and
   * its holders in turn. Two of one place take it from each other.
   */
  readonly #lately = new Array<{ readonly bytes: Uint8Array; readonly text: string } | undefined>(PLACES);

  constructor(pattern: RegExp) {
    this.#pattern = pattern;
  }

  /** The text of these bytes, where it was read lately. */
  known(bytes: Uint8Array, start: number, end: number): string | undefined {
    const lately = this.#lately[placeOf(bytes, start, end)];
    if (lately?.bytes.length !== end - start) return undefined;
    for (let i = start; i < end; i++) if (bytes[i] !== lately.bytes[i - start]) return undefined;
    return lately.text;
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
    this.#lately[placeOf(bytes, 0, bytes.length)] = { bytes: Uint8Array.from(bytes), text: kept };
    return kept;
  }
}

/** Ids differ most at their ends. */
function placeOf(bytes: Uint8Array, start: number, end: number): number {
  const last = end > start ? (bytes[end - 1] as number) : 0;
  const before = end > start + 1 ? (bytes[end - 2] as number) : 0;
  return (31 * before + last) % PLACES;
}
