import type { RecordBytes } from '@cuadro/protocol';
import { digestOf, sameDigest, type RecordDigests } from './digests.ts';
import type { HeldRecords } from './interface.ts';

export interface DurableBytesComponents {
  /** Of what is durable. */
  readonly digests: RecordDigests;
  /** As the brain knows them, which is ahead of the disk by what is being written. */
  readonly records: HeldRecords;
  readonly bytes: RecordBytes;
}

/**
 * A record's bytes where it has this digest, by default the one under which it is durable; undefined for what was
 * merged since and is being written: nobody may hear that this machine holds something before it does (SPEC R49).
 */
export function durableBytes(
  { digests, records, bytes: recordBytes }: DurableBytesComponents,
  key: string,
  announced = digests.get(key),
): Uint8Array | undefined {
  if (announced === undefined || !sameDigest(digests.get(key), announced)) return undefined;
  const record = records.get(key);
  if (record === undefined) return undefined;
  const bytes = recordBytes.of(record);
  return sameDigest(digestOf(key, bytes), announced) ? bytes : undefined;
}
