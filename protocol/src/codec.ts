import * as dagCbor from '@ipld/dag-cbor';
import { RECORD_BYTES_MAX } from './limits.ts';

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
  return dagCbor.encode(isPlain(value) ? value : dropUndefined(value));
}

/** Whether a value is encoded as it stands: most are, and looking costs a tenth of copying. */
function isPlain(value: unknown): boolean {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value !== undefined;
  if (Array.isArray(value)) return value.every(isPlain);
  for (const key of Object.keys(value)) {
    // No object can hold this name as any other, so it is left out as well.
    if (key === '__proto__' || !isPlain((value as Record<string, unknown>)[key])) return false;
  }
  return true;
}

/**
 * Reads bytes back to a plain value. It checks form only; use a schema for the shape.
 * @throws MalformedBytesError for anything that is not exactly one well-formed value within the bound.
 */
export function decode(bytes: Uint8Array, limitBytes = RECORD_BYTES_MAX): unknown {
  if (bytes.byteLength > limitBytes) {
    throw new MalformedBytesError(`The message has ${bytes.byteLength} bytes; ${limitBytes} is the limit.`);
  }
  try {
    return dagCbor.decode(bytes);
  } catch (cause) {
    throw new MalformedBytesError('The bytes are not well-formed DAG-CBOR.', { cause });
  }
}

function dropUndefined(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(dropUndefined);
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) result[key] = dropUndefined(item);
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
  return compareBytes(encode(a), encode(b));
}
