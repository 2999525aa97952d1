/** DER (ITU-T X.690), as far as a certificate of the mesh needs it: tags of one byte, definite lengths. */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  identifier: 0x06,
  generalTime: 0x18,
  sequence: 0x30,
  version: 0xa0,
  extensions: 0xa3,
} as const;

export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag, length and content. */
  readonly whole: Uint8Array;
}

export class DerError extends Error {
  override readonly name = 'DerError';
  readonly code = 'der-invalid';
}

/** From this length on, bytes of their own hold it. */
const LONG = 0x80;
/** Lengths of more bytes than that are far beyond anything that is read here. */
const LENGTH_BYTES_MAX = 3;

export function writeDer(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Uint8Array.of(tag), lengthOf(content.length), content]);
}

function lengthOf(length: number): Uint8Array {
  if (length < LONG) return Uint8Array.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Uint8Array.of(LONG + bytes.length, ...bytes);
}

/** The values that stand in a row in these bytes; they share the memory. Errors: `DerError`. */
export function readDer(bytes: Uint8Array): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length; ) {
    const value = valueAt(bytes, at);
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

function valueAt(bytes: Uint8Array, at: number): DerValue {
  const tag = bytes[at] ?? 0;
  if ((tag & 0x1f) === 0x1f) throw new DerError('A tag of more than one byte.');
  const first = bytes[at + 1];
  if (first === undefined) throw new DerError('A value without a length.');
  const lengthBytes = first < LONG ? 0 : first - LONG;
  if (first === LONG || lengthBytes > LENGTH_BYTES_MAX)
    throw new DerError('A length of no definite form, or beyond its bound.');
  const start = at + 2 + lengthBytes;
  const length = first < LONG ? first : numberOf(bytes.subarray(at + 2, start));
  if (length > bytes.length - start) throw new DerError('A value that is cut short.');
  return { tag, content: bytes.subarray(start, start + length), whole: bytes.subarray(at, start + length) };
}

const numberOf = (bytes: Uint8Array): number => bytes.reduce((number, byte) => number * 256 + byte, 0);
