import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { emptyTask } from '@cuadro/protocol';
import { createLevelStore } from '../../../node/src/store/level-store.ts';
import { systemFileCalls } from '../../../node/src/system/file-calls.ts';
import { mountTmpfs, temporaryFolder } from '../blobs/helpers.ts';
import { JOBS } from '../replicas/records.ts';

const JOB = JOBS[0] as string;
const batchOf = (index: number) => ({ put: [emptyTask(JOB, index)], remove: [] });

describe('R175: a write that failed in its midst', () => {
  it('is the last of that run, also where it was only a note and there is room again: all that was acknowledged is found', async (context) => {
    const folder = temporaryFolder();
    const mount = mountTmpfs(join(folder.path, 'disk'), '8m');
    if (mount === undefined) return context.skip('needs the right to mount a tmpfs');
    const disk = join(folder.path, 'disk');
    const records = join(disk, 'records');
    const filler = join(disk, 'filler');
    try {
      const store = createLevelStore(records);
      await store.start();
      await store.write(batchOf(1));
      const { bavail, bsize } = systemFileCalls.statfsSync(disk);
      writeFileSync(filler, new Uint8Array(bavail * bsize - 8_192));
      // Together with others that wait, as the notes of a collection do.
      const notes = ['a', 'b', 'c'].map((key) => store.setLocal({ [key]: 'x'.repeat(40_000) }));
      for (const note of notes) await assert.rejects(note, { code: 'store-full' });
      await rm(filler);
      let acknowledged = 1;
      for (let index = 2; index < 40; index++) {
        await store.write(batchOf(index)).then(
          () => acknowledged++,
          (error: unknown) => assert.equal((error as { code?: unknown }).code, 'store-full'),
        );
      }
      assert.equal(await store.getLocal('a'), undefined);
      await store.stop();

      const again = createLevelStore(records);
      await again.start();
      assert.equal((await again.load()).records.length, acknowledged);
      await again.write(batchOf(99));
      assert.equal((await again.load()).records.length, acknowledged + 1);
      await again.stop();
    } finally {
      mount.unmount();
      await folder.remove();
    }
  });

  it('leaves the others as they were: what waits goes out together, and what was given before a stop before it', async (context) => {
    const folder = temporaryFolder();
    context.after(folder.remove);
    const store = createLevelStore(join(folder.path, 'records'));
    await store.start();
    const many = Array.from({ length: 50 }, (_, index) => store.write(batchOf(index)));
    await Promise.all([...many, store.setLocal({ note: 1 }), store.setLocal({ note: 2 })]);
    // What was given before the stop is durable behind it.
    const last = store.setLocal({ last: true });
    await store.stop();
    await last;
    const again = createLevelStore(join(folder.path, 'records'));
    await again.start();
    assert.equal((await again.load()).records.length, 50);
    assert.deepEqual([await again.getLocal('note'), await again.getLocal('last')], [2, true]);
    await again.stop();
  });
});
