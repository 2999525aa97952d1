import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { emptyTask } from '@cuadro/protocol';
import type { Loaded } from '../../../node/src/store/interface.ts';
import { lackFromText, lackMarkOf, markLack, openLack } from '../../../node/src/store/lack.ts';
import { createLevelStore } from '../../../node/src/store/level-store.ts';
import { localToText } from '../../../node/src/store/local-text.ts';
import { asideOf, hasBrokenLog } from '../../../node/src/store/rescue.ts';
import { doneTask, JOBS } from '../replicas/records.ts';

/** The mark that records may be missing (SPEC R173): it outlasts the starts that use up what told of it. */

const JOB = JOBS[0] as string;

let base: string;
let folder: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'cuadro-lack-'));
  folder = join(base, 'records');
  const store = createLevelStore(folder);
  await store.start();
  await store.write({ put: [doneTask(JOB, 1)], remove: [], term: 7 });
  await store.write({ put: [emptyTask(JOB, 2)], remove: [], term: 9 });
  await store.stop();
});
afterEach(() => rm(base, { recursive: true, force: true }));

async function load(): Promise<Loaded> {
  const store = createLevelStore(folder);
  try {
    await store.start();
    // Something that the next cut takes.
    await store.setLocal({ note: 1 });
    return await store.load();
  } finally {
    await store.stop();
  }
}

async function cutLog(): Promise<void> {
  const name = (await readdir(folder)).find((one) => one.endsWith('.log')) as string;
  await truncate(join(folder, name), (await stat(join(folder, name))).size - 3);
  assert.ok(await hasBrokenLog(folder));
}

async function damage(): Promise<void> {
  await rm(join(folder, 'CURRENT'));
}

describe('R173: the mark that records may be missing', () => {
  test('a cut is known at every start, until it is ended', async () => {
    await cutLog();
    for (let start = 0; start < 3; start++) assert.equal((await load()).lacks, 'cut');
    assert.equal(await hasBrokenLog(folder), false, 'the database itself tells of it no more');
    await (await openLack(folder))?.end();
    assert.equal((await load()).lacks, undefined);
    assert.deepEqual(await readdir(base), ['records']);
  });

  test('where it can not be marked nothing is opened, so that the next start finds the cut', async () => {
    await cutLog();
    // A folder with something in it is not removed as a file is.
    await mkdir(join(`${lackMarkOf(folder)}.new`, 'in-the-way'), { recursive: true });
    await assert.rejects(load());
    assert.ok(await hasBrokenLog(folder));
    await rm(`${lackMarkOf(folder)}.new`, { recursive: true });
    assert.equal((await load()).lacks, 'cut');
  });

  test('the term that is taken then is durable at once, and is taken once', async () => {
    await cutLog();
    const { term } = await load();
    assert.ok(term > 9, 'the write that is gone told of 9');
    assert.equal((await load()).term, term);
    await (await openLack(folder))?.end();
    assert.equal((await load()).term, term, 'stored, and not made up anew');
  });

  test('a kill between the mark and the term leaves the term in doubt', async () => {
    await markLack(folder, 'cut');
    assert.ok((await load()).term > 1_000);
  });

  test('a rescue is known too, also where the damaged database was removed', async () => {
    await damage();
    assert.equal((await load()).lacks, 'rescued');
    assert.equal((await load()).lacks, 'aside');
    await rm(asideOf(folder), { recursive: true });
    assert.equal((await load()).lacks, 'aside');
  });

  test('a damaged database that lies there without a mark counts, until that is ended', async () => {
    await mkdir(asideOf(folder));
    assert.equal((await load()).lacks, 'aside');
    await (await openLack(folder))?.end();
    assert.equal((await load()).lacks, undefined);
    assert.ok(existsSync(asideOf(folder)), 'it is left to a person');
    await damage();
    assert.equal((await load()).lacks, 'rescued');
    assert.equal((await load()).lacks, 'aside', 'another one begins anew');
  });

  test('it counts how long the node ran with it, over its starts, and anew from another cut on', async () => {
    await cutLog();
    await load();
    await (await openLack(folder))?.ran(5_000);
    await load();
    await (await openLack(folder))?.ran(2_000);
    assert.equal((await openLack(folder))?.ranMs, 7_000);
    await cutLog();
    await load();
    assert.equal((await openLack(folder))?.ranMs, 0);
  });

  test('the time that a mark says is the same however often it is written', () => {
    const mark = lackFromText('{"why":"damaged","ranMs":-0,"isTermOld":false}');
    assert.deepEqual(mark, { why: 'damaged', ranMs: 0, isTermOld: false });
    assert.deepEqual(lackFromText(localToText(mark)), mark);
  });

  const damagedTexts = [
    ...['', '{', 'null', '7', '{"why":"gone"}'],
    ...['{"why":"gone","ranMs":-1,"isTermOld":true}', '{"why":"gone","ranMs":1e999,"isTermOld":true}'],
    localToText({ why: 'gone', ranMs: 1, isTermOld: true }).replace('ranMs":1', 'ranMs":9'),
  ];
  for (const text of damagedTexts) {
    test(`a mark that is damaged still counts, from the beginning: ${JSON.stringify(text)}`, async () => {
      assert.deepEqual(lackFromText(text), { why: 'cut', ranMs: 0, isTermOld: true });
      await writeFile(lackMarkOf(folder), text);
      assert.equal((await load()).lacks, 'cut');
    });
  }
});
