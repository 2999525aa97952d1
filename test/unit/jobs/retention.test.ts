import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createCollection, type Collection } from '../../../node/src/jobs/collection.ts';
import { requeue } from '../../../node/src/jobs/control.ts';
import { createRetention, type Retention } from '../../../node/src/jobs/retention.ts';
import { DiskBlobs, framesJob, nameOf } from './disk-blobs.ts';
import { nodeOfOne } from './node-of-one.ts';

const DAY_MS = 86_400_000;
const signal = new AbortController().signal;

let disk: DiskBlobs;
beforeEach(async () => {
  disk = await DiskBlobs.make();
});
afterEach(() => disk.remove());

interface Parts {
  node: Awaited<ReturnType<typeof nodeOfOne>>;
  collection: Collection;
  retention: Retention;
  job: string;
  folder: string;
  stop: () => Promise<void>;
}

/** A job of two frames, done and collected. */
async function collected(days = 0): Promise<Parts> {
  const hashes = [await disk.put('one'), await disk.put('two')];
  const node = await nodeOfOne({
    blobs: disk.blobs,
    outputBase: disk.base,
    work: (grant) => disk.result(nameOf(grant), ['one', 'two'][grant.task] as string),
  });
  const collection = createCollection(node.components, { onCollected: () => undefined });
  await collection.start();
  const { id } = await node.submit(framesJob('1-2'));
  await node.until(id, 'done');
  for (const hash of hashes) {
    await disk.blobs.pin(hash, id);
    await disk.blobs.unpin(hash, 'test');
  }
  collection.changed(id);
  await collection.settled();
  const retention = createRetention(node.components, { collection }, { days: () => days });
  return {
    node,
    collection,
    retention,
    job: id,
    folder: node.components.driver.queries.job(id)?.outputFolder ?? '',
    stop: async () => {
      await retention.stop();
      await collection.stop();
      await node.stop();
    },
  };
}

describe('R163: jobs that are done and collected', () => {
  it('go as a whole after the days that are set, and free what they alone keep', async () => {
    const { node, retention, job, folder, stop } = await collected();
    await disk.put('shared', job);
    await disk.put('shared', 'another-job');
    const plan = await retention.plan(0);
    assert.equal(plan.jobs.length, 1);
    assert.equal(plan.jobs[0]?.goes, true);
    const planBytes = (await disk.blobs.has(node.components.driver.queries.jobRecord(job)?.spec.plan ?? ''))
      ?.sizeBytes;
    assert.equal(plan.freesBytes, 'one'.length + 'two'.length + (planBytes ?? 0));
    assert.match((await retention.plan(2)).jobs[0]?.why ?? '', /It goes in 2 days\./);
    const freed = await retention.free(0, { signal });
    assert.deepEqual(freed, plan);
    assert.notEqual(node.components.driver.queries.jobRecord(job)?.deleted, undefined);
    assert.deepEqual(disk.blobs.pinnedBy(job), []);
    assert.deepEqual(disk.blobs.pins(disk.hashOf('shared')), ['another-job']);
    for (const name of ['f_1.png', 'f_2.png']) await rm(join(folder, name));
    assert.deepEqual((await retention.plan(0)).jobs, []);
    await stop();
  });

  for (const [what, change, why] of [
    [
      'gone from its folder',
      (path: string) => rm(path),
      /^f_2\.png is in its folder no more, or was changed/,
    ],
    ['changed there', (path: string) => writeFile(path, 'retouched'), /^f_2\.png is in its folder no more/],
  ] as const) {
    it(`stay while a file is ${what}: it may be the only copy`, async () => {
      const { node, retention, job, folder, stop } = await collected();
      await change(join(folder, 'f_2.png'));
      const freed = await retention.free(0, { signal });
      assert.deepEqual([freed.freesBytes, freed.jobs[0]?.goes], [0, false]);
      assert.match(freed.jobs[0]?.why ?? '', why);
      assert.equal(node.components.driver.queries.jobRecord(job)?.deleted, undefined);
      assert.equal(disk.blobs.pinnedBy(job).length, 3);
      await stop();
    });
  }

  it('stay while a file of someone else stands in the place of theirs', async () => {
    const { node, collection, retention, job, folder, stop } = await collected();
    await writeFile(join(folder, 'f_1.png'), 'foreign');
    await requeue(node.components, job, ['1']);
    await node.until(job, 'done');
    collection.changed(job);
    await collection.settled();
    const { jobs } = await retention.plan(0);
    assert.match(jobs[0]?.why ?? '', /A file of someone else stands in the place of f_1\.png\./);
    await stop();
  });

  it('stay where a frame is redone while their files are read, and is not in the folder yet', async () => {
    const { node, collection, job, stop } = await collected();
    const { blobs } = disk;
    let isRedone = false;
    const slow = new Proxy(blobs, {
      get: (store, key) => {
        const value = store[key as keyof typeof store];
        if (key !== 'hashFile') return typeof value === 'function' ? value.bind(store) : value;
        return async (path: string) => {
          if (path.endsWith('f_2.png') && !isRedone) {
            isRedone = true;
            await requeue(node.components, job, ['1']);
            await node.until(job, 'done');
          }
          return store.hashFile(path);
        };
      },
    });
    const retention = createRetention({ ...node.components, blobs: slow }, { collection }, { days: () => 0 });
    const freed = await retention.free(0, { signal });
    assert.equal(isRedone, true);
    assert.equal(node.components.driver.queries.jobRecord(job)?.deleted, undefined);
    assert.match(freed.jobs[0]?.why ?? '', /^frame 1 is not in its folder yet\.$/);
    await stop();
  });

  it('go although the folder of another one cannot be looked at', async () => {
    const { node, collection, retention, job, folder, stop } = await collected();
    const other = await node.submit({ ...framesJob('1-2'), outputFolder: join(disk.base, 'other') });
    await node.until(other.id, 'done');
    collection.changed(other.id);
    await collection.settled();
    await rm(folder, { recursive: true });
    await writeFile(folder, 'a file');
    const freed = await retention.free(0, { signal });
    const told = new Map(freed.jobs.map((one) => [one.job, one]));
    assert.equal(told.get(other.id)?.goes, true);
    assert.match(
      told.get(job)?.why ?? '',
      /^f_1\.png can't be looked at in its folder: a part of the path is not/,
    );
    await stop();
  });

  it('go by themselves once the days have passed, and never where none are set', async () => {
    for (const days of [0, 3]) {
      const { node, retention, job, stop } = await collected(days);
      const { clock, driver } = node.components;
      const isDeleted = (): boolean => driver.queries.jobRecord(job)?.deleted !== undefined;
      await retention.start();
      await clock.advanceSettled(3_600_000);
      await clock.advanceSettled(2 * DAY_MS);
      assert.equal(isDeleted(), false);
      // Files are read in another thread, whose answers no clock brings: hours pass until they came.
      for (let hour = 0; hour < (days > 0 ? 100_000 : 100) && !isDeleted(); hour++) {
        await clock.advanceSettled(3_600_000);
        await new Promise((next) => setImmediate(next));
      }
      assert.equal(isDeleted(), days > 0);
      await stop();
    }
  });
});
