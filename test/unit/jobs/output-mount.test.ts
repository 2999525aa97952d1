import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createCollection } from '../../../node/src/jobs/collection.ts';
import { isMountPoint, mountPointOf } from '../../../node/src/system/mounts.ts';
import { mountTmpfs } from '../blobs/helpers.ts';
import { DiskBlobs, framesJob, nameOf } from './disk-blobs.ts';
import { nodeOfOne } from './node-of-one.ts';

describe("an output folder's disk", () => {
  let disk: DiskBlobs;
  beforeEach(async () => {
    disk = await DiskBlobs.make();
  });
  afterEach(() => disk.remove());

  it('gets the frames when it is mounted again, and the place where it was mounted none meanwhile', async (context) => {
    const place = join(disk.base, 'external');
    let mount = mountTmpfs(place, '4m');
    if (mount === undefined) return context.skip('needs the right to mount a tmpfs');
    try {
      for (const text of ['one', 'two']) await disk.put(text);
      const node = await nodeOfOne({
        blobs: disk.blobs,
        outputBase: disk.base,
        work: (grant) => disk.result(nameOf(grant), ['one', 'two'][grant.task] as string),
      });
      const collection = createCollection(node.components, { onCollected: () => undefined });
      await collection.start();
      const folder = join(place, 'shots/a');
      const job = await node.submit({ ...framesJob('1-2'), outputFolder: folder });
      await node.until(job.id, 'done');
      mount.unmount();
      mount = undefined;
      collection.changed(job.id);
      await collection.settled();
      const why = `${folder} cannot be written: its disk is not mounted at ${place}`;
      assert.deepEqual(collection.state(job.id), {
        collected: 0,
        keptForeign: 0,
        problem: `The files of frame 1 and 1 more can't be collected: ${why}.`,
      });
      assert.deepEqual(await readdir(place), []);
      mount = mountTmpfs(place, '4m');
      collection.changed(job.id);
      await collection.settled();
      assert.deepEqual(collection.state(job.id), { collected: 2, keptForeign: 0 });
      assert.deepEqual(await readdir(folder), ['f_1.png', 'f_2.png']);
      await collection.stop();
      await node.stop();
    } finally {
      mount?.unmount();
    }
  });

  it('is told by where its device begins', async () => {
    const devices = new Map([
      ['/', 1],
      ['/mnt', 1],
      ['/mnt/fast', 7],
      ['/mnt/fast/film', 7],
      ['/srv', 1],
    ]);
    const deviceOf = (path: string): Promise<number | undefined> => Promise.resolve(devices.get(path));
    assert.equal(await mountPointOf('/mnt/fast/film', deviceOf), '/mnt/fast');
    assert.equal(await mountPointOf('/mnt/fast', deviceOf), '/mnt/fast');
    assert.equal(await mountPointOf('/srv', deviceOf), undefined);
    assert.equal(await mountPointOf('/', deviceOf), undefined);
    assert.equal(await isMountPoint('/mnt/fast', deviceOf), true);
    devices.set('/mnt/fast', 1);
    assert.equal(await isMountPoint('/mnt/fast', deviceOf), false);
    devices.delete('/mnt/fast');
    assert.equal(await isMountPoint('/mnt/fast', deviceOf), false);
  });
});
