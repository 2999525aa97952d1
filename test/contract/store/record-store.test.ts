import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { emptyTask, type FarmRecord } from '@cuadro/protocol';
import type { RecordStore } from '../../../node/src/store/interface.ts';
import { createLevelStore } from '../../../node/src/store/level-store.ts';
import { createMemoryStore, emptyDisk } from '../../../node/src/store/memory-store.ts';

const JOB = 'abcdefghijklmnop';
const PEER = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp';
const farm: FarmRecord = {
  kind: 'farm',
  id: JOB,
  founder: PEER,
  name: { value: 'Farm', counter: 1, peer: PEER },
};

interface Implementation {
  name: string;
  /** `reopen` gives a second store on what the first wrote. */
  make(): Promise<{ open(): RecordStore; remove(): Promise<void> }>;
}

const implementations: Implementation[] = [
  {
    name: 'LevelDB',
    make: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'cuadro-store-'));
      return { open: () => createLevelStore(folder), remove: () => rm(folder, { recursive: true }) };
    },
  },
  {
    name: 'memory',
    make: () => {
      const disk = emptyDisk();
      return Promise.resolve({ open: () => createMemoryStore(disk), remove: () => Promise.resolve() });
    },
  },
];

for (const implementation of implementations) {
  describe(`record store: ${implementation.name}`, () => {
    const withStore = async (use: (open: () => Promise<RecordStore>) => Promise<void>): Promise<void> => {
      const made = await implementation.make();
      const opened: RecordStore[] = [];
      try {
        await use(async () => {
          for (const store of opened) await store.stop();
          const store = made.open();
          opened.push(store);
          await store.start();
          return store;
        });
      } finally {
        for (const store of opened) await store.stop();
        await made.remove();
      }
    };

    it('gives back records, term and removals after it was opened again', () =>
      withStore(async (open) => {
        const first = await open();
        const tasks = [0, 1, 2].map((index) => emptyTask(JOB, index));
        await first.write({ put: [farm, ...tasks], remove: [], term: 7 });
        await first.write({ put: [], remove: [`task/${JOB}/0000000001`] });
        const loaded = await (await open()).load();
        assert.equal(loaded.term, 7);
        assert.equal(loaded.damaged, 0);
        assert.deepEqual(
          loaded.records.map((record) => (record.kind === 'task' ? record.index : record.kind)),
          ['farm', 0, 2],
        );
      }));

    it('is empty, with term 0, at first', () =>
      withStore(async (open) => {
        assert.deepEqual(await (await open()).load(), { records: [], term: 0, damaged: 0 });
      }));

    it('R26: keeps fields of newer versions', () =>
      withStore(async (open) => {
        const newer = { ...farm, mood: { value: 'good', counter: 3, peer: PEER } };
        await (await open()).write({ put: [newer], remove: [] });
        assert.deepEqual((await (await open()).load()).records, [newer]);
      }));

    it('keeps local values apart from records', () =>
      withStore(async (open) => {
        const store = await open();
        await store.setLocal({ 'collected/a': { frames: 3 }, 'collected/b': 1, other: true });
        await store.setLocal({ 'collected/b': undefined });
        const again = await open();
        assert.deepEqual(await again.getLocal('other'), true);
        assert.equal(await again.getLocal('nothing'), undefined);
        assert.deepEqual(await again.listLocal('collected/'), [['collected/a', { frames: 3 }]]);
        assert.deepEqual((await again.load()).records, []);
      }));

    it('refuses to work before it is started', async () => {
      const made = await implementation.make();
      const store = made.open();
      await assert.rejects(store.write({ put: [farm], remove: [] }), { code: 'store-closed' });
      await made.remove();
    });
  });
}
