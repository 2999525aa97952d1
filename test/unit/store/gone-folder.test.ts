import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { emptyTask } from '@cuadro/protocol';
import { createLevelStore } from '../../../node/src/store/level-store.ts';
import { writeError } from '../../../node/src/system/start-error.ts';
import { JOBS } from '../replicas/records.ts';

/** LevelDB goes on writing to files that were deleted or unmounted under it: such a write is durable for nobody. */

const batch = { put: [emptyTask(JOBS[0] as string, 1)], remove: [] };
let folder: string;
let records: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cuadro-gone-'));
  records = join(folder, 'records');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a folder of records that goes while it is used', () => {
  const ways: Record<string, () => Promise<unknown>> = {
    deleted: () => rm(records, { recursive: true }),
    'moved away': () => rename(records, `${records}-away`),
    'another of the same name': async () => {
      await rename(records, `${records}-away`);
      await cp(`${records}-away`, records, { recursive: true });
    },
    'an empty one in its place, as where a disk was': async () => {
      await rename(records, `${records}-away`);
      await mkdir(records);
    },
  };
  for (const [name, take] of Object.entries(ways)) {
    test(`R174: ${name}: nothing is written as durable any more, and a sentence says why`, async () => {
      const store = createLevelStore(records);
      await store.start();
      try {
        await store.write(batch);
        await take();
        await assert.rejects(store.write(batch), (error) => {
          const { code, message } = writeError(error, folder);
          assert.equal(code, 'store-unwritable');
          assert.match(message, /^The data folder .* can't be written: The folder .*records is gone\.$/);
          return true;
        });
      } finally {
        await store.stop().catch(() => undefined);
      }
    });
  }
});
