import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import { deleteJob, requeue } from '../../../node/src/jobs/control.ts';
import { createCollection } from '../../../node/src/jobs/collection.ts';
import { createPinKeeper, releaseUnnamed } from '../../../node/src/jobs/pins.ts';
import { signDeletion, type JobRecord } from '@cuadro/protocol';
import { startNode } from '../../../node/src/daemon.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';

import { DiskBlobs, framesJob, nameOf } from './disk-blobs.ts';
import { nodeOfOne } from './node-of-one.ts';

let base: string;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'cuadro-review-'));
});
after(() => rm(base, { recursive: true }));

/**
 * What is left by a kill between a submission's files and its record, by one between a job's tombstone and the end
 * of its pins, and by an attempt that stored its frame just after its job was deleted.
 */
it('gives up pins of jobs that no record knows at the next start', async () => {
  const folder = join(base, 'data');
  const config = {
    blender: '/nowhere/blender',
    ffmpeg: '/nowhere/ffmpeg',
    reserveGiB: 0,
    network: false,
    outputFolder: base,
  };
  const owner = 'abcdefghijklmnop';
  const opened = () =>
    createFileBlobStore({ clock: createSystemClock(), random: createSystemRandom() }, { folder });
  // With records of its own, as any that was started before has: without one it would take its records for lost.
  const first = await startNode({ dataFolder: folder, port: 0, config });
  await first.stop();
  const before = opened();
  await before.start();
  await before.putBytes(new Uint8Array(1_000), { pin: owner });
  await before.stop();
  const node = await startNode({ dataFolder: folder, port: 0, config });
  await node.stop();
  const after = opened();
  await after.start();
  const left = after.pinnedBy(owner);
  await after.stop();
  assert.deepEqual(left, [], 'pinned for good: it counts against the quota and can never be evicted');
});

it('keeps the pins of a job that no record knows where records are damaged', async () => {
  const node = await nodeOfOne();
  const owner = 'abcdefghijklmnop';
  await node.blobs.putBytes(new Uint8Array(10), { pin: owner });
  const keeper = createPinKeeper(node.components, { isComplete: false });
  await keeper.start();
  await keeper.stop();
  assert.equal(node.blobs.pinnedBy(owner).length, 1);
  await node.stop();
});

it('releases what a redo discarded once its job has ended, and nothing else (SPEC R53)', async () => {
  const disk = await DiskBlobs.make();
  const texts = ['old', 'new'];
  for (const text of texts) await disk.put(text);
  let text = 'old';
  const node = await nodeOfOne({
    blobs: disk.blobs,
    outputBase: disk.base,
    work: (grant) => disk.result(nameOf(grant), text),
  });
  const job = await node.submit(framesJob('1'));
  await node.until(job.id, 'done');
  text = 'new';
  await requeue(node.components, job.id, ['1']);
  await node.until(job.id, 'done');
  for (const each of texts) await disk.put(each, job.id);
  await releaseUnnamed(node.components, job.id, new AbortController().signal);
  assert.deepEqual(
    new Set(disk.blobs.pinnedBy(job.id)),
    new Set([disk.hashOf('new'), node.core.jobRecord(job.id)?.spec.plan]),
  );
  await node.stop();
  await disk.remove();
});

it('R181: gives up the pins of a deleted job as it hears of it, and what comes for it later within the hour', async () => {
  const disk = await DiskBlobs.make();
  const node = await nodeOfOne({ blobs: disk.blobs, outputBase: disk.base });
  const job = await node.submit(framesJob('1'));
  const other = await node.submit(framesJob('1'));
  await Promise.all([node.until(job.id, 'done'), node.until(other.id, 'done')]);
  const keeper = createPinKeeper(node.components, { isComplete: true });
  await keeper.start();
  const deleted = signDeletion(node.components.signer, job.id, { wallTime: 0 });
  // As the record comes from the machine that deleted it.
  const record = node.core.jobRecord(job.id) as JobRecord;
  await node.components.driver.merge([{ ...record, deleted }]);
  assert.equal(disk.blobs.pinnedBy(job.id).length, 1);
  keeper.removed(job.id);
  assert.deepEqual(disk.blobs.pinnedBy(job.id), []);
  await disk.put('late', job.id);
  node.clock.advance(3_600_000);
  while (disk.blobs.pinnedBy(job.id).length > 0) await new Promise((next) => setImmediate(next));
  assert.equal(disk.blobs.pinnedBy(other.id).length, 1);
  await keeper.stop();
  await node.stop();
  await disk.remove();
});

it('removes the notes of a deleted job at the next start', async () => {
  const node = await nodeOfOne({ outputBase: base });
  const job = await node.submit(framesJob('1', 'noted'));
  await node.store.setLocal({ [`collected/${job.id}/0`]: { files: {}, kept: [] } });
  await deleteJob(node.components, job.id);
  const collection = createCollection(node.components, { onCollected: () => undefined });
  await collection.start();
  await collection.stop();
  assert.deepEqual(await node.store.listLocal('collected/'), []);
  assert.deepEqual(await node.store.listLocal('job/'), []);
  await node.stop();
});
