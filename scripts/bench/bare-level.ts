import { join } from 'node:path';
import { Level } from 'level';
import { type KnownRecord, recordKey } from '@cuadro/protocol';
import { recordToBytes } from '../../node/src/store/record-bytes.ts';

/** Seconds that a bare LevelDB needs for the same records, one fsynced batch after the other. */
export async function bareLevel(
  folder: string,
  records: readonly KnownRecord[],
  sizes: readonly number[],
): Promise<number> {
  const operations = records.map((record) => ({
    type: 'put' as const,
    key: recordKey(record),
    value: recordToBytes(record),
  }));
  const database = new Level<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' });
  await database.open();
  const startedAt = performance.now();
  let at = 0;
  for (const size of sizes) {
    const batch = operations.slice(at, at + size);
    at += size;
    if (batch.length > 0) await database.batch(batch, { sync: true });
  }
  if (at < operations.length) await database.batch(operations.slice(at), { sync: true });
  const seconds = (performance.now() - startedAt) / 1_000;
  await database.close();
  return seconds;
}

const BATCH_RECORDS = 64;

/** Seconds for the same records on two nodes, which share one disk here. */
export async function bareTwice(folder: string, records: readonly KnownRecord[]): Promise<number> {
  const sizes = Array.from({ length: Math.ceil(records.length / BATCH_RECORDS) }, () => BATCH_RECORDS);
  const first = await bareLevel(join(folder, 'bare-1'), records, sizes);
  return first + (await bareLevel(join(folder, 'bare-2'), records, sizes));
}
