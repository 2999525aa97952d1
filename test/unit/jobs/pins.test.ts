import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import { deleteJob, requeue } from '../../../node/src/jobs/control.ts';
import { createCollection } from '../../../node/src/jobs/collection.ts';
import { createPinKeeper, type PinKeeper, releaseUnnamed } from '../../../node/src/jobs/pins.ts';
import type { Lack } from '../../../node/src/store/interface.ts';
import { signDeletion, type JobRecord } from '@cuadro/protocol';
import { startNode } from '../../../node/src/daemon.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';

import { DiskBlobs, framesJob, nameOf } from './disk-blobs.ts';
import { jobRecord } from '../replicas/records.ts';
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

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe('R173: where records may be missing', () => {
  const OWNER = 'abcdefghijklmnop';
  /** What a start noted of it; a kill leaves it as it is. */
  let mark: { ranMs: number } | undefined;
  let isRefusing = false;
  const lack: Lack = {
    get ranMs() {
      return mark?.ranMs ?? 0;
    },
    ran: async (ms) => {
      if (isRefusing) throw new Error('The disk is full.');
      mark = { ranMs: (mark?.ranMs ?? 0) + ms };
    },
    end: async () => {
      if (isRefusing) throw new Error('The disk is full.');
      mark = undefined;
    },
  };
  let node: Awaited<ReturnType<typeof nodeOfOne>>;

  beforeEach(async () => {
    mark = { ranMs: 0 };
    isRefusing = false;
    node = await nodeOfOne();
    await node.blobs.putBytes(new Uint8Array(10), { pin: OWNER });
  });
  afterEach(() => node.stop());

  const keeperOf = (): PinKeeper => {
    const lacks = mark !== undefined;
    return createPinKeeper(node.components, { isComplete: !lacks, ...(lacks && { lack }) });
  };
  const pins = (): number => node.blobs.pinnedBy(OWNER).length;
  /** Lets an hourly look come to its end. */
  const hours = async (count: number): Promise<void> => {
    for (let hour = 0; hour < count; hour++) {
      node.clock.advance(HOUR_MS);
      for (let turn = 0; turn < 3; turn++) await new Promise((next) => setImmediate(next));
    }
  };

  it('keeps the pins of a job that no record knows over many starts, also after a kill', async () => {
    for (let start = 0; start < 3; start++) {
      const keeper = keeperOf();
      await keeper.start();
      await hours(2);
      // The second is killed: what it noted by then counts.
      if (start !== 1) await keeper.stop();
    }
    assert.equal(pins(), 1);
    assert.ok(mark !== undefined && mark.ranMs >= 6 * HOUR_MS);
  });

  it('ends the mark at once where nothing is in doubt', async () => {
    await node.blobs.unpinOwner(OWNER);
    const keeper = keeperOf();
    await keeper.start();
    assert.equal(mark, undefined);
    await keeper.stop();
  });

  for (const at of ['the next look', 'its end', 'the next start'] as const) {
    it(`ends the mark at ${at} once the job is known again, and keeps its pins`, async () => {
      const keeper = keeperOf();
      await keeper.start();
      await node.driver.merge([jobRecord(OWNER)]);
      assert.notEqual(mark, undefined);
      if (at === 'the next look') await hours(1);
      if (at === 'its end') await keeper.stop();
      const next = keeperOf();
      if (at === 'the next start') await next.start();
      assert.equal(mark, undefined);
      assert.equal(pins(), 1);
      await keeper.stop();
      await next.stop();
    });
  }

  it('gives them up after it has run for 30 days, over all its starts, and not a moment sooner', async () => {
    const first = keeperOf();
    await first.start();
    await hours(29 * 24);
    await first.stop();
    assert.equal(mark?.ranMs, 29 * DAY_MS);
    const second = keeperOf();
    await second.start();
    await hours(23);
    assert.equal(pins(), 1);
    // A submission that is under way: it was pinned after the start.
    await node.blobs.putBytes(new Uint8Array(20), { pin: 'bcdefghijklmnopq' });
    await hours(1);
    assert.deepEqual([pins(), mark], [0, undefined]);
    assert.equal(node.blobs.pinnedBy('bcdefghijklmnopq').length, 1);
    await second.stop();
  });

  it('gives them up at the next start where the time was over as it was killed', async () => {
    mark = { ranMs: 30 * DAY_MS };
    const keeper = keeperOf();
    await keeper.start();
    assert.deepEqual([pins(), mark], [0, undefined]);
    await keeper.stop();
  });

  it('counts no sleep: an hour between two looks is the most', async () => {
    const keeper = keeperOf();
    await keeper.start();
    node.clock.advance(40 * DAY_MS);
    await hours(0);
    await keeper.stop();
    assert.equal(pins(), 1);
    assert.ok(mark !== undefined && mark.ranMs <= 2 * HOUR_MS);
  });

  it('goes on where nothing of it can be noted', async () => {
    const keeper = keeperOf();
    await keeper.start();
    isRefusing = true;
    await hours(1);
    assert.equal(pins(), 1);
    isRefusing = false;
    await hours(1);
    assert.equal(mark?.ranMs, HOUR_MS);
    await keeper.stop();
  });

  it('releases nothing of an ended job that no record names, as long as one may be missing that does', async () => {
    const job = await node.submit(framesJob('1'));
    await node.until(job.id, 'done');
    const { hash } = await node.blobs.putBytes(new Uint8Array(30), { pin: job.id });
    const keeper = keeperOf();
    await keeper.start();
    await hours(2);
    assert.ok(node.blobs.pinnedBy(job.id).includes(hash));
    await node.driver.merge([jobRecord(OWNER)]);
    await hours(1);
    await hours(1);
    assert.ok(!node.blobs.pinnedBy(job.id).includes(hash));
    await keeper.stop();
  });
});
