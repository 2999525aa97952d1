import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { recordKey, type KnownRecord } from '@cuadro/protocol';
import type { RecordStore, StoreBatch } from '../../node/src/store/interface.ts';
import { identityOf } from '../../node/src/system/identity.ts';
import { hostAtOnce } from '../contract/sim-host.ts';
import { newDisk, openBlobs, openRecords, type SimDisk } from './disk.ts';

const WRITES = 40;

let disk: SimDisk;
beforeEach(() => {
  disk = newDisk();
});

async function opened(): Promise<RecordStore> {
  const store = openRecords(hostAtOnce(), disk);
  await store.start();
  return store;
}

const recordOf = (place: number): KnownRecord => ({
  kind: 'node',
  peer: identityOf(new Uint8Array(32).fill(place)).peer,
  fields: {},
});
const batchOf = (...places: number[]): StoreBatch => ({ put: places.map(recordOf), remove: [], term: 7 });

describe('the disk of a simulated machine', () => {
  it('R173: leaves out all of a write that is torn, whose store says at its next start, and once, that it was cut', async () => {
    const before = await opened();
    await before.write(batchOf(1));
    const { promise: cut, resolve } = Promise.withResolvers<void>();
    disk.faults.cutAtWrite = () => {
      disk.faults.cutAtWrite = undefined;
      resolve();
    };
    let isAnswered = false;
    void before.write(batchOf(2, 3)).then(() => (isAnswered = true));
    await cut;
    const torn = await (await opened()).load();
    assert.deepEqual(torn.records, [recordOf(1)]);
    assert.equal(torn.lacks, 'cut');
    assert.ok(torn.term > 7, 'a term of which the torn write told is not taken again');
    assert.equal(isAnswered, false);
    const again = await (await opened()).load();
    assert.deepEqual([again.lacks, again.term], [undefined, 7]);
  });

  it('finds a place for some of what is written while it is filled, and for none of the rest', async () => {
    const store = await opened();
    const blobs = openBlobs(hostAtOnce(), disk);
    await blobs.start();
    const { hash } = await blobs.putBytes(new Uint8Array(10), { pin: 'job' });
    disk.faults.filled = true;
    const kept: KnownRecord[] = [];
    const codes = new Set<unknown>();
    for (let i = 0; i < WRITES; i++) {
      const refused = (error: unknown): void => void codes.add((error as { code?: unknown }).code);
      await store.write(batchOf(i)).then(() => kept.push(recordOf(i)), refused);
      await blobs.pin(hash, `job-${i}`).catch(refused);
    }
    assert.ok(kept.length > 0 && kept.length < WRITES);
    assert.deepEqual(codes, new Set(['ENOSPC', 'store-full']));
    assert.ok([...blobs.pins(hash)].length < WRITES);
    disk.faults.filled = false;
    const { records } = await store.load();
    assert.deepEqual(new Set(records.map(recordKey)), new Set(kept.map(recordKey)));
    assert.equal((await (await opened()).load()).lacks, undefined, 'nothing of it is torn');
  });
});
