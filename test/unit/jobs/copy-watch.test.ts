import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { encode, signJobSpec, type JobRecord } from '@cuadro/protocol';
import type { BlobEvent, BlobStore } from '../../../node/src/blobs/interface.ts';
import { createMemoryBlobStore, emptyBlobDisk } from '../../../node/src/blobs/memory.ts';
import { blobLayout } from '../../../node/src/blobs/layout.ts';
import { createCopyWatch, type CopyWatchComponents } from '../../../node/src/jobs/copy-watch.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { DiskBlobs, framesJob, nameOf } from './disk-blobs.ts';
import { nodeOfOne } from './node-of-one.ts';

const LIMIT_MS = 60_000;

describe('the copies that this machine says it holds (SPEC R24)', () => {
  let disk: DiskBlobs;
  beforeEach(async () => {
    disk = await DiskBlobs.make();
  });
  afterEach(() => disk.remove());

  /** A job of two done frames, pinned as their attempts pin them; further attempts never end. */
  async function twoDone() {
    const texts = ['one', 'two'];
    for (const text of texts) await disk.put(text);
    const made = new Set<number>();
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => {
        if (made.has(grant.task)) return undefined;
        made.add(grant.task);
        return disk.result(nameOf(grant), texts[grant.task] as string);
      },
    });
    const job = await node.submit(framesJob('1-2'));
    await node.until(job.id, 'done');
    for (const text of texts) await disk.put(text, job.id);
    return { node, job: job.id };
  }

  it('renders a frame again whose only copy is damaged, and says so (promise 5, R38)', async () => {
    const { node, job } = await twoDone();
    await disk.damage('two');
    await assert.rejects(disk.blobs.read(disk.hashOf('two')), { code: 'blob-corrupt' });
    await node.driver.flushed();
    const task = node.core.task(job, 1);
    assert.equal(task?.state, 'open');
    assert.equal(task?.copies, 0);
    assert.match(task?.why ?? '', /every copy is damaged or gone, so it is rendered again/);
    assert.equal(task?.live.running, true);
    assert.equal(node.core.task(job, 0)?.state, 'rendered', 'the other frame stands');
    await node.stop();
  });

  it('R137: holds no frame whose preview is damaged, and still one whose thumbnail is', async () => {
    for (const text of ['a frame', 'its preview', 'its thumbnail']) await disk.put(text);
    let isMaking = true;
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: (grant) => {
        if (!isMaking) return undefined;
        const made = disk.result(nameOf(grant), 'a frame');
        if (made.kind !== 'result') return made;
        const preview = disk.hashOf('its preview');
        return {
          ...made,
          files: made.files.map((file) => ({ ...file, preview })),
          thumbnail: disk.hashOf('its thumbnail'),
        };
      },
    });
    const { id } = await node.submit(framesJob('1'));
    await node.until(id, 'done');
    isMaking = false;
    for (const text of ['a frame', 'its preview', 'its thumbnail']) await disk.put(text, id);
    const damaged = async (text: string): Promise<void> => {
      await disk.damage(text);
      await assert.rejects(disk.blobs.read(disk.hashOf(text)), { code: 'blob-corrupt' });
      await node.driver.flushed();
    };
    await damaged('its thumbnail');
    assert.equal(node.core.task(id, 0)?.state, 'rendered');
    await damaged('its preview');
    await turnsUntil(() => node.core.task(id, 0)?.state === 'open');
    assert.equal(node.core.task(id, 0)?.state, 'open');
    await node.stop();
  });

  it('R132: pins the log of a failed attempt at start, and no longer counts as holding it where it is damaged', async () => {
    const log = await disk.put('a log');
    const node = await nodeOfOne({
      blobs: disk.blobs,
      outputBase: disk.base,
      work: () => ({
        ...{ kind: 'failure', cause: 'failed', code: 'broken', message: 'It broke.', lines: [], wallTime: 1 },
        log,
      }),
    });
    const { id } = await node.submit(framesJob('1'));
    const entry = () => {
      const [failure] = Object.values(node.core.taskRecord(id, 0)?.failures ?? {});
      return failure?.holders?.[node.signer.peer];
    };
    await turnsUntil(() => entry() !== undefined);
    assert.deepEqual(entry(), { held: true, counter: 1 });
    assert.equal(disk.blobs.pins(log).includes(id), false);
    const watch = createCopyWatch(node.components);
    await watch.start();
    await turnsUntil(() => disk.blobs.pins(log).includes(id));
    await disk.damage('a log');
    await assert.rejects(disk.blobs.read(log), { code: 'blob-corrupt' });
    await turnsUntil(() => entry()?.held === false);
    assert.deepEqual(entry(), { held: false, counter: 2 });
    await watch.stop();
    await node.stop();
  });

  it('finds a file that went while the node was off, at the next start', async () => {
    const { node, job } = await twoDone();
    await node.stop();
    await disk.blobs.stop();
    await rm(blobLayout(join(disk.base, 'data')).pathOf(disk.hashOf('one')));
    await disk.blobs.start();
    const again = await nodeOfOne({
      disk: node.disk,
      signer: node.signer,
      blobs: disk.blobs,
      outputBase: disk.base,
      work: () => undefined,
    });
    await turnsUntil(() => again.core.task(job, 0)?.state === 'open');
    assert.equal(again.core.task(job, 0)?.state, 'open');
    assert.equal(again.core.task(job, 1)?.state, 'rendered');
    await again.stop();
  });

  it('R171: pins at start what the records promise of it and the list of pins has lost', async () => {
    const { node, job } = await twoDone();
    await node.stop();
    const before = [...disk.blobs.pinnedBy(job)].sort();
    await disk.blobs.stop();
    await rm(blobLayout(join(disk.base, 'data')).pins);
    await disk.blobs.start();
    assert.deepEqual(disk.blobs.pinnedBy(job), []);
    const again = await nodeOfOne({ disk: node.disk, signer: node.signer, blobs: disk.blobs });
    await turnsUntil(() => disk.blobs.pinnedBy(job).length === before.length);
    assert.deepEqual([...disk.blobs.pinnedBy(job)].sort(), before);
    await again.stop();
  });

  it('R171: no longer counts as holding a scene of which one file is damaged', async () => {
    const { node, job } = await twoDone();
    const scene = await disk.put('a texture', job);
    const files = [{ path: 'a.png', blob: scene, sizeBytes: 9 }];
    const bytes = encode({ version: 1, main: 'a.png', remap: [], files });
    const { hash: bundle } = await disk.blobs.putBytes(bytes, { pin: job });
    const { spec, ...rest } = node.core.jobRecord(job) as JobRecord;
    const { signature: _, author: __, ...unsigned } = spec;
    const id = 'abcdefghijklmnop';
    await disk.blobs.pin(scene, id);
    const held = { [node.signer.peer]: { held: true, counter: 1 } };
    await node.driver.merge([
      {
        ...rest,
        id,
        spec: signJobSpec(node.signer, { ...unsigned, id, bundle }),
        holders: { ...rest.holders, bundle: held },
      },
    ]);
    await disk.damage('a texture');
    await assert.rejects(disk.blobs.read(scene), { code: 'blob-corrupt' });
    const entry = () => node.core.jobRecord(id)?.holders.bundle[node.signer.peer];
    await turnsUntil(() => entry()?.held === false);
    assert.deepEqual(entry(), { held: false, counter: 2 });
    assert.equal(node.core.jobRecord(id)?.holders.plan[node.signer.peer]?.held, true, 'the plan is whole');
    await node.stop();
  });

  /** As many done frames as given, each with a file of its own, and then none of their files. */
  async function allGone(frames: number) {
    const disk = emptyBlobDisk();
    // Thousands of trips to the thread pool, one after the other, take minutes where others want all cores.
    const digest = (bytes: Uint8Array) => Promise.resolve(createHash('sha256').update(bytes).digest('hex'));
    const blobs = createMemoryBlobStore({ disk, digest });
    const hashes: string[] = [];
    await blobs.start();
    for (let i = 0; i < frames; i++) hashes.push((await blobs.putBytes(Buffer.from(`frame ${i}`))).hash);
    let isMaking = true;
    const node = await nodeOfOne({
      blobs,
      outputBase: '/nowhere',
      work: (grant) => {
        if (!isMaking) return undefined;
        const blob = hashes[grant.task] as string;
        const files = [{ name: nameOf(grant), blob, sizeBytes: 1, role: 'file' as const }];
        return { kind: 'result', files, renderMs: 1, wallTime: 1 };
      },
    });
    const { id } = await node.submit(framesJob(`1-${frames}`));
    await node.until(id, 'done');
    isMaking = false;
    for (const hash of hashes) {
      await blobs.pin(hash, id);
      disk.contents.delete(hash);
    }
    return { node, id };
  }

  /** What a watch of its own asks the driver for, and says to it, until every file is told as gone. */
  async function toldOf({ node, id }: Awaited<ReturnType<typeof allGone>>) {
    const { queries } = node.driver;
    const told = { records: 0, lists: 0, merges: [] as number[] };
    const watch = createCopyWatch({
      ...node.components,
      driver: {
        ...node.driver,
        merge: (records) => {
          told.merges.push(records.length);
          return node.driver.merge(records);
        },
        queries: {
          ...queries,
          jobIds: () => queries.jobIds(),
          jobRecord: (job) => queries.jobRecord(job),
          nodes: () => queries.nodes(),
          taskRecord: (job, index) => {
            told.records++;
            return queries.taskRecord(job, index);
          },
          tasksWithResult: (job) => {
            told.lists++;
            return queries.tasksWithResult(job);
          },
          tasksWithFailure: (job) => queries.tasksWithFailure(job),
        },
      },
    });
    await watch.start();
    await turnsUntil(() => node.core.job(id)?.counts.rendered === 0);
    await watch.stop();
    return told;
  }

  it('leaves alone what is here again before its results were sought', async () => {
    const { node, job } = await twoDone();
    const told: ((event: BlobEvent) => void)[] = [];
    const blobs = Object.create(disk.blobs, {
      subscribe: {
        value: (listener: (event: BlobEvent) => void) => {
          told.push(listener);
          return () => undefined;
        },
      },
      check: { value: async function* () {} },
      pins: { value: () => [job] },
    }) as BlobStore;
    const watch = createCopyWatch({ ...node.components, blobs });
    await watch.start();
    const [one, two] = [disk.hashOf('one'), disk.hashOf('two')];
    for (const hash of [one, two]) told[0]?.({ type: 'blob-missing', hash, pinnedBy: [job] });
    told[0]?.({ type: 'blob-stored', hash: one, sizeBytes: 3 });
    await turnsUntil(() => node.core.task(job, 1)?.state === 'open');
    assert.equal(node.core.task(job, 1)?.state, 'open');
    assert.equal(node.core.task(job, 0)?.state, 'rendered');
    await watch.stop();
    await node.stop();
  });

  it('asks for each result a few times, however many files are gone, and says it in pieces', async () => {
    const few = await allGone(1_500);
    const toldOfFew = await toldOf(few);
    assert.equal(few.node.core.job(few.id)?.counts.rendered, 0);
    assert.ok(toldOfFew.records <= 5 * 1_500, `${toldOfFew.records} records for 1,500 files`);
    assert.ok(Math.max(...toldOfFew.merges) <= 1_000);
    await few.node.stop();
    const many = await allGone(3_000);
    const toldOfMany = await toldOf(many);
    assert.ok(toldOfMany.records <= 3 * toldOfFew.records, 'twice the files, twice the work');
    assert.ok(toldOfMany.lists <= toldOfFew.lists + 1);
    await many.node.stop();
  });
});

