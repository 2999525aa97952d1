import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { BlobSourceUnreadableError } from '../../../node/src/blobs/errors.ts';
import { createCollection } from '../../../node/src/jobs/collection.ts';
import { type ContentSource, localContent } from '../../../node/src/blobs/source.ts';
import { requeue } from '../../../node/src/jobs/control.ts';
import { fetchJob } from '../../../node/src/jobs/fetch.ts';
import type { JobsComponents } from '../../../node/src/jobs/interface.ts';
import { contentOf, newStore, temporaryFolder } from '../blobs/helpers.ts';
import { OutputNames } from '../../../node/src/jobs/output-file.ts';
import { DiskBlobs, framesJob, nameOf } from './disk-blobs.ts';
import { nodeOfOne } from './node-of-one.ts';

type Store = JobsComponents['store'];

/** The store, where a write of notes may be refused. */
const refusing = (store: Store, isRefused: (entries: Record<string, unknown>) => boolean): Store => ({
  getLocal: (key) => store.getLocal(key),
  listLocal: (prefix) => store.listLocal(prefix),
  eachLocalText: (prefix, each) => store.eachLocalText(prefix, each),
  setLocal: (entries) =>
    isRefused(entries) ? Promise.reject(new Error('the disk is full')) : store.setLocal(entries),
});

/** Whether files are noted as written, and not only as about to be. */
const tellsWritten = (entries: Record<string, unknown>): boolean =>
  Object.values(entries).some((value) => (value as { attempt?: string } | undefined)?.attempt !== undefined);

const contents = async (folder: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(folder)).sort().map(async (name) => [name, await readFile(join(folder, name), 'utf8')]),
    ),
  );

