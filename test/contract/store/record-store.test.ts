import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Level } from 'level';
import { encode, emptyTask, recordKey, type FarmRecord, type KnownRecord } from '@cuadro/protocol';
import type { RecordStore } from '../../../node/src/store/interface.ts';
import { newDisk, openRecords } from '../../sim/disk.ts';
import { hostAtOnce } from '../sim-host.ts';
import { createLevelStore } from '../../../node/src/store/level-store.ts';
import { createMemoryStore, emptyDisk } from '../../../node/src/store/memory-store.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';

const JOB = 'abcdefghijklmnop';
const PEER = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp';
const farm: FarmRecord = {
  kind: 'farm',
  id: JOB,
  founder: PEER,
  name: { value: 'Farm', counter: 1, peer: PEER },
};

async function textsOf(store: RecordStore, prefix: string): Promise<[string, string][]> {
  const texts: [string, string][] = [];
  await store.eachLocalText(prefix, (key, text) => texts.push([key, text]));
  return texts;
}

const HASH = 'a1'.repeat(32);
const doneTask = (index: number): KnownRecord => ({
  ...emptyTask(JOB, index),
  results: {
    [`1.${index + 1}.${PEER}`]: {
      attempt: { epoch: { term: 1, peer: PEER }, sequence: index + 1 },
      peer: PEER,
      state: 'rendered',
      files: [{ name: `frame_${index}.png`, blob: HASH, sizeBytes: 7, role: 'image', width: 6, height: 4 }],
      holders: { [PEER]: { held: true, counter: 1 } },
      renderMs: 500.5,
      wallTime: 1_700_000_000_000,
    },
  },
});

function flipped(bytes: Uint8Array, at: number, bits: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[at] = (changed[at] as number) ^ bits;
  return changed;
}

interface Implementation {
  name: string;
  make(): Promise<Made>;
}

interface Made {
  /** A second call gives a second store on what the first wrote. */
  open(): RecordStore;
  /** Changes what is stored of a record, as a failing disk would; the store must be stopped. */
  damage(record: KnownRecord, change: (stored: Uint8Array) => Uint8Array): Promise<void>;
  /** Puts another text in the place of an own value. */
  damageLocal(key: string, change: (stored: string) => string): Promise<void>;
  remove(): Promise<void>;
}

const implementations: Implementation[] = [
  {
    name: 'LevelDB',
    make: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'cuadro-store-'));
      return {
        open: () => createLevelStore(folder),
        damage: async (record, change) => {
          const database = new Level<string, Uint8Array>(folder, { valueEncoding: 'view' });
          const key = `1!${recordKey(record)}`;
          await database.put(key, change((await database.get(key)) ?? new Uint8Array()));
          await database.close();
        },
        damageLocal: async (key, change) => {
          const database = new Level(folder);
          await database.put(`2!${key}`, change((await database.get(`2!${key}`)) ?? ''));
          await database.close();
        },
        remove: () => rm(folder, { recursive: true }),
      };
    },
  },
  {
    name: 'memory',
    make: () => {
      const disk = emptyDisk();
      return Promise.resolve({
        open: () => createMemoryStore(disk),
        damage: async (record, change) => {
          const key = recordKey(record);
          disk.records.set(key, change(disk.records.get(key) as Uint8Array));
        },
        damageLocal: async (key, change) => {
          disk.local.set(key, change(disk.local.get(key) as string));
        },
        remove: () => Promise.resolve(),
      });
    },
  },
  {
    name: 'simulated disk',
    make: () => {
      const simulated = newDisk();
      const disk = simulated.records;
      return Promise.resolve({
        open: () => openRecords(hostAtOnce(), simulated),
        damage: async (record, change) => {
          const key = recordKey(record);
          disk.records.set(key, change(disk.records.get(key) as Uint8Array));
        },
        damageLocal: async (key, change) => {
          disk.local.set(key, change(disk.local.get(key) as string));
        },
        remove: () => Promise.resolve(),
      });
    },
  },
];

