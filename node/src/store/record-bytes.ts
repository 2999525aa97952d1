import { crc32 } from 'node:zlib';
import { checkedBy, decode, encode, knownRecordSchema, type KnownRecord } from '@cuadro/protocol';
import { TaskReader } from './task-reader.ts';

/**
 * The stored form of a record: a mark, the CRC-32 of what follows, and its canonical bytes. The first version stored
 * the bytes alone; they begin with the head of a map (0xa0 to 0xbf), so the two forms can't be taken for each other.
 */
const MARK = 0x01;
const HEAD_BYTES = 5;

const tasks = new TaskReader();

export function recordToBytes(record: KnownRecord, canonical: Uint8Array = encode(record)): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + canonical.length);
  bytes[0] = MARK;
  bytes.writeUInt32BE(crc32(canonical), 1);
  bytes.set(canonical, HEAD_BYTES);
  return bytes;
}

/**
 * Reads a stored record; undefined where the bytes are damaged or of no kind that this version knows. What was
 * merged here may have become larger than a record that is let in, and must not be lost for it (SPEC R3).
 */
export function recordFromBytes(bytes: Uint8Array): KnownRecord | undefined {
  const canonical = canonicalBytes(bytes);
  if (canonical === undefined) return undefined;
  return tasks.read(canonical) ?? readAny(canonical);
}

function canonicalBytes(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] !== MARK) return bytes;
  if (bytes.length < HEAD_BYTES) return undefined;
  const canonical = bytes.subarray(HEAD_BYTES);
  const sum = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readUInt32BE(1);
  return crc32(canonical) === sum ? canonical : undefined;
}

function readAny(canonical: Uint8Array): KnownRecord | undefined {
  try {
    const value = decode(canonical, Number.POSITIVE_INFINITY);
    // The value as it was stored, and not what the schema makes of it: that would drop what a newer version has put
    // into its depth, and with it change the record's digest (SPEC R26, R45).
    return checkedBy(knownRecordSchema, value).success ? (value as KnownRecord) : undefined;
  } catch {
    return undefined;
  }
}
