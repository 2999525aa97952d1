import { copyOf } from './small-copies.ts';

/** Deeper values than any record are left to the slow way, and with them what goes round in a circle. */
const DEPTH_MAX = 32;

/** Larger values are left to the slow way: nearly all are records of some hundred bytes, and the largest a batch of them. */
const BYTES_MAX = 512 * 1024;

/**
 * The bytes that DAG-CBOR has for a value, written without tokens in between; undefined, which says nothing, for
 * whatever it isn't sure of. Properties without a value, and those that no copy holds, are left out as by `encode`.
 */
export function quickEncode(value: unknown): Uint8Array | undefined {
  return writer.encode(value);
}

/**
 * Writes the major types of RFC 8949, section 3, as far as records use them: integers and lengths the shortest, text
 * in ASCII, maps in order of length and then bytes, floats of eight bytes. Each write is false where it has a doubt.
 */
class Writer {
  readonly #bytes = new Uint8Array(BYTES_MAX);
  readonly #view = new DataView(this.#bytes.buffer);
  #at = 0;

  encode(value: unknown): Uint8Array | undefined {
    this.#at = 0;
    return this.#item(value, 0) ? copyOf(this.#bytes, 0, this.#at) : undefined;
  }

  #item(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'number':
        return this.#number(value);
      case 'boolean':
        return this.#byte(value ? 0xf5 : 0xf4);
      case 'object':
        if (value === null) return this.#byte(0xf6);
        if (depth >= DEPTH_MAX) return false;
        if (Array.isArray(value)) return this.#array(value, depth);
        return value instanceof Uint8Array ? this.#byteString(value) : this.#map(value, depth);
      default:
        return false;
    }
  }

  #byte(byte: number): boolean {
    if (this.#at >= BYTES_MAX) return false;
    this.#bytes[this.#at++] = byte;
    return true;
  }

  /** A major type and its argument. */
  #head(major: number, argument: number): boolean {
    if (this.#at + 9 > BYTES_MAX) return false;
    const type = major << 5;
    if (argument < 24) {
      this.#bytes[this.#at++] = type | argument;
    } else if (argument < 0x1_00) {
      this.#bytes[this.#at++] = type | 24;
      this.#bytes[this.#at++] = argument;
    } else if (argument < 0x1_00_00) {
      this.#bytes[this.#at++] = type | 25;
      this.#view.setUint16(this.#at, argument);
      this.#at += 2;
    } else if (argument < 0x1_00_00_00_00) {
      this.#bytes[this.#at++] = type | 26;
      this.#view.setUint32(this.#at, argument);
      this.#at += 4;
    } else {
      this.#bytes[this.#at++] = type | 27;
      this.#view.setBigUint64(this.#at, BigInt(argument));
      this.#at += 8;
    }
    return true;
  }

  #number(value: number): boolean {
    if (Number.isSafeInteger(value)) {
      if (Object.is(value, -0)) return false;
      return value >= 0 ? this.#head(0, value) : this.#head(1, -1 - value);
    }
    if (!Number.isFinite(value) || Number.isInteger(value) || this.#at + 9 > BYTES_MAX) return false;
    this.#bytes[this.#at] = 0xfb;
    this.#view.setFloat64(this.#at + 1, value);
    this.#at += 9;
    return true;
  }

  #text(text: string): boolean {
    const { length } = text;
    if (this.#at + 9 + length > BYTES_MAX || !this.#head(3, length)) return false;
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    this.#at = at;
    return true;
  }

  #byteString(value: Uint8Array): boolean {
    if (this.#at + 9 + value.length > BYTES_MAX || !this.#head(2, value.length)) return false;
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return true;
  }

  #array(items: readonly unknown[], depth: number): boolean {
    if (!this.#head(4, items.length)) return false;
    for (const item of items) if (!this.#item(item, depth + 1)) return false;
    return true;
  }

  #map(value: object, depth: number): boolean {
    // Anything but a plain object may have a way of its own to be encoded.
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return false;
    const properties = value as Record<string, unknown>;
    const keys = Object.keys(properties);
    const headAt = this.#at;
    if (!this.#head(5, keys.length)) return false;
    let count = 0;
    for (const key of inOrder(keys)) {
      // Each is looked up once: that is most of what a record costs.
      const item = properties[key];
      if (item === undefined) continue;
      // The first is in no copy, and the others can make a link to other data, which no record has.
      if (key === '__proto__' || key === '/' || key === 'asCID') return false;
      if (!this.#text(key) || !this.#item(item, depth + 1)) return false;
      count++;
    }
    return count === keys.length || this.#correctHead(headAt, keys.length, count);
  }

  /** Some of a map's properties have no value; where its head is longer than a byte, that is left to the slow way. */
  #correctHead(at: number, length: number, count: number): boolean {
    if (length >= 24) return false;
    this.#bytes[at] = (5 << 5) | count;
    return true;
  }
}

/** More keys than records have properties are left to the general sort. */
const KEYS_INSERTED_MAX = 24;

/** In their place. What was decoded is in order already, and the rest is short: then this is all but a look. */
function inOrder(keys: string[]): string[] {
  if (keys.length > KEYS_INSERTED_MAX) return keys.sort(compareKeys);
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] as string;
    let place = i;
    while (place > 0 && compareKeys(keys[place - 1] as string, key) > 0) {
      keys[place] = keys[place - 1] as string;
      place--;
    }
    keys[place] = key;
  }
  return keys;
}

/** As their bytes are ordered; of ASCII, as others end in doubt. */
function compareKeys(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1);
}

/** Its room is used again: what is encoded is done before anything else begins. */
const writer = new Writer();
