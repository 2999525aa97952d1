import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { countingResult, type BlobHash, type KnownRecord } from '@cuadro/protocol';
import { systemGround } from '../../../node/src/blobs/ground.ts';
import { type HashThread, spawnHashThread } from '../../../node/src/blobs/hasher.ts';
import type { BlobCheck, BlobStore, CheckOptions } from '../../../node/src/blobs/interface.ts';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import { createCopyWatch, type CopyWatchComponents } from '../../../node/src/jobs/copy-watch.ts';
import { createMemoryStore, emptyDisk } from '../../../node/src/store/memory-store.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';
import { flipBit, storedAt } from '../../e2e/support/damage.ts';
import { contentOf, newStore, temporaryFolder } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';
import { JOB, madeResult, startKeeper, submittedJob } from '../replicas/keepers.ts';
import { reaches, silent, TestFarm } from '../transfer/machines.ts';

const MEBIBYTE = 2 ** 20;
const HOUR_MS = 3_600_000;
const LIMIT_MS = 60_000;

describe('R136: the slow check of all that is stored', () => {
  /** Blobs in memory, and what a check has read of them. */
  async function manyBlobs(count: number) {
    const digest = async (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    const blobs = createMemoryBlobStore({ digest });
    await blobs.start();
    const hashes: BlobHash[] = [];
    for (let i = 0; i < count; i++) hashes.push((await blobs.putBytes(Buffer.from(`${i}`))).hash);
    const read: BlobHash[] = [];
    const watched: Pick<BlobStore, 'check' | 'subscribe'> = {
      subscribe: (listener) => blobs.subscribe(listener),
      check: async function* (options: CheckOptions = {}): AsyncGenerator<BlobCheck> {
        for await (const checked of blobs.check(options)) {
          read.push(checked.hash);
          yield checked;
        }
      },
    };
    return { blobs: watched, hashes: hashes.sort(), read };
  }

  it('goes on where it was, however often the machine is started, and then begins anew', async () => {
    const { blobs, hashes, read } = await manyBlobs(1_000);
    const disk = emptyDisk();
    /** An evening of this many minutes, and what was read in it. */
    const evening = async (minutes: number): Promise<BlobHash[]> => {
      const clock = new ManualClock();
      const store = createMemoryStore(disk);
      await store.start();
      const watch = createCopyWatch({
        blobs,
        store,
        clock,
        driver: { queries: { jobIds: () => [], nodes: () => [] } },
        logger: silent,
      } as unknown as CopyWatchComponents);
      read.length = 0;
      await watch.start();
      for (let second = 0; second < minutes * 60; second++) await clock.advanceSettled(1_000);
      await watch.stop();
      await store.stop();
      return [...read];
    };
    const all = new Set<BlobHash>();
    let evenings = 0;
    let before = '';
    for (; all.size < hashes.length; evenings++) {
      assert.ok(evenings < 10, `${all.size} files of ${hashes.length} in ${evenings} evenings`);
      const seen = await evening(1.5);
      assert.ok((seen[0] ?? '') > before, 'none that was read a minute before the end is read again');
      for (const hash of seen) all.add(hash);
      // Four in a second, and noted after a minute.
      before = seen[200] ?? before;
    }
    assert.ok(evenings >= 3, `${evenings} evenings`);
    assert.equal((await evening(1.5))[0], hashes[0], 'that was the end: from the begin');
  });

  for (const [state, spoil] of [
    ['', async () => undefined],
    [', also one whose list of pieces is damaged', (list: string) => writeFile(list, 'garbled')],
    [', also one whose list of pieces is gone', (list: string) => rm(list, { force: true })],
  ] as const) {
    it(`gives way within a large file as soon as something renders, and goes on there${state}`, async (test) => {
      const folder = temporaryFolder();
      test.after(folder.remove);
      let piecesRead = 0;
      let passes = 0;
      const spawn = (): HashThread => {
        const thread = spawnHashThread();
        return disguised(thread, {
          postMessage: (job) => {
            if (job.kind === 'read-piece') piecesRead += 1;
            if (job.kind === 'stretch') piecesRead += (job.end - job.start) / MEBIBYTE;
            if (job.kind === 'digest') passes += 1;
            thread.postMessage(job);
          },
        });
      };
      const blobs = createFileBlobStore(
        { clock: createSystemClock(), random: createSystemRandom(), ground: { ...systemGround, spawn } },
        { folder: folder.path, options: { reserveBytes: 0 } },
      );
      await blobs.start();
      const { hash } = await blobs.putBytes(contentOf(1, 41 * MEBIBYTE));
      const list = `${storedAt(folder.path, hash)}.pieces`;
      const listBefore = await readFile(list);
      await rm(list, { force: true });
      await writeFile(list, listBefore);
      await spoil(list);
      passes = 0;
      const clock = new ManualClock();
      const store = createMemoryStore(emptyDisk());
      await store.start();
      let running: string[] = [];
      const queries = { jobIds: () => [], nodes: () => [{ here: true, live: { running } }] };
      const rest = { driver: { queries }, logger: silent };
      const watch = createCopyWatch({ blobs, store, clock, ...rest } as unknown as CopyWatchComponents);
      /** Until so many pieces were read, and it rests. */
      const reads = async (pieces: number): Promise<void> => {
        const end = performance.now() + LIMIT_MS;
        while ((piecesRead < pieces || clock.pendingTimers === 0) && performance.now() < end)
          await nextTurn();
        assert.deepEqual([piecesRead, passes], [pieces, 0]);
      };
      await watch.start();
      await reads(16);
      running = ['a frame'];
      await clock.advanceSettled(HOUR_MS);
      await reads(16);
      running = [];
      await clock.advanceSettled(10_000);
      await reads(32);
      await clock.advanceSettled(250);
      await reads(41);
      assert.deepEqual(await readFile(list), listBefore);
      await watch.stop();
      await blobs.stop();
      await store.stop();
    });
  }

  it('finds damage at the end of a large file, and tells nothing of one that went while it rested', async (test) => {
    const folder = temporaryFolder();
    test.after(folder.remove);
    const blobs = newStore(folder.path);
    await blobs.start();
    const content = contentOf(1, 41 * MEBIBYTE);
    const { hash } = await blobs.putBytes(content);
    const checked = async (rest: () => Promise<void>): Promise<BlobCheck[]> => {
      const seen: BlobCheck[] = [];
      for await (const one of blobs.check({ rest })) seen.push(one);
      return seen;
    };
    let rests = 0;
    const count = async (): Promise<void> => void (rests += 1);
    assert.deepEqual(await checked(count), [{ hash, state: 'ok' }]);
    assert.equal(rests, 2);
    await flipBit(storedAt(folder.path, hash), 41 * MEBIBYTE - 1);
    assert.deepEqual(await checked(count), [{ hash, state: 'corrupt' }]);
    await blobs.putBytes(content);
    await flipBit(storedAt(folder.path, hash), 41 * MEBIBYTE - 1);
    await rm(`${storedAt(folder.path, hash)}.pieces`, { force: true });
    assert.deepEqual(await checked(count), [{ hash, state: 'corrupt' }], 'by its own hash alone');
    for (const hasList of [true, false]) {
      await blobs.putBytes(content);
      if (!hasList) await rm(`${storedAt(folder.path, hash)}.pieces`, { force: true });
      assert.deepEqual(await checked(() => rm(storedAt(folder.path, hash), { force: true })), []);
    }
    await blobs.stop();
  });

  it('begins anew where the note is damaged, or is no hash', async () => {
    for (const text of ['garbled', JSON.stringify('/etc/passwd')]) {
      const { blobs, hashes, read } = await manyBlobs(3);
      const disk = emptyDisk();
      disk.local.set('check/last', text);
      const clock = new ManualClock();
      const store = createMemoryStore(disk);
      await store.start();
      const queries = { jobIds: () => [], nodes: () => [] };
      const rest = { driver: { queries }, logger: silent };
      const watch = createCopyWatch({ blobs, store, clock, ...rest } as unknown as CopyWatchComponents);
      await watch.start();
      for (let second = 0; second < 5; second++) await clock.advanceSettled(1_000);
      await watch.stop();
      assert.deepEqual(read, hashes);
    }
  });

  it('finds a flipped bit that nobody asked for: says it, serves it no more, and has it again from another', async (test) => {
    const farm = new TestFarm(test, ['sound', 'sick']);
    const sound = await startKeeper(farm, 'sound', { members: ['sound', 'sick'] });
    const sick = await startKeeper(farm, 'sick', { members: ['sound', 'sick'] });
    await reaches(sound, sick);
    const job = await submittedJob(sound);
    await sound.records.merge([job]);
    await sick.records.until(() => sick.records.jobRecord(JOB)?.holders.plan[sick.peer] !== undefined);
    const contents = [contentOf(1, 70_000), contentOf(2, 3_000_000)];
    await sound.records.merge([await madeResult(sound, 0, contents)]);
    const holders = () => {
      const task = sick.records.taskRecord(JOB, 0);
      return (task && countingResult(task))?.holders;
    };
    await sick.records.until(() => holders()?.[sick.peer]?.held === true);
    const [small = '', large = ''] = contents.map((bytes) =>
      createHash('sha256').update(bytes).digest('hex'),
    );

    for (const [hash, at] of [
      [small, 69_999],
      [large, 1_500_000],
    ] as const) {
      await flipBit(storedAt(farm.folderOf('sick'), hash), at);
      const before = holders()?.[sick.peer]?.counter ?? 0;
      const said: string[] = [];
      let served: unknown;
      const store = createMemoryStore(emptyDisk());
      await store.start();
      const watch = createCopyWatch({
        blobs: sick.blobs,
        clock: createSystemClock(),
        store,
        logger: {
          ...silent,
          warn: (text: string, fields?: object) => void said.push(`${text} ${JSON.stringify(fields)}`),
        },
        signer: { peer: sick.peer },
        driver: {
          queries: {
            jobIds: sick.records.jobIds,
            jobRecord: sick.records.jobRecord,
            taskRecord: sick.records.taskRecord,
            tasksWithResult: () => [0],
            tasksWithFailure: () => [],
            nodes: () => [],
          },
          // What it takes back is heard by the other, who then asks it to hold the same again.
          merge: async (records: KnownRecord[]) => {
            served = await sick.blobs.has(hash);
            await sick.records.merge(records);
            await sound.records.merge(records);
          },
        },
      } as unknown as CopyWatchComponents);
      await watch.start();
      await sick.records.until(() => (holders()?.[sick.peer]?.counter ?? 0) >= before + 2);
      await watch.stop();
      assert.deepEqual(
        said.map((text) => (text.includes(`"hash":"${hash}"`) ? text.replace(/ \{.*/, '') : 'of another')),
        [
          'A stored file is damaged: it was put aside, and is served no more.',
          'Stored files are damaged or gone; this machine no longer counts as holding them.',
        ],
      );
      assert.equal(served, undefined, 'not here until it came again');
      assert.equal(holders()?.[sick.peer]?.held, true);
      const bytes = await sick.blobs.read(hash);
      assert.equal(createHash('sha256').update(bytes).digest('hex'), hash);
    }
    assert.equal(readdirSync(join(farm.folderOf('sick'), 'quarantine')).length, 2);
  });
});