describe('collecting', () => {
  let disk: DiskBlobs;
  beforeEach(async () => {
    disk = await DiskBlobs.make();
  });
  afterEach(() => disk.remove());

  for (const name of ['__proto__', 'constructor', 'toString'])
    it(`takes a file that a program calls ${name} for a file`, async () => {
      for (const text of ['one', 'two', 'three', 'again']) await disk.put(text);
      const texts = ['one', 'two', 'three'];
      const node = await nodeOfOne({
        blobs: disk.blobs,
        outputBase: disk.base,
        work: (grant) => disk.result(grant.task === 1 ? name : nameOf(grant), texts[grant.task] as string),
      });
      const collection = createCollection(node.components, { onCollected: () => undefined });
      await collection.start();
      const job = await node.submit(framesJob('1-3'));
      await node.until(job.id, 'done');
      for (let round = 0; round < 2; round++) {
        collection.changed(job.id);
        await collection.settled();
      }
      const found = await contents(join(disk.base, 'job'));
      assert.deepEqual(Object.entries(found), [
        ...(name === 'toString' ? [] : [[name, 'two']]),
        ['f_1.png', 'one'],
        ['f_3.png', 'three'],
        ...(name === 'toString' ? [[name, 'two']] : []),
      ]);
      assert.deepEqual(collection.state(job.id), { collected: 3, keptForeign: 0 });
      await collection.stop();
      await node.stop();
    });

  const longest = `${'x'.repeat(251)}.txt`;
  for (const [what, names, found] of [
    ['as long as names may be', [longest, longest], [longest, `${'x'.repeat(246)}_0002.txt`]],
    [
      'one to systems that make no difference between capitals and small letters',
      ['Out.txt', 'out.txt'],
      ['Out.txt', 'out_0002.txt'],
    ],
    [
      'one to systems that write an accent in either way',
      ['\u00e9.txt', 'e\u0301.txt'],
      ['\u00e9.txt', 'e\u0301_0002.txt'],
    ],
  ] as const)
    it(`collects each of two files whose names are ${what}`, async () => {
      for (const text of ['one', 'two']) await disk.put(text);
      const node = await nodeOfOne({
        blobs: disk.blobs,
        outputBase: disk.base,
        work: (grant) => disk.result(names[grant.task] as string, ['one', 'two'][grant.task] as string),
      });
      const collection = createCollection(node.components, { onCollected: () => undefined });
      await collection.start();
      const job = await node.submit(framesJob('1-2'));
      await node.until(job.id, 'done');
      collection.changed(job.id);
      await collection.settled();
      assert.deepEqual(collection.state(job.id), { collected: 2, keptForeign: 0 });
      const written = await contents(join(disk.base, 'job'));
      assert.deepEqual([written[found[0]], written[found[1]]], ['one', 'two']);
      await collection.stop();
      await node.stop();
    });

  it('gives two files of one frame that are one to some systems names of their own', () => {
    const names = new OutputNames();
    const take = (name: string): string => names.take(name, { index: 3, number: 4 });
    assert.deepEqual([take('A.txt'), take('a.txt'), take('b.txt')], ['A.txt', 'a_0004.txt', 'b.txt']);
    assert.equal(take('A.txt'), 'A.txt', 'it has it already');
    assert.deepEqual([take('c.txt'), take('C.txt'), take('c.txt')], ['c.txt', 'C_0004.txt', 'c.txt']);
    const other = names.take('A.txt', { index: 2, number: 3 });
    assert.deepEqual([other, take('A.txt')], ['A_0003.txt', 'A.txt'], 'one of another frame has its number');
  });

  it('keeps the name that a frame was given when the node was killed before it was noted as written', async () => {
    for (const text of ['one', 'two']) await disk.put(text);
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => disk.result('out.txt', ['one', 'two'][grant.task] as string),
    });
    const killed = createCollection(
      { ...node.components, store: refusing(node.store, tellsWritten) },
      { onCollected: () => undefined },
    );
    await killed.start();
    const job = await node.submit(framesJob('1-2'));
    await node.until(job.id, 'done');
    // The second was finished first, and has the plain name.
    killed.changed(job.id, [1]);
    await killed.settled();
    await killed.stop();
    assert.deepEqual(await contents(join(disk.base, 'job')), { 'out.txt': 'two' });
    const after = createCollection(node.components, { onCollected: () => undefined });
    await after.start();
    await after.settled();
    assert.deepEqual(await contents(join(disk.base, 'job')), { 'out.txt': 'two', 'out_0001.txt': 'one' });
    assert.deepEqual(after.state(job.id), { collected: 2, keptForeign: 0 });
    await after.stop();
    await node.stop();
  });

  for (const [what, isRefused] of [
    ['is about to be written', () => true],
    ['was written', tellsWritten],
  ] as const)
    it(`goes on by itself where what ${what} could not be noted for a while`, async () => {
      for (const text of ['one', 'two']) await disk.put(text);
      const node = await nodeOfOne({
        blobs: disk.blobs,
        outputBase: disk.base,
        work: (grant) => disk.result(nameOf(grant), ['one', 'two'][grant.task] as string),
      });
      let isFull = true;
      const collection = createCollection(
        { ...node.components, store: refusing(node.store, (entries) => isFull && isRefused(entries)) },
        { onCollected: () => undefined },
      );
      await collection.start();
      const job = await node.submit(framesJob('1-2'));
      await node.until(job.id, 'done');
      collection.changed(job.id);
      await collection.settled();
      assert.match(collection.state(job.id)?.problem ?? '', /can't be collected: the disk is full\.$/);
      isFull = false;
      node.clock.advance(10_000);
      await collection.settled();
      assert.deepEqual(await contents(join(disk.base, 'job')), { 'f_1.png': 'one', 'f_2.png': 'two' });
      assert.deepEqual(collection.state(job.id), { collected: 2, keptForeign: 0 });
      const noted = (await node.store.listLocal('collected/')).map(
        ([, note]) => note as { attempt?: string },
      );
      assert.deepEqual(
        noted.map(({ attempt }) => attempt !== undefined),
        [true, true],
        'after the next start it is known that they are ours',
      );
      await collection.stop();
      await node.stop();
    });

  for (const code of ['EMFILE', 'ESTALE', 'ENOENT'])
    it(`takes no file of its own for a foreign one because it can't be looked at for a moment: ${code}`, async () => {
      for (const text of ['old', 'new']) await disk.put(text);
      let text = 'old';
      const node = await nodeOfOne({
        blobs: disk.blobs,
        outputBase: disk.base,
        work: (grant) => disk.result(nameOf(grant), text),
      });
      let fails = false;
      const { blobs } = disk;
      const troubled = new Proxy(blobs, {
        get: (store, key) => {
          if (key === 'hashFile' && fails)
            return async (path: string) => {
              fails = false;
              throw new BlobSourceUnreadableError(path, code, {
                cause: Object.assign(new Error(code), { code }),
              });
            };
          const value = store[key as keyof typeof store];
          return typeof value === 'function' ? value.bind(store) : value;
        },
      });
      const collection = createCollection(
        { ...node.components, blobs: troubled },
        { onCollected: () => undefined },
      );
      await collection.start();
      const job = await node.submit(framesJob('1'));
      await node.until(job.id, 'done');
      collection.changed(job.id);
      await collection.settled();
      text = 'new';
      await requeue(node.components, job.id, ['1']);
      await node.until(job.id, 'done');
      fails = true;
      collection.changed(job.id);
      await collection.settled();
      assert.equal(fails, false);
      node.clock.advance(10_000);
      await collection.settled();
      assert.deepEqual(await contents(join(disk.base, 'job')), { 'f_1.png': 'new' });
      assert.deepEqual(collection.state(job.id), { collected: 1, keptForeign: 0 });
      await collection.stop();
      await node.stop();
    });
});

