import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Collection, createCollection } from '../../../node/src/jobs/collection.ts';
import { requeue } from '../../../node/src/jobs/control.ts';
import { fetchJob } from '../../../node/src/jobs/fetch.ts';
import type { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';
import { DiskBlobs, framesJob, nameOf } from './disk-blobs.ts';
import { nodeOfOne } from './node-of-one.ts';

describe('collecting', () => {
  let disk: DiskBlobs;
  beforeEach(async () => {
    disk = await DiskBlobs.make();
  });
  afterEach(() => disk.remove());

  it('goes on with the other frames where one is damaged', async () => {
    for (const text of ['one', 'two', 'three', 'four']) await disk.put(text);
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => disk.result(nameOf(grant), ['one', 'two', 'three', 'four'][grant.task] as string),
    });
    const collection = createCollection(node.components, { onCollected: () => undefined });
    await collection.start();
    const job = await node.submit(framesJob('1-4'));
    await node.until(job.id, 'done');
    await disk.damage('two');
    collection.changed(job.id);
    await collection.settled();
    assert.deepEqual((await readdir(join(disk.base, 'job'))).sort(), ['f_1.png', 'f_3.png', 'f_4.png']);
    assert.match(
      collection.state(job.id)?.problem ?? '',
      /^The files of frame 2 can't be collected: The stored file .* is damaged/,
    );
    await collection.stop();
    await node.stop();
  });

  it('R172: collects into the folder that the record names where its own note of the job is damaged', async () => {
    await disk.put('one');
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => disk.result(nameOf(grant), 'one'),
    });
    const job = await node.submit(framesJob('1'));
    await node.until(job.id, 'done');
    const key = `job/${job.id}`;
    node.disk.local.set(key, (node.disk.local.get(key) as string).replace('job"', 'jab"'));
    const collection = createCollection(node.components, { onCollected: () => undefined });
    await collection.start();
    await collection.settled();
    assert.deepEqual(await readdir(join(disk.base, 'job')), ['f_1.png']);
    await collection.stop();
    await node.stop();
  });

  it('fetches the other frames where one is damaged, and names it', async () => {
    for (const text of ['one', 'two', 'three']) await disk.put(text);
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => disk.result(nameOf(grant), ['one', 'two', 'three'][grant.task] as string),
    });
    const job = await node.submit(framesJob('1-3'));
    await node.until(job.id, 'done');
    await disk.damage('two');
    const to = join(disk.base, 'fetched');
    const signal = new AbortController().signal;
    const fetched = await fetchJob(node.components, job.id, to, { overwrite: false, signal }).catch(
      () => undefined,
    );
    assert.deepEqual((await readdir(to)).sort(), ['f_1.png', 'f_3.png']);
    assert.deepEqual(fetched?.missing, ['f_2.png']);
    await node.stop();
  });

  it("fetches nothing to where a file stands, and names fetch's own option", async () => {
    await disk.put('one');
    const work = () => disk.result('f_1.png', 'one');
    const node = await nodeOfOne({ blobs: disk.blobs, outputBase: disk.base, work });
    const job = await node.submit(framesJob('1'));
    await node.until(job.id, 'done');
    const to = join(disk.base, 'taken');
    await writeFile(to, 'mine');
    const signal = new AbortController().signal;
    await assert.rejects(fetchJob(node.components, job.id, to, { overwrite: false, signal }), {
      message: `The output folder ${to} can't be written: a file of that name is there already. Choose another with --to.`,
    });
    assert.equal(await readFile(to, 'utf8'), 'mine');
    await node.stop();
  });

  it('takes no file of its own for a foreign one: two frames that write one name', async () => {
    for (const text of ['one', 'two']) await disk.put(text);
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      // As a command that writes `out.txt` for each frame gives it.
      work: (grant) => disk.result('out.txt', ['one', 'two'][grant.task] as string),
    });
    const collection = createCollection(node.components, { onCollected: () => undefined });
    await collection.start();
    const job = await node.submit({ ...framesJob('1-2'), overwrite: true });
    await node.until(job.id, 'done');
    collection.changed(job.id);
    await collection.settled();
    const names = await readdir(join(disk.base, 'job'));
    const found = await Promise.all(names.map((name) => readFile(join(disk.base, 'job', name), 'utf8')));
    const { collected } = collection.state(job.id) ?? {};
    assert.equal(
      found.length,
      collected,
      `${collected} files are said to be collected; there are: ${found.join()}`,
    );
    await collection.stop();
    await node.stop();
  });

  it('replaces a file of its own by a redo also after a crash or a failure in between', async () => {
    for (const text of ['old one', 'new one', 'two']) await disk.put(text);
    let redone = false;
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => disk.result(nameOf(grant), grant.task === 1 ? 'two' : redone ? 'new one' : 'old one'),
    });
    const job = await node.submit(framesJob('1-2'));
    await node.until(job.id, 'done');
    // The second frame can't be written for a while, so nothing is noted of the first.
    await disk.damage('two');
    const before = createCollection(node.components, { onCollected: () => undefined });
    await before.start();
    before.changed(job.id);
    await before.settled();
    await before.stop();
    assert.equal(await readFile(join(disk.base, 'job', 'f_1.png'), 'utf8'), 'old one');
    // The node ends; before the folder is looked at again the first frame is redone.
    redone = true;
    await requeue(node.components, job.id, ['1']);
    await node.until(job.id, 'done');
    await disk.put('two');
    const after = createCollection(node.components, { onCollected: () => undefined });
    await after.start();
    after.changed(job.id);
    await after.settled();
    assert.equal(await readFile(join(disk.base, 'job', 'f_1.png'), 'utf8'), 'new one');
    await after.stop();
    await node.stop();
  });

  it('knows a file that it wrote just before the node was killed as its own', async () => {
    for (const text of ['old one', 'new one']) await disk.put(text);
    let text = 'old one';
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => disk.result(nameOf(grant), text),
    });
    const job = await node.submit(framesJob('1'));
    await node.until(job.id, 'done');
    // The kill: the file has its name, and nothing can be noted any more.
    const killed: typeof node.components.store = {
      ...node.components.store,
      getLocal: (key) => node.store.getLocal(key),
      listLocal: (prefix) => node.store.listLocal(prefix),
      eachLocalText: (prefix, each) => node.store.eachLocalText(prefix, each),
      setLocal: (entries) => {
        const written = Object.values(entries).some((value) => (value as { attempt?: string }).attempt);
        return written ? Promise.reject(new Error('killed')) : node.store.setLocal(entries);
      },
    };
    const before = createCollection({ ...node.components, store: killed }, { onCollected: () => undefined });
    await before.start();
    before.changed(job.id);
    await before.settled();
    await before.stop();
    assert.equal(await readFile(join(disk.base, 'job', 'f_1.png'), 'utf8'), 'old one');
    text = 'new one';
    await requeue(node.components, job.id, ['1']);
    await node.until(job.id, 'done');
    const after = createCollection(node.components, { onCollected: () => undefined });
    await after.start();
    await after.settled();
    assert.equal(await readFile(join(disk.base, 'job', 'f_1.png'), 'utf8'), 'new one');
    await after.stop();
    await node.stop();
  });

  it('looks only at the tasks that changed, and forgets a deleted job', async () => {
    for (const text of ['one', 'two']) await disk.put(text);
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => disk.result(nameOf(grant), ['one', 'two'][grant.task] as string),
    });
    const collection = createCollection(node.components, { onCollected: () => undefined });
    await collection.start();
    const job = await node.submit(framesJob('1-2'));
    await node.until(job.id, 'done');
    collection.changed(job.id, [1]);
    await collection.settled();
    assert.deepEqual(await readdir(join(disk.base, 'job')), ['f_2.png']);
    collection.removed(job.id);
    assert.equal(collection.state(job.id), undefined);
    await collection.stop();
    assert.deepEqual(await node.store.listLocal('collected/'), []);
    await node.stop();
  });

  it('says nothing of what it collected before it knows all of it, and loses nothing that comes meanwhile', async () => {
    for (const text of ['one', 'two', 'three']) await disk.put(text);
    const texts = ['one', 'two', 'three'];
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => disk.result(nameOf(grant), texts[grant.task] as string),
    });
    const first = await node.submit({ ...framesJob('1-3'), outputFolder: join(disk.base, 'first') });
    await node.until(first.id, 'done');
    const before = createCollection(node.components, { onCollected: () => undefined });
    await before.start();
    await before.settled();
    await before.stop();
    const gate = Promise.withResolvers<void>();
    let fails = true;
    const slow: typeof node.components.store = {
      ...node.components.store,
      getLocal: (key) => node.store.getLocal(key),
      setLocal: (entries) => node.store.setLocal(entries),
      listLocal: (prefix) => node.store.listLocal(prefix),
      eachLocalText: async (prefix, each) => {
        await node.store.eachLocalText(prefix, each);
        if (fails) throw new Error('the disk reported an error');
        await gate.promise;
      },
    };
    const told: string[] = [];
    const after = createCollection(
      { ...node.components, store: slow },
      { onCollected: (job) => told.push(job) },
    );
    await after.start();
    assert.equal(after.state(first.id), undefined, 'some notes are read, and it could not be told which');
    const second = await node.submit({ ...framesJob('1-2'), outputFolder: join(disk.base, 'second') });
    await node.until(second.id, 'done');
    after.changed(second.id, [0, 1]);
    fails = false;
    gate.resolve();
    await untilTold(after, first.id, node.clock);
    await after.settled();
    assert.deepEqual(after.state(first.id), { collected: 3, keptForeign: 0 });
    assert.ok(told.includes(first.id), 'who watches is told');
    assert.deepEqual((await readdir(join(disk.base, 'second'))).sort(), ['f_1.png', 'f_2.png']);
    await after.stop();
    await node.stop();
  });
});

/** Lets time pass until the notes were read, after a failure. */
async function untilTold(collection: Collection, job: string, clock: ManualClock): Promise<void> {
  while (collection.state(job) === undefined) {
    await nextTurn();
    clock.advance(10_000);
  }
}
