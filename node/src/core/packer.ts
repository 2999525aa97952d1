import { attemptKey, type AttemptId } from '@cuadro/protocol';

/**
 * Values as bytes that only this process reads: a tenth of what they take as objects. Shapes of objects and texts that
 * come again and again are kept once; hashes are half as long as their text. What goes in comes out equal, property
 * by property and in their order; what has no such form is refused.
 */

/** Texts and shapes kept once; a job has some dozens, and what comes beyond stands in full. */
const KNOWN_MAX = 4_096;
/** Longer keys are names of their own, as attempts and peers are, and make no shapes. */
const SHAPE_KEY_MAX = 24;
const HEX = /^(?:[0-9a-f]{2}){8,}$/;
/** Properties whose texts are few, and come with every record. */
const SHARED = new Set(['kind', 'job', 'peer', 'state', 'role', 'engineVersion', 'code', 'cause']);

const TAG = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  whole: 4,
  negative: 5,
  float: 6,
  text: 7,
  hex: 8,
  known: 9,
  joined: 10,
  list: 11,
  shaped: 12,
  map: 13,
  bytes: 14,
  /** A key that says the attempt of its value. */
  attempt: 15,
} as const;
/** What comes most often takes one byte: small numbers, and the first of what is kept once. */
const SMALL = { from: 16, count: 112 } as const;
const KNOWN_FIRST = { from: 128, count: 64 } as const;
const SHAPED_FIRST = { from: 192, count: 64 } as const;

/** What can't be packed, and stays as it is. */
class Unpackable extends Error {}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

type Properties = Record<string, unknown>;

/** Kept once, and named by their place. */
class Known<T> {
  readonly #places = new Map<string, number>();
  readonly all: T[] = [];

  place(key: string, make: () => T): number | undefined {
    const known = this.#places.get(key);
    if (known !== undefined || this.all.length >= KNOWN_MAX) return known;
    this.#places.set(key, this.all.length);
    return this.all.push(make()) - 1;
  }
}

export class Packer {
  readonly #texts = new Known<string>();
  readonly #shapes = new Known<readonly string[]>();
  #bytes = new Uint8Array(1_024);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** Its bytes, which are the packer's own until the next call; undefined where it has no such form. */
  pack(value: object): Uint8Array | undefined {
    this.#at = 0;
    try {
      this.#put(value, '');
    } catch (error) {
      if (error instanceof Unpackable) return undefined;
      throw error;
    }
    return this.#bytes.subarray(0, this.#at);
  }

  unpack(bytes: Uint8Array): unknown {
    return new Unpacking(bytes, this.#texts.all, this.#shapes.all).value();
  }

  #put(value: unknown, key: string): void {
    switch (typeof value) {
      case 'undefined':
        return this.#byte(TAG.undefined);
      case 'boolean':
        return this.#byte(value ? TAG.true : TAG.false);
      case 'number':
        return this.#number(value);
      case 'string':
        return this.#text(value, SHARED.has(key));
      case 'object':
        return value === null ? this.#byte(TAG.null) : this.#object(value);
      default:
        throw new Unpackable();
    }
  }

  #object(value: object): void {
    if (Array.isArray(value)) {
      this.#byte(TAG.list);
      this.#whole(value.length);
      for (const item of value) this.#put(item, '');
      return;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Uint8Array.prototype) {
      this.#byte(TAG.bytes);
      this.#raw(value as Uint8Array);
      return;
    }
    const keys = Object.keys(value);
    if (prototype !== Object.prototype || keys.includes('__proto__')) throw new Unpackable();
    const place = this.#shapeOf(keys);
    if (place !== undefined && place < SHAPED_FIRST.count) this.#byte(SHAPED_FIRST.from + place);
    else {
      this.#byte(place === undefined ? TAG.map : TAG.shaped);
      this.#whole(place ?? keys.length);
    }
    for (const key of keys) {
      const own = (value as Properties)[key];
      if (place === undefined) {
        if (saysAttempt(key, own)) this.#byte(TAG.attempt);
        else this.#text(key, true);
      }
      this.#put(own, key);
    }
  }

  #shapeOf(keys: readonly string[]): number | undefined {
    for (const { length } of keys) if (length > SHAPE_KEY_MAX) return undefined;
    const place = this.#shapes.place(keys.join('\u0000'), () => keys);
    if (place === undefined) return undefined;
    // A key may hold what stands between two.
    const shape = this.#shapes.all[place] as readonly string[];
    return shape.length === keys.length && shape.every((key, i) => key === keys[i]) ? place : undefined;
  }

  #number(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value < SMALL.count && !Object.is(value, -0))
      return this.#byte(SMALL.from + value);
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.#byte(value < 0 ? TAG.negative : TAG.whole);
      this.#whole(Math.abs(value));
      return;
    }
    this.#byte(TAG.float);
    this.#room(8);
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  /** Hashes by their bytes; those that come again by their place; attempts' keys by their machine's. */
  #text(value: string, isShared: boolean): void {
    if (!isShared && HEX.test(value)) {
      this.#byte(TAG.hex);
      this.#raw(Buffer.from(value, 'hex'));
      return;
    }
    const dot = isShared ? value.lastIndexOf('.') : -1;
    const last = isShared ? value.slice(dot + 1) : '';
    const place = isShared ? this.#texts.place(last, () => last) : undefined;
    if (place === undefined) {
      this.#byte(TAG.text);
      this.#raw(wholeUtf8(value));
      return;
    }
    if (dot < 0 && place < KNOWN_FIRST.count) return this.#byte(KNOWN_FIRST.from + place);
    this.#byte(dot < 0 ? TAG.known : TAG.joined);
    this.#whole(place);
    if (dot >= 0) this.#raw(wholeUtf8(value.slice(0, dot)));
  }

  #byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  /** Seven bits a byte, the lowest first. */
  #whole(value: number): void {
    this.#room(8);
    let left = value;
    for (; left >= 128; left = Math.floor(left / 128)) this.#bytes[this.#at++] = (left % 128) | 128;
    this.#bytes[this.#at++] = left;
  }

  #raw(bytes: Uint8Array): void {
    this.#whole(bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#at + bytes));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Whether a key is that of the attempt which its value tells of: then it need not be told twice. */