describe('the slow check of all that is stored', () => {
  it('reads one file after another, none while this machine renders, and all again a day after', async () => {
    const clock = new ManualClock();
    let read = 0;
    let running: string[] = [];
    const watch = createCopyWatch({
      blobs: {
        subscribe: () => () => undefined,
        check: async function* () {
          for (let i = 0; i < 4; i++) {
            read += 1;
            yield { hash: String(i).repeat(64), state: 'ok' };
          }
        },
      },
      driver: { queries: { jobIds: () => [], nodes: () => [{ here: true, live: { running } }] } },
      store: { getLocal: async () => undefined, setLocal: async () => undefined },
      clock,
    } as unknown as CopyWatchComponents);
    await watch.start();
    await clock.advanceSettled(0);
    assert.equal(read, 1);
    await clock.advanceSettled(250);
    assert.equal(read, 2, 'four in a second');
    running = ['an attempt'];
    await clock.advanceSettled(600_000);
    assert.equal(read, 2, 'nothing meanwhile');
    running = [];
    await clock.advanceSettled(10_000);
    await clock.advanceSettled(250);
    assert.equal(read, 4);
    await clock.advanceSettled(86_000_000);
    assert.equal(read, 4);
    await clock.advanceSettled(500_000);
    assert.ok(read > 4, 'the next day');
    await watch.stop();
  });
});

/** Threads list the folders and read the files, in whatever time they get: a number of turns says nothing. */
async function turnsUntil(isSo: () => boolean): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  while (performance.now() < end && !isSo()) await new Promise((resolve) => setImmediate(resolve));
}
