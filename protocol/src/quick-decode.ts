import { copyOf } from './small-copies.ts';

/** Deeper values than any record are left to the slow way, which says what is too deep. */
const DEPTH_MAX = 32;

/** Texts that recur in nearly every message: names of properties, machines and jobs. */
const TEXTS_KEPT = 1_024;
/** A hash and a machine's id are no longer. */
const TEXT_KEPT_BYTES = 64;

/** Arguments of one call. */
const CHARACTERS_AT_ONCE = 1_024;

/** Stands for bytes of which this way isn't sure; it says nothing of them. */
const DOUBT = Symbol('doubt');

/**
 * The value that canonical DAG-CBOR has for these bytes, read without tokens in between; undefined, which says nothing,
 * for whatever it isn't sure of. What it gives is what the library gives, which alone knows what is malformed.
 */
export function quickDecode(bytes: Uint8Array): unknown {
  return reader.decode(bytes);
}

/**
 * Reads the major types of RFC 8949, section 3, as far as `quickEncode` writes them: integers and lengths the
 * shortest, text in ASCII, maps in order of length and then bytes, which leaves no room for a key twice.
 */
class Reader {
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;
  readonly #double = new DataView(new ArrayBuffer(8));
  readonly #texts: (string | undefined)[] = Array.from({ length: TEXTS_KEPT }, () => undefined);

  decode(bytes: Uint8Array): unknown {
    // Slices of Node's buffers are no copies.
    const isPlain = Object.getPrototypeOf(bytes) === Uint8Array.prototype;
    this.#bytes = isPlain ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
    const value = this.#item(0);
    return value === DOUBT || this.#at !== bytes.length ? undefined : value;
  }

  #item(depth: number): unknown {
    const head = this.#bytes[this.#at++];
    if (head === undefined) return DOUBT;
    if (head >= 0xe0) return this.#simple(head);
    const argument = this.#argument(head & 31);
    if (argument < 0) return DOUBT;
    switch (head >> 5) {
      case 0:
        return argument;
      case 1:
        return argument < Number.MAX_SAFE_INTEGER ? -1 - argument : DOUBT;
      case 2:
        return this.#byteString(argument);
      case 3:
        return this.#text(argument);
      case 4:
        return depth < DEPTH_MAX ? this.#array(argument, depth + 1) : DOUBT;
      case 5:
        return depth < DEPTH_MAX ? this.#map(argument, depth + 1) : DOUBT;
      default:
        return DOUBT;
    }
  }

  /** The number in a head, in its shortest form; -1 in doubt. */
  #argument(info: number): number {
    if (info < 24) return info;
    const bytes = this.#bytes;
    const at = this.#at;
    const length = 1 << (info - 24);
    if (info > 27 || at + length > bytes.length) return -1;
    this.#at = at + length;
    let value = 0;
    for (let i = at; i < at + length; i++) value = value * 256 + (bytes[i] as number);
    const least = info === 24 ? 24 : 2 ** (4 * length);
    return value >= least && value <= Number.MAX_SAFE_INTEGER ? value : -1;
  }

  #simple(head: number): unknown {
    if (head === 0xf4) return false;
    if (head === 0xf5) return true;
    if (head === 0xf6) return null;
    const bytes = this.#bytes;
    const at = this.#at;
    if (head !== 0xfb || at + 8 > bytes.length) return DOUBT;
    for (let i = 0; i < 8; i++) this.#double.setUint8(i, bytes[at + i] as number);
    this.#at = at + 8;
    const value = this.#double.getFloat64(0);
    // Whole ones are integers in canonical bytes.
    return Number.isFinite(value) && !Number.isInteger(value) ? value : DOUBT;
  }

  #byteString(length: number): unknown {
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) return DOUBT;
    this.#at = end;
    return copyOf(this.#bytes, start, end);
  }

  #text(length: number): string | typeof DOUBT {
    const bytes = this.#bytes;
    const start = this.#at;
    const end = start + length;
    if (end > bytes.length) return DOUBT;
    this.#at = end;
    if (length > TEXT_KEPT_BYTES) return this.#newText(start, end);
    if (length === 0) return '';
    const place = placeOf(bytes, start, end);
    const kept = this.#texts[place];
    if (kept !== undefined && isText(kept, bytes, start, length)) return kept;
    const text = this.#newText(start, end);
    if (text !== DOUBT) this.#texts[place] = text;
    return text;
  }

  #newText(start: number, end: number): string | typeof DOUBT {
    const bytes = this.#bytes;
    for (let i = start; i < end; i++) if ((bytes[i] as number) > 0x7f) return DOUBT;
    let text = '';
    for (let at = start; at < end; at += CHARACTERS_AT_ONCE) {
      const part = bytes.subarray(at, Math.min(end, at + CHARACTERS_AT_ONCE));
      // Takes any list of numbers, and needs no copy of it.
      text += Reflect.apply(String.fromCharCode, undefined, part) as string;
    }
    return text;
  }

  #array(length: number, depth: number): unknown {
    // Each item has a byte at least: whoever announces more than there is gets no room for it.
    if (length > this.#bytes.length - this.#at) return DOUBT;
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) {
      const item = this.#item(depth);
      if (item === DOUBT) return DOUBT;
      items.push(item);
    }
    return items;
  }

  #map(size: number, depth: number): unknown {
    const properties: Record<string, unknown> = {};
    let before = '';
    for (let i = 0; i < size; i++) {
      const head = this.#bytes[this.#at++];
      if (head === undefined || head >> 5 !== 3) return DOUBT;
      const length = this.#argument(head & 31);
      const key = length < 0 ? DOUBT : this.#text(length);
      if (key === DOUBT || key === '__proto__') return DOUBT;
      if (i > 0 && (key.length < before.length || (key.length === before.length && key <= before)))
        return DOUBT;
      before = key;
      const value = this.#item(depth);
      if (value === DOUBT) return DOUBT;
      properties[key] = value;
    }
    return properties;
  }
}

/** Where a text is kept: ids differ at their ends, names in their middles. */
function placeOf(bytes: Uint8Array, start: number, end: number): number {
  const [last, middle, first] = [bytes[end - 1], bytes[(start + end) >> 1], bytes[start]] as number[];
  const beforeLast = end - start > 1 ? (bytes[end - 2] as number) : 0;
  const mixed =
    (end - start) * 131 +
    (last as number) * 31 +
    beforeLast * 977 +
    (middle as number) * 7 +
    (first as number);
  return mixed % TEXTS_KEPT;
}

function isText(text: string, bytes: Uint8Array, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

/** What it keeps is used again: what is decoded is done before anything else begins. */
const reader = new Reader();