function saysAttempt(key: string, value: unknown): boolean {
  const attempt = (value as { attempt?: Partial<AttemptId> } | null | undefined)?.attempt;
  if (typeof attempt !== 'object' || typeof attempt?.epoch !== 'object') return false;
  const { epoch, sequence } = attempt;
  if (typeof epoch?.term !== 'number' || typeof epoch.peer !== 'string') return false;
  return typeof sequence === 'number' && key === attemptKey(attempt as AttemptId);
}

/** A text that UTF-8 cannot carry would come out as another. */
function wholeUtf8(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new Unpackable();
  return utf8.encode(text);
}

/** One reading of what was packed. */
class Unpacking {
  readonly #bytes: Uint8Array;
  readonly #texts: readonly string[];
  readonly #shapes: readonly (readonly string[])[];
  #at = 0;

  constructor(bytes: Uint8Array, texts: readonly string[], shapes: readonly (readonly string[])[]) {
    this.#bytes = bytes;
    this.#texts = texts;
    this.#shapes = shapes;
  }

  value(): unknown {
    const tag = this.#byte();
    if (tag >= SHAPED_FIRST.from) return this.#shaped(tag - SHAPED_FIRST.from);
    if (tag >= SMALL.from && tag < KNOWN_FIRST.from) return tag - SMALL.from;
    switch (tag) {
      case TAG.undefined:
        return undefined;
      case TAG.null:
        return null;
      case TAG.false:
        return false;
      case TAG.true:
        return true;
      case TAG.whole:
        return this.#whole();
      case TAG.negative:
        return -this.#whole();
      case TAG.float:
        return this.#float();
      case TAG.list:
        return this.#list();
      case TAG.shaped:
        return this.#shaped(this.#whole());
      case TAG.map:
        return this.#map();
      case TAG.bytes:
        return Uint8Array.from(this.#raw());
      default:
        return this.#text(tag);
    }
  }

  #text(tag: number): string {
    if (tag >= KNOWN_FIRST.from) return this.#texts[tag - KNOWN_FIRST.from] as string;
    switch (tag) {
      case TAG.text:
        return fromUtf8.decode(this.#raw());
      case TAG.hex: {
        const raw = this.#raw();
        return Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('hex');
      }
      case TAG.known:
        return this.#texts[this.#whole()] as string;
      case TAG.joined: {
        const last = this.#texts[this.#whole()] as string;
        return `${fromUtf8.decode(this.#raw())}.${last}`;
      }
      default:
        throw new TypeError('What was packed here is not what was read.');
    }
  }

  #list(): unknown[] {
    const list: unknown[] = [];
    for (let left = this.#whole(); left > 0; left--) list.push(this.value());
    return list;
  }

  #shaped(shape: number): Properties {
    const made: Properties = {};
    for (const key of this.#shapes[shape] as readonly string[]) made[key] = this.value();
    return made;
  }

  #map(): Properties {
    const made: Properties = {};
    for (let left = this.#whole(); left > 0; left--) {
      const tag = this.#byte();
      const key = tag === TAG.attempt ? undefined : this.#text(tag);
      const value = this.value();
      made[key ?? attemptKey((value as { attempt: AttemptId }).attempt)] = value;
    }
    return made;
  }

  #byte(): number {
    return this.#bytes[this.#at++] as number;
  }

  #whole(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.#byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  }

  #float(): number {
    const { buffer, byteOffset } = this.#bytes;
    this.#at += 8;
    return new DataView(buffer, byteOffset + this.#at - 8, 8).getFloat64(0);
  }

  #raw(): Uint8Array {
    const length = this.#whole();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
