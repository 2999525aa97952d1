import { RECORD_BYTES_MAX, decode, encode, knownRecordSchema, type KnownRecord } from '@cuadro/protocol';

/** The stored form of a record: its canonical bytes. */
export const recordToBytes = (record: KnownRecord): Uint8Array => encode(record);

/** Reads a stored record; undefined where the bytes are damaged or of no kind that this version knows. */
export function recordFromBytes(bytes: Uint8Array): KnownRecord | undefined {
  try {
    const parsed = knownRecordSchema.safeParse(decode(bytes, RECORD_BYTES_MAX));
    return parsed.success ? (parsed.data as unknown as KnownRecord) : undefined;
  } catch {
    return undefined;
  }
}
