import { decode, encode, knownRecordSchema, type KnownRecord } from '@cuadro/protocol';

/** The stored form of a record: its canonical bytes. */
export const recordToBytes = (record: KnownRecord): Uint8Array => encode(record);

/**
 * Reads a stored record; undefined where the bytes are damaged or of no kind that this version knows. What was
 * merged here may have become larger than a record that is let in, and must not be lost for it (SPEC R3).
 */
export function recordFromBytes(bytes: Uint8Array): KnownRecord | undefined {
  try {
    const parsed = knownRecordSchema.safeParse(decode(bytes, Number.POSITIVE_INFINITY));
    return parsed.success ? (parsed.data as unknown as KnownRecord) : undefined;
  } catch {
    return undefined;
  }
}
