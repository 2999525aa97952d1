import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { BlobEvent } from '../../../node/src/blobs/interface.ts';
import { contentOf, filesBelow, mountTmpfs, newStore, temporaryFolder } from './helpers.ts';

const mebibyte = 1024 * 1024;

describe('full and read-only disks', () => {
  it('a full disk refuses with what is missing, and leaves nothing behind', async (context) => {
    const folder = temporaryFolder();
    const mount = mountTmpfs(join(folder.path, 'disk'), '4m');
    if (mount === undefined) return context.skip('needs the right to mount a tmpfs');
    const data = join(folder.path, 'disk', 'data');
    // A reserve of less than nothing lets the writes run into the real end of the disk.
    const store = newStore(data, { reserveBytes: -64 * mebibyte });
    try {
      await store.start();
      const kept = await store.putBytes(contentOf(1, 2 * mebibyte), { pin: 'job' });
      const source = join(folder.path, 'source');
      writeFileSync(source, contentOf(2, 3 * mebibyte));
      for (const put of [
        () => store.putBytes(contentOf(2, 3 * mebibyte)),
        () => store.putFile(source, { mode: 'copy' }),
        () => store.putFile(source, { mode: 'move' }),
      ]) {
        await assert.rejects(put(), { code: 'store-full', neededBytes: 3 * mebibyte });
        assert.deepEqual(filesBelow(join(data, 'incoming')), []);
      }
      assert.equal(filesBelow(folder.path).includes(source), true, 'the source of the failed move stands');
      assert.deepEqual(Buffer.from(await store.read(kept.hash)), contentOf(1, 2 * mebibyte));
      await store.putBytes(contentOf(3, 1_000));
      await assert.rejects(store.materialize(kept.hash, join(folder.path, 'disk', 'out')), {
        code: 'destination-unwritable',
      });
      assert.deepEqual(
        filesBelow(join(folder.path, 'disk')).filter((path) => path.endsWith('.tmp')),
        [],
      );
    } finally {
      await store.stop();
      mount.unmount();
      await folder.remove();
    }
  });

  it('under the reserve it stops accepting, says so in a sentence, and takes up again', async (context) => {
    const folder = temporaryFolder();
    const mount = mountTmpfs(join(folder.path, 'disk'), '4m');
    if (mount === undefined) return context.skip('needs the right to mount a tmpfs');
    const store = newStore(join(folder.path, 'disk', 'data'), { reserveBytes: 2 * mebibyte });
    const events: BlobEvent[] = [];
    store.subscribe((event) => events.push(event));
    try {
      await store.start();
      await store.putBytes(contentOf(1, 1.5 * mebibyte), { pin: 'job' });
      await assert.rejects(store.putBytes(contentOf(2, mebibyte)), {
        code: 'store-full',
        neededBytes: mebibyte,
      });
      assert.equal((await store.usage()).accepting, true, 'a smaller result would still fit');
      writeFileSync(join(folder.path, 'disk', 'other'), contentOf(3, mebibyte));
      const usage = await store.usage();
      assert.equal(usage.accepting, false);
      assert.match(
        usage.reason ?? '',
        /^The disk has only .* free; 2\.0 MiB are kept in reserve for the system\.$/,
      );
      mount.remount('size=16m');
      assert.equal((await store.usage()).accepting, true);
      assert.deepEqual(
        events.flatMap((event) => (event.type === 'accepting-changed' ? [event.usage.accepting] : [])),
        [false, true],
      );
    } finally {
      await store.stop();
      mount.unmount();
      await folder.remove();
    }
  });

  it('a read-only folder is refused at the start, and works once it is writable again', async (context) => {
    const folder = temporaryFolder();
    const mount = mountTmpfs(join(folder.path, 'disk'), '16m');
    if (mount === undefined) return context.skip('needs the right to mount a tmpfs');
    const data = join(folder.path, 'disk', 'data');
    const store = newStore(data);
    try {
      await store.start();
      const { hash } = await store.putBytes(contentOf(1, 2_000));
      await store.stop();
      mount.remount('ro');
      await assert.rejects(store.start(), { code: 'store-unwritable' });
      mount.remount('rw');
      await store.start();
      assert.equal((await store.read(hash)).length, 2_000);
    } finally {
      await store.stop();
      mount.unmount();
      await folder.remove();
    }
  });
});
