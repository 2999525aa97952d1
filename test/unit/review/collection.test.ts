import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { BlobHash, Grant, OutputFile } from '@cuadro/protocol';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import { blobLayout } from '../../../node/src/blobs/layout.ts';
import type { AttemptOutcome } from '../../../node/src/core/interface.ts';
import { createCollection, fetchJob } from '../../../node/src/jobs/collection.ts';
import { requeue } from '../../../node/src/jobs/control.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { nodeOfOne } from '../jobs/node-of-one.ts';

describe('collecting', () => {
  let base: string;
  let blobs: BlobStore;
  const contents = new Map<string, BlobHash>();
  const put = async (text: string): Promise<void> => {
    contents.set(text, (await blobs.putBytes(Buffer.from(text), { pin: 'test' })).hash);
  };
  /** A result with one file of this content. */
  const result = (name: string, text: string): AttemptOutcome => {
    const file: OutputFile = {
      name,
      blob: contents.get(text) as string,
      sizeBytes: text.length,
      role: 'file',
    };
    return { kind: 'result', files: [file], renderMs: 1, wallTime: 1 };
  };
  const nameOf = ({ task }: Grant): string => `f_${task + 1}.png`;
  const damage = async (text: string): Promise<void> => {
    const path = blobLayout(join(base, 'data')).pathOf(contents.get(text) as string);
    await chmod(path, 0o644);
    await writeFile(path, 'X'.repeat(text.length));
  };

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'cuadro-review-'));
    blobs = createFileBlobStore(
      { clock: createSystemClock(), random: createSystemRandom() },
      { folder: join(base, 'data'), options: { reserveBytes: 0 } },
    );
    await blobs.start();
    contents.clear();
  });
  afterEach(async () => {
    await blobs.stop();
    await rm(base, { recursive: true });
  });

  it('goes on with the other frames where one is damaged', async () => {
    for (const text of ['one', 'two', 'three', 'four']) await put(text);
    const node = await nodeOfOne({
      blobs,
      outputBase: base,
      work: (grant) => result(nameOf(grant), ['one', 'two', 'three', 'four'][grant.task] as string),
    });
    const collection = createCollection(node.components, { onCollected: () => undefined });
    await collection.start();
    const job = await node.submit({ type: 'echo-sleep', name: 'job', settings: { frames: '1-4' } });
    await node.until(job.id, 'done');
    await damage('two');
    collection.changed(job.id);
    await collection.settled();
    assert.deepEqual((await readdir(join(base, 'job'))).sort(), ['f_1.png', 'f_3.png', 'f_4.png']);
    await collection.stop();
    await node.driver.stop();
  });

  it('tells of a done frame whose only copy is damaged, or makes it again (promise 5)', async () => {
    for (const text of ['one', 'two']) await put(text);
    const node = await nodeOfOne({
      blobs,
      outputBase: base,
      work: (grant) => result(nameOf(grant), ['one', 'two'][grant.task] as string),
    });
    const job = await node.submit({ type: 'echo-sleep', name: 'job', settings: { frames: '1-2' } });
    await node.until(job.id, 'done');
    await damage('two');
    await assert.rejects(blobs.read(contents.get('two') as string), { code: 'blob-corrupt' });
    await node.driver.flushed();
    const task = node.core.task(job.id, 1);
    assert.ok(
      task?.state === 'open' || task?.copies === 0,
      `${task?.state}, ${task?.copies} copy: ${task?.why}`,
    );
    await node.driver.stop();
  });

  it('fetches the other frames where one is damaged, and names it', async () => {
    for (const text of ['one', 'two', 'three']) await put(text);
    const node = await nodeOfOne({
      blobs,
      outputBase: base,
      work: (grant) => result(nameOf(grant), ['one', 'two', 'three'][grant.task] as string),
    });
    const job = await node.submit({ type: 'echo-sleep', name: 'job', settings: { frames: '1-3' } });
    await node.until(job.id, 'done');
    await damage('two');
    const to = join(base, 'fetched');
    const signal = new AbortController().signal;
    const fetched = await fetchJob(node.components, job.id, to, { overwrite: false, signal }).catch(
      () => undefined,
    );
    assert.deepEqual((await readdir(to)).sort(), ['f_1.png', 'f_3.png']);
    assert.deepEqual(fetched?.missing, ['f_2.png']);
    await node.driver.stop();
  });

  it('takes no file of its own for a foreign one: two frames that write one name', async () => {
    for (const text of ['one', 'two']) await put(text);
    const node = await nodeOfOne({
      blobs,
      outputBase: base,
      // As a command that writes `out.txt` for each frame gives it.
      work: (grant) => result('out.txt', ['one', 'two'][grant.task] as string),
    });
    const collection = createCollection(node.components, { onCollected: () => undefined });
    await collection.start();
    const job = await node.submit({
      type: 'echo-sleep',
      name: 'job',
      settings: { frames: '1-2' },
      overwrite: true,
    });
    await node.until(job.id, 'done');
    collection.changed(job.id);
    await collection.settled();
    const names = await readdir(join(base, 'job'));
    const found = await Promise.all(names.map((name) => readFile(join(base, 'job', name), 'utf8')));
    const { collected } = collection.state(job.id) ?? {};
    assert.equal(
      found.length,
      collected,
      `${collected} files are said to be collected; there are: ${found.join()}`,
    );
    await collection.stop();
    await node.driver.stop();
  });

  it('replaces a file of its own by a redo also after a crash or a failure in between', async () => {
    for (const text of ['old one', 'new one', 'two']) await put(text);
    let redone = false;
    const node = await nodeOfOne({
      blobs,
      outputBase: base,
      work: (grant) => result(nameOf(grant), grant.task === 1 ? 'two' : redone ? 'new one' : 'old one'),
    });
    const job = await node.submit({ type: 'echo-sleep', name: 'job', settings: { frames: '1-2' } });
    await node.until(job.id, 'done');
    // The second frame can't be written for a while, so nothing is noted of the first.
    await damage('two');
    const before = createCollection(node.components, { onCollected: () => undefined });
    await before.start();
    before.changed(job.id);
    await before.settled();
    await before.stop();
    assert.equal(await readFile(join(base, 'job', 'f_1.png'), 'utf8'), 'old one');
    // The node ends; before the folder is looked at again the first frame is redone.
    redone = true;
    await requeue(node.components, job.id, ['1']);
    await node.until(job.id, 'done');
    await put('two');
    const after = createCollection(node.components, { onCollected: () => undefined });
    await after.start();
    after.changed(job.id);
    await after.settled();
    assert.equal(await readFile(join(base, 'job', 'f_1.png'), 'utf8'), 'new one');
    await after.stop();
    await node.driver.stop();
  });
});