describe('fetching', () => {
  it('brings the frame that was redone meanwhile, and none that is being rendered again', async () => {
    const disk = await DiskBlobs.make();
    for (const text of ['old', 'new']) await disk.put(text);
    let text = 'old';
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => (text === '' ? undefined : disk.result(nameOf(grant), text)),
    });
    const job = await node.submit(framesJob('1-40'));
    await node.until(job.id, 'done');
    const { signal } = new AbortController();
    const to = join(disk.base, 'fetched');
    let redone: Promise<void> | undefined;
    const redo = async (): Promise<void> => {
      text = 'new';
      await requeue(node.components, job.id, ['2', '39']);
      await node.until(job.id, 'done');
      text = '';
      await requeue(node.components, job.id, ['40']);
    };
    // All names are known by then, and the first frames are on their way.
    const content: ContentSource = { ...localContent, ensureMany: () => (redone ??= redo()) };
    const fetched = await fetchJob({ ...node.components, content }, job.id, to, { overwrite: true, signal });
    const found = await contents(to);
    assert.deepEqual([found['f_1.png'], found['f_2.png'], found['f_39.png']], ['old', 'new', 'new']);
    assert.equal(found['f_40.png'], undefined);
    assert.deepEqual([fetched.written, fetched.missing], [39, ['f_40.png']]);
    assert.equal(fetched.problem, 'f_40.png is being rendered again.');
    await node.stop();
    await disk.remove();
  });

  it("finds the files in the job's own folder under the names that they were given there", async () => {
    const disk = await DiskBlobs.make();
    for (const text of ['one', 'two']) await disk.put(text);
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => disk.result('out.txt', ['one', 'two'][grant.task] as string),
    });
    const collection = createCollection(node.components, { onCollected: () => undefined });
    await collection.start();
    const job = await node.submit(framesJob('1-2'));
    await node.until(job.id, 'done');
    for (const changed of [[1], [0]]) {
      collection.changed(job.id, changed);
      await collection.settled();
    }
    const folder = join(disk.base, 'job');
    const collected = { 'out.txt': 'two', 'out_0001.txt': 'one' };
    assert.deepEqual(await contents(folder), collected);
    const { signal } = new AbortController();
    const fetched = await fetchJob(node.components, job.id, folder, { overwrite: true, signal });
    assert.deepEqual(await contents(folder), collected);
    assert.deepEqual([fetched.written, fetched.alreadyThere], [0, 2]);
    await collection.stop();
    await node.stop();
    await disk.remove();
  });

  it('R176: brings all frames, one after another, through a store that evicts what came before', async (t) => {
    const folder = temporaryFolder();
    const blobs = newStore(join(folder.path, 'data'), { quotaBytes: 2_500_000 });
    await blobs.start();
    const frames = [1, 2, 3, 4].map((number) => contentOf(number, 1_000_000));
    const hashes = frames.map((bytes) => createHash('sha256').update(bytes).digest('hex'));
    const node = await nodeOfOne({
      blobs,
      outputBase: folder.path,
      work: (grant) => {
        const file = { name: nameOf(grant), blob: hashes[grant.task] as string, sizeBytes: 1_000_000 };
        return { kind: 'result', files: [{ ...file, role: 'file' }], renderMs: 1, wallTime: 1 };
      },
    });
    t.after(async () => {
      await node.stop();
      await blobs.stop();
      await folder.remove();
    });
    const job = await node.submit(framesJob('1-4'));
    await node.until(job.id, 'done');
    // As from a machine that sends one after the other.
    let before: Promise<unknown> = Promise.resolve();
    const content: ContentSource = {
      ...localContent,
      ensureMany: async ([wanted]) => {
        before = before.then(async () => {
          const bytes = frames[hashes.indexOf(wanted?.hash as string)] as Buffer;
          if ((await blobs.has(wanted?.hash as string)) === undefined) await blobs.putBytes(bytes);
        });
        await before;
      },
    };
    const { signal } = new AbortController();
    const to = join(folder.path, 'fetched');
    const fetched = await fetchJob({ ...node.components, content }, job.id, to, { overwrite: false, signal });
    assert.deepEqual([fetched.written, fetched.missing, fetched.problem], [4, [], undefined]);
    for (const [i, bytes] of frames.entries())
      assert.deepEqual(await readFile(join(to, `f_${i + 1}.png`)), bytes);
  });
});