for (const implementation of implementations) {
  describe(`record store: ${implementation.name}`, () => {
    const withStore = async (
      use: (
        open: () => Promise<RecordStore>,
        damage: Made['damage'],
        damageLocal: Made['damageLocal'],
      ) => Promise<void>,
    ): Promise<void> => {
      const made = await implementation.make();
      const opened: RecordStore[] = [];
      try {
        await use(
          async () => {
            for (const store of opened) await store.stop();
            const store = made.open();
            opened.push(store);
            await store.start();
            return store;
          },
          (record, change) => made.damage(record, change),
          (key, change) => made.damageLocal(key, change),
        );
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

    it('gives records one by one to who asks for that, and then no list of them', () =>
      withStore(async (open) => {
        const first = await open();
        const tasks = [0, 1, 2].map((index) => doneTask(index));
        await first.write({ put: [farm, ...tasks], remove: [], term: 7 });
        const each: KnownRecord[] = [];
        const loaded = await (await open()).load({ each: (record) => each.push(record) });
        assert.deepEqual(loaded, { records: [], term: 7, damaged: 0 });
        assert.deepEqual(each, [farm, ...tasks]);
      }));

    it('waits once before the tasks, and gives what is none of them before', () =>
      withStore(async (open) => {
        const store = await open();
        await store.write({ put: [doneTask(0), farm, doneTask(1)], remove: [], term: 3 });
        const told: string[] = [];
        await (await open()).load({
          each: (record) => told.push(record.kind),
          beforeTasks: async () => {
            await nextTurn();
            told.push('waited');
          },
        });
        assert.deepEqual(told, ['farm', 'waited', 'task', 'task']);
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

    it('leaves out and counts whatever was damaged, wherever it was, and gives back the rest', () =>
      withStore(async (open, damage) => {
        const damaged = doneTask(1);
        const kept = [farm, doneTask(0), doneTask(2)];
        let store = await open();
        await store.write({ put: [...kept, damaged], remove: [] });
        await store.stop();
        let whole: Uint8Array = new Uint8Array();
        await damage(damaged, (stored) => {
          whole = Uint8Array.from(stored);
          return stored;
        });
        const changes = [
          new Uint8Array(),
          whole.subarray(0, 4),
          whole.subarray(0, -1),
          new Uint8Array([...whole, 0]),
          ...Array.from({ length: Math.ceil(whole.length / 11) }, (_, i) =>
            flipped(whole, i * 11, 1 << (i % 8)),
          ),
        ];
        for (const change of changes) {
          await damage(damaged, () => change);
          store = await open();
          const loaded = await store.load();
          assert.equal(loaded.damaged, 1, `with ${Buffer.from(change).toString('hex')}`);
          assert.deepEqual(loaded.records, kept);
          await store.stop();
        }
        await damage(damaged, () => whole);
        assert.equal((await (await open()).load()).damaged, 0);
      }));

    it('reads records as the first version stored them: canonical bytes without a checksum', () =>
      withStore(async (open, damage) => {
        const records = [farm, doneTask(0)];
        const store = await open();
        await store.write({ put: records, remove: [] });
        await store.stop();
        for (const record of records) await damage(record, () => encode(record));
        assert.deepEqual(await (await open()).load(), { records, term: 0, damaged: 0 });
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
        assert.deepEqual(await textsOf(again, 'collected/'), [['collected/a', '{"frames":3}']]);
        assert.deepEqual((await again.load()).records, []);
      }));

    it('gives local values of which there are many one by one, in the order of their keys', () =>
      withStore(async (open) => {
        const keys = Array.from({ length: 2_500 }, (_, i) => `many/${String(i).padStart(4, '0')}`);
        const store = await open();
        await store.setLocal({ ...Object.fromEntries(keys.map((key) => [key, { key }])), others: 1 });
        const expected = keys.map((key) => [key, JSON.stringify({ key })]);
        assert.deepEqual(await textsOf(await open(), 'many/'), expected);
      }));

    it('R172: takes an own value for absent of which one bit is flipped, and names it', () =>
      withStore(async (open, _, damageLocal) => {
        const store = await open();
        await store.setLocal({ 'note/a': { folder: '/out' }, 'note/b': { folder: '/in' }, old: 1 });
        await store.stop();
        await damageLocal('note/a', (stored) => stored.replace('/out', '/oud'));
        await damageLocal('old', () => '{"as":"the first version wrote it"}');
        const again = await open();
        assert.equal(await again.getLocal('note/a'), undefined);
        assert.deepEqual(await again.listLocal('note/'), [['note/b', { folder: '/in' }]]);
        assert.deepEqual(await textsOf(again, 'note/'), [['note/b', '{"folder":"/in"}']]);
        assert.deepEqual(await again.getLocal('old'), { as: 'the first version wrote it' });
        assert.deepEqual(await again.listDamagedLocal(), ['note/a']);
        await again.setLocal({ 'note/a': 2 });
        assert.deepEqual(await again.listDamagedLocal(), []);
      }));

    it('refuses to work before it is started', async () => {
      const made = await implementation.make();
      const store = made.open();
      await assert.rejects(store.write({ put: [farm], remove: [] }), { code: 'store-closed' });
      await made.remove();
    });
  });
}

describe('record store: LevelDB, its term', () => {
  it('R172: takes a term beyond all that the records tell of where its own is damaged', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cuadro-store-'));
    try {
      const store = createLevelStore(folder);
      await store.start();
      await store.write({ put: [doneTask(1)], remove: [], term: 7 });
      assert.equal((await store.load()).term, 7);
      await store.stop();
      const database = new Level(folder);
      await database.put('0!term', `${(await database.get('0!term')) ?? ''}1`);
      await database.close();
      await store.start();
      assert.equal((await store.load()).term, 1_001);
      await store.stop();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
