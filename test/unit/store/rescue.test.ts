import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import {
  cp,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { emptyTask, type KnownRecord } from '@cuadro/protocol';
import type { Loaded } from '../../../node/src/store/interface.ts';
import { createLevelStore } from '../../../node/src/store/level-store.ts';
import { isBroken } from '../../../node/src/store/log-format.ts';
import { asideOf } from '../../../node/src/store/rescue.ts';
import { doneTask, JOBS } from '../replicas/records.ts';

/**
 * The files of the records' database cut, garbled or gone, as a failing disk or a careless hand leaves them: the store
 * opens all the same with what is left of it, and says so (SPEC R173).
 */

const JOB = JOBS[0] as string;
const TASKS = 900;

let base: string;
/** A database of two tables, a log and a list of them, to be copied and damaged. */
let whole: string;

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'cuadro-rescue-'));
  whole = join(base, 'whole');
  // What a start finds in the log it makes a table of.
  for (let start = 0; start < TASKS; start += TASKS / 3) {
    const store = createLevelStore(whole);
    await store.start();
    for (let i = start; i < start + TASKS / 3; i += 50) {
      const put: KnownRecord[] = Array.from({ length: 50 }, (_, k) => doneTask(JOB, i + k));
      await store.write({ put, remove: [], term: 7 });
    }
    await store.setLocal({ note: start });
    await store.stop();
  }
});
after(() => rm(base, { recursive: true, force: true }));

let copies = 0;

async function damaged(damage: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(base, `copy-${++copies}`);
  await cp(whole, folder, { recursive: true });
  await damage(folder);
  return folder;
}

async function load(folder: string): Promise<Loaded & { count: number; note: unknown }> {
  const store = createLevelStore(folder);
  try {
    await store.start();
    const keys = new Set<number>();
    const each = (record: KnownRecord): void => void keys.add((record as { index: number }).index);
    const loaded = await store.load({ each });
    // It is in use again, not only read.
    await store.write({ put: [emptyTask(JOB, TASKS + 1)], remove: [] });
    return { ...loaded, count: keys.size, note: await store.getLocal('note') };
  } finally {
    await store.stop();
  }
}

async function first(folder: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(folder)).sort().find((one) => pattern.test(one));
  assert.ok(name, `${folder} holds a file like ${pattern}`);
  return join(folder, name);
}

async function half(path: string): Promise<void> {
  await truncate(path, Math.floor((await stat(path)).size / 2));
}

const TABLE = /\.ldb$/;
const LOG = /\.log$/;
const LIST = /^MANIFEST/;

describe('a damaged database of the records', () => {
  const cases: Record<string, { damage: (folder: string) => Promise<void>; all: boolean }> = {
    'half a table': { all: false, damage: async (folder) => half(await first(folder, TABLE)) },
    'an empty table': { all: false, damage: async (folder) => truncate(await first(folder, TABLE), 0) },
    'a table that is gone': { all: false, damage: async (folder) => rm(await first(folder, TABLE)) },
    'a garbled table': {
      all: false,
      damage: async (folder) => {
        const path = await first(folder, TABLE);
        const bytes = await readFile(path);
        for (let at = 1_000; at < bytes.length - 3_000; at += 3_000) bytes[at] = (bytes[at] as number) ^ 0x10;
        await writeFile(path, bytes);
      },
    },
    'half a list of files': { all: true, damage: async (folder) => cut(await first(folder, LIST)) },
    'an empty list of files': { all: true, damage: async (folder) => truncate(await first(folder, LIST), 0) },
    'a list of files that is gone': { all: true, damage: async (folder) => rm(await first(folder, LIST)) },
    'an empty first file': { all: true, damage: (folder) => truncate(join(folder, 'CURRENT'), 0) },
    'a first file that leads to another folder': {
      all: true,
      damage: async (folder) => {
        const list = basename(await first(whole, LIST));
        await writeFile(join(folder, 'CURRENT'), `../whole/${list}\n`);
      },
    },
    'a first file that is gone': { all: true, damage: (folder) => rm(join(folder, 'CURRENT')) },
  };
  for (const [name, { damage, all }] of Object.entries(cases)) {
    test(`R173: ${name}: what can be read is used, and the damaged one put aside`, async () => {
      const folder = await damaged(damage);
      const found = await load(folder);
      assert.equal(found.lacks, 'rescued');
      assert.ok(
        all ? found.count === TASKS : found.count > 0 && found.count < TASKS,
        `${found.count} records`,
      );
      if (all) assert.equal(found.note, 600);
      assert.ok(found.term > 7, 'no epoch is resumed');
      assert.ok(existsSync(asideOf(folder)));
      const again = await load(folder);
      assert.deepEqual([again.lacks, again.count], ['aside', found.count + 1]);
    });
  }

  test('R173: a log that was cut: the writes before it are there, and it is known that some may be missing', async () => {
    const folder = await damaged(async (copy) => cut(await first(copy, LOG)));
    const found = await load(folder);
    assert.equal(found.lacks, 'cut');
    assert.deepEqual([found.count, found.note], [TASKS, 300], 'the latest write is gone');
    assert.ok(found.term > 7, 'no epoch is resumed');
    const again = await load(folder);
    assert.deepEqual(
      [again.lacks, again.term],
      ['cut', found.term],
      'the next start has a whole log, and knows',
    );
  });

  test('a whole one lacks nothing', async () => {
    const found = await load(await damaged(() => Promise.resolve()));
    assert.deepEqual([found.lacks, found.count, found.term], [undefined, TASKS, 7]);
  });

  test('R173: a kill between the two steps of the exchange loses neither', async () => {
    const folder = await damaged((copy) => rm(join(copy, 'CURRENT')));
    await load(folder);
    await rename(folder, `${folder}.rescued`);
    assert.equal((await load(folder)).count, TASKS + 1);
    await rename(folder, asideOf(`${folder}-other`));
    assert.equal((await load(`${folder}-other`)).count, TASKS + 1);
  });
});

/** Cuts a file within its last record. */
async function cut(path: string): Promise<void> {
  const { size } = await stat(path);
  await truncate(path, size - 3);
  const handle = await open(path);
  try {
    assert.ok(isBroken(await handle.readFile()));
  } finally {
    await handle.close();
  }
}
