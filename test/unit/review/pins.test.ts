import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import { startNode } from '../../../node/src/daemon.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';

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
    outputFolder: base,
  };
  const owner = 'abcdefghijklmnop';
  const opened = () =>
    createFileBlobStore({ clock: createSystemClock(), random: createSystemRandom() }, { folder });
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
