import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { contentOf } from '../blobs/helpers.ts';
import { type Machine, reaches, spoilt, storeBundle, TestFarm } from './machines.ts';

const MIB = 2 ** 20;

describe('fetching bundles', () => {
  it('brings the bundle and all its files, small and large, and tells how far it is', async (test) => {
    const farm = new TestFarm(test, ['here', 'there']);
    const here = await farm.start('here');
    const there = await farm.start('there');
    await reaches(here, there);
    const contents = [
      contentOf(1, 3 * MIB),
      contentOf(2, 10),
      contentOf(2, 10),
      contentOf(3, 0),
      contentOf(4, MIB),
    ];
    const hash = await storeBundle(there.blobs, contents);
    const told: { doneBytes: number; sizeBytes: number | undefined }[] = [];
    const bundle = await here.transfer.ensureTree(hash, {
      holders: () => [there.peer],
      pin: 'job',
      onProgress: (progress) => told.push(progress),
    });
    for (const { blob, sizeBytes } of bundle.files)
      assert.equal((await here.blobs.has(blob))?.sizeBytes, sizeBytes);
    assert.equal(here.blobs.pinnedBy('job').length, 5);
    const total = 4 * MIB + 10;
    assert.deepEqual([told.at(-1)?.doneBytes, told.at(-1)?.sizeBytes], [total, total]);
  });

  it('brings of a changed scene only what changed, whatever the others are called by now', async (test) => {
    const farm = new TestFarm(test, ['here', 'there']);
    const here = await farm.start('here');
    const there = await farm.start('there');
    await reaches(here, there);
    const holders = (): string[] => [there.peer];
    const [geometry, stone, wood] = [contentOf(7, 3 * MIB), contentOf(8, 40_000), contentOf(9, 2 * MIB)];
    await here.transfer.ensureTree(await storeBundle(there.blobs, [geometry, stone, wood]), { holders });
    const before = there.transfer.status().sentBytes;
    const changed = spoilt(wood);
    const hash = await storeBundle(there.blobs, [changed, stone, geometry, stone]);
    await here.transfer.ensureTree(hash, { holders });
    const list = (await there.blobs.has(hash))?.sizeBytes ?? 0;
    const names = 32 * (changed.length / MIB);
    assert.equal(there.transfer.status().sentBytes - before, list + names + changed.length);
  });

  it('is found through a provider record when the submitter is off', async (test) => {
    const names = ['submitter', 'worker', 'late'];
    const farm = new TestFarm(test, names);
    const submitter = await farm.start('submitter');
    const worker = await farm.start('worker');
    await reaches(worker, submitter);
    const hash = await storeBundle(submitter.blobs, [contentOf(5, 2 * MIB), contentOf(6, 100)]);
    const holders = (): string[] => [submitter.peer];
    const provided = Promise.withResolvers<string>();
    const provide = worker.mesh.provide.bind(worker.mesh);
    worker.mesh.provide = async (...call) => {
      await provide(...call);
      provided.resolve(call[0]);
    };
    await worker.transfer.ensureTree(hash, { holders });
    assert.equal(await provided.promise, hash);
    await submitter.stop();
    const late: Machine = await farm.start('late');
    await reaches(late, worker);
    const bundle = await late.transfer.ensureTree(hash, { holders });
    for (const { blob } of bundle.files) assert.notEqual(await late.blobs.has(blob), undefined);
  });

  it('R55: brings 10,000 small files by few requests, hundreds in each', async (test) => {
    const farm = new TestFarm(test, ['here', 'there']);
    const here = await farm.start('here');
    const memory = createMemoryBlobStore();
    await memory.start();
    const there = await farm.start('there', { disguise: () => memory });
    await reaches(here, there);
    const hash = await storeBundle(
      memory,
      Array.from({ length: 10_000 }, (_, i) => Buffer.from(`grass blade ${i}`)),
    );
    const bundle = await here.transfer.ensureTree(hash, { holders: () => [there.peer], pin: 'job' });
    assert.equal(bundle.files.length, 10_000);
    assert.equal(here.blobs.pinnedBy('job').length, 10_001);
    assert.equal((await here.blobs.usage()).blobs, 10_001);
    const { get, have, pieces, some } = here.transfer.status().requests;
    // As many requests as it takes at 512 files each; the bundle itself is a file, and larger than what travels whole.
    assert.ok(get <= Math.ceil(10_000 / 512) + 2, `${get} requests for small files`);
    assert.ok(have + pieces + some <= 2, `${have + pieces + some} other requests`);
  });
});
