import * as dagCbor from '@ipld/dag-cbor';
import { RECORD_BYTES_MAX } from './limits.ts';
import { quickDecode } from './quick-decode.ts';
import { quickEncode } from './quick-encode.ts';

/** Bytes that are not a whole, well-formed value of this protocol (SPEC R4). The sender is to be counted and named. */
export class MalformedBytesError extends Error {
  override readonly name = 'MalformedBytesError';
  readonly code = 'malformed-bytes';
}

/**
 * Deterministic bytes of a plain value (DAG-CBOR): equal values have equal bytes, which signatures, hashes
 * and tie-breaks rest on. Undefined properties are left out, as they would be by JSON.
 */
export function encode(value: unknown): Uint8Array {
  return quickEncode(value) ?? plainBytes(dagCbor.encode(dropUndefined(value)));
}

/** The library gives some as Node's buffers, which count as different. */
const plainBytes = ({ buffer, byteOffset, length }: Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, length);

/**
 * Reads bytes back to a plain value. It checks form only; use a schema for the shape.
 * @throws MalformedBytesError for anything that is not exactly one well-formed value within the bound.
 */
export function decode(bytes: Uint8Array, limitBytes = RECORD_BYTES_MAX): unknown {
  if (bytes.byteLength > limitBytes) {
    throw new MalformedBytesError(`The message has ${bytes.byteLength} bytes; ${limitBytes} is the limit.`);
  }
  // Nearly all are canonical and plain; it gives no value undefined, and no property of the name below.
  const quick = quickDecode(bytes);
  if (quick !== undefined) return quick;
  try {
    const value: unknown = dagCbor.decode(bytes);
    // The bytes are looked through first: nearly none hold the word, and a look at every property costs more.
    if (!holdsText(bytes, '__proto__') || !namesPrototype(value)) return value;
  } catch (cause) {
    throw new MalformedBytesError('The bytes are not well-formed DAG-CBOR.', { cause });
  }
  throw new MalformedBytesError('A property is named __proto__.');
}

/** Whether ASCII text stands anywhere in the bytes. */
function holdsText(bytes: Uint8Array, text: string): boolean {
  const first = text.charCodeAt(0);
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    let length = 1;
    while (length < text.length && bytes[at + length] === text.charCodeAt(length)) length++;
    if (length === text.length) return true;
  }
  return false;
}

/** Copied property by property, a property of this name would become the copy's prototype, and be lost (SPEC R4). */
function namesPrototype(value: unknown): boolean {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return false;
  if (Array.isArray(value)) return value.some(namesPrototype);
  return Object.entries(value).some(([key, item]) => key === '__proto__' || namesPrototype(item));
}

function dropUndefined(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(dropUndefined);
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined && key !== '__proto__') result[key] = dropUndefined(item);
  }
  return result;
}

/** Lexicographic order of bytes; a shorter prefix comes first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** A fixed total order of any two encodable values, the same on every machine: by their canonical bytes. */
export function compareCanonical(a: unknown, b: unknown): number {
  // Nearly all that is compared is the same, and seeing that costs a twentieth of encoding both.
  return isSame(a, b) ? 0 : compareBytes(encode(a), encode(b));
}

/** Whether two values surely have the same bytes; false says nothing. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  }
  if (!isPlainObject(a) || !isPlainObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]))
  );
}

function isPlainObject(value: object): value is Record<string, unknown> {
  return Object.getPrototypeOf(value) === Object.prototype;
}
