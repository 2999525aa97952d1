import { compareBytes, encode } from './codec.ts';

/** Deeper values than any record are left to the slow way. */
const DEPTH_MAX = 32;

/**
 * Whether `bytes` are the canonical ones of `value`, which was decoded from them (SPEC R4). Bytes that are so beyond
 * doubt are known by one look over them, at a tenth of the cost of encoding the value again.
 */
export function isCanonical(bytes: Uint8Array, value: unknown): boolean {
  if (isSurelyCanonical(bytes)) return true;
  return compareBytes(encode(value), bytes) === 0;
}

/** Whether these bytes are beyond doubt the canonical ones of one value; false says nothing. */
export const isSurelyCanonical = (bytes: Uint8Array): boolean => new Scan(bytes).isSurelyCanonical();

/** Ends a scan: not wrong, perhaps, but beyond what it is sure of. */
const DOUBT = -1;

/**
 * Reads DAG-CBOR without making anything of it: the major types of RFC 8949, section 3, as far as records use them.
 * Integers and lengths must be the shortest, text ASCII, maps in order of length and then bytes, floats no integers.
 */
class Scan {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  isSurelyCanonical(): boolean {
    return this.#item(0, 0) === this.#bytes.length;
  }

  /** Where the item at `at` ends, or `DOUBT`. */
  #item(at: number, depth: number): number {
    const first = this.#bytes[at];
    if (first === undefined || depth > DEPTH_MAX) return DOUBT;
    const major = first >> 5;
    if (major === 7) return this.#simple(first, at);
    const argument = this.#argument(at);
    if (argument === DOUBT) return DOUBT;
    const start = at + headLength(first);
    switch (major) {
      case 0:
      case 1:
        return start;
      case 2:
        return this.#within(start + argument);
      case 3:
        return this.#text(start, start + argument);
      case 4:
        return this.#array(start, argument, depth);
      case 5:
        return this.#map(start, argument, depth);
      default:
        return DOUBT;
    }
  }

  /** The integer or length in a head, where it has its shortest form and is below 2^32. */
  #argument(at: number): number {
    const short = (this.#bytes[at] as number) & 31;
    if (short < 24) return short;
    if (this.#within(at + headLength(short)) === DOUBT) return DOUBT;
    switch (short) {
      case 24:
        return atLeast(24, this.#view.getUint8(at + 1));
      case 25:
        return atLeast(0x100, this.#view.getUint16(at + 1));
      case 26:
        return atLeast(0x1_0000, this.#view.getUint32(at + 1));
      case 27: {
        // Times are such: above 2^32, and exact below 2^53.
        const high = this.#view.getUint32(at + 1);
        return high > 0 && high < 2 ** 21 ? high * 2 ** 32 + this.#view.getUint32(at + 5) : DOUBT;
      }
      default:
        return DOUBT;
    }
  }

  #simple(first: number, at: number): number {
    // False, true and null.
    if (first >= 0xf4 && first <= 0xf6) return at + 1;
    if (first !== 0xfb || this.#within(at + 9) === DOUBT) return DOUBT;
    const value = this.#view.getFloat64(at + 1);
    return Number.isFinite(value) && !Number.isInteger(value) ? at + 9 : DOUBT;
  }

  #text(start: number, end: number): number {
    if (this.#within(end) === DOUBT) return DOUBT;
    for (let i = start; i < end; i++) if ((this.#bytes[i] as number) > 0x7f) return DOUBT;
    return end;
  }

  #array(start: number, count: number, depth: number): number {
    let at = start;
    for (let i = 0; i < count && at !== DOUBT; i++) at = this.#item(at, depth + 1);
    return at;
  }

  #map(start: number, count: number, depth: number): number {
    let at = start;
    let before: Uint8Array | undefined;
    for (let i = 0; i < count; i++) {
      const isText = ((this.#bytes[at] ?? 0) & 0xe0) === 0x60;
      const end = isText ? this.#item(at, depth + 1) : DOUBT;
      if (end === DOUBT) return DOUBT;
      // The head holds the length, so that the order of heads and text is the order of length, then bytes.
      const key = this.#bytes.subarray(at, end);
      if (before !== undefined && compareBytes(before, key) >= 0) return DOUBT;
      // `__proto__` is the one name that starts so; it is no property as others are.
      if (key[1] === 0x5f) return DOUBT;
      before = key;
      at = this.#item(end, depth + 1);
      if (at === DOUBT) return DOUBT;
    }
    return at;
  }

  #within(end: number): number {
    return end <= this.#bytes.length ? end : DOUBT;
  }
}

/** Bytes of a head by its first byte. */
function headLength(first: number): number {
  const short = first & 31;
  return short < 24 ? 1 : 1 + 2 ** (short - 24);
}

const atLeast = (least: number, value: number): number => (value >= least ? value : DOUBT);
