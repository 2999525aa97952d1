import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { filesBelow, newStore, contentOf, temporaryFolder } from './helpers.ts';

describe('a put that is given up', () => {
  for (const mode of ['copy', 'move'] as const) {
    it(`${mode}: an abort or a stop in the middle leaves the source, and nothing in the store`, async () => {
      const folder = temporaryFolder();
      const data = join(folder.path, 'data');
      const store = newStore(data);
      try {
        const source = join(folder.path, 'source');
        // Large enough that a pass takes many steps.
        writeFileSync(
          source,
          Buffer.concat(Array.from({ length: 60 }, (_, index) => contentOf(index, 1_000_000))),
        );
        await store.start();
        for (const delay of [0, 5, 20]) {
          const reason = new Error('enough');
          const controller = new AbortController();
          const put = store.putFile(source, { mode, signal: controller.signal, pin: 'job' });
          setTimeout(() => controller.abort(reason), delay);
          await assert.rejects(put, reason);
          assert.deepEqual(filesBelow(join(data, 'incoming')), []);
          assert.equal((await store.usage()).blobs, 0);
          assert.deepEqual(store.pinnedBy('job'), []);
        }
        const put = assert.rejects(store.putFile(source, { mode }), { code: 'store-stopped' });
        await store.stop();
        await put;
        assert.deepEqual(filesBelow(join(data, 'incoming')), []);
        assert.ok(filesBelow(folder.path).includes(source));
        await store.start();
        assert.equal((await store.putFile(source, { mode })).sizeBytes, 60_000_000);
      } finally {
        await store.stop();
        await folder.remove();
      }
    });
  }

  it('promised room is given back', async () => {
    const folder = temporaryFolder();
    const store = newStore(join(folder.path, 'data'), { quotaBytes: 1_000_000 });
    try {
      await store.start();
      const late = (async function* () {
        yield contentOf(1, 500_000);
        throw new Error('the line went dead');
      })();
      for (let round = 0; round < 3; round += 1) {
        await assert.rejects(store.putStream(round === 0 ? late : emptyStream(), { sizeBytes: 900_000 }));
      }
      assert.equal((await store.putBytes(contentOf(2, 900_000))).sizeBytes, 900_000);
    } finally {
      await store.stop();
      await folder.remove();
    }
  });
});

async function* emptyStream(): AsyncGenerator<Uint8Array> {}
