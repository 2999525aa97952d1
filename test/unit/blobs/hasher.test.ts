import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type HashJob, Hasher, type HashThread, spawnHashThread } from '../../../node/src/blobs/hasher.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { disguised } from '../disguised.ts';
import { contentOf, temporaryFolder } from './helpers.ts';

const { signal } = new AbortController();

describe('hash threads', () => {
  const withHasher = async (
    use: (hasher: Hasher, clock: ManualClock, file: string, hash: string) => Promise<void>,
    spawn = spawnHashThread,
  ): Promise<void> => {
    const folder = temporaryFolder();
    const clock = new ManualClock();
    const hasher = new Hasher({ clock, spawn }, { threadsMax: 2, idleMs: 2_000 });
    const content = contentOf(1, 100_000);
    const file = join(folder.path, 'file');
    writeFileSync(file, content);
    try {
      await hasher.start();
      await use(hasher, clock, file, createHash('sha256').update(content).digest('hex'));
    } finally {
      await hasher.stop();
      await folder.remove();
    }
  };

  it('end when they were idle for a while, and start again when needed', () =>
    withHasher(async (hasher, clock, file, hash) => {
      assert.equal(hasher.threadCount, 0);
      for (let round = 0; round < 2; round++) {
        assert.equal((await hasher.digest(file, { signal })).hash, hash);
        clock.advance(1_999);
        assert.equal(hasher.threadCount, 1);
        clock.advance(1);
        assert.equal(hasher.threadCount, 0);
      }
    }));

  it('stay while jobs follow each other, and through a long one', () =>
    withHasher(async (hasher, clock, file, hash) => {
      for (let round = 0; round < 3; round++) {
        await hasher.digest(file, { signal });
        clock.advance(1_500);
      }
      const long = hasher.digest(file, { signal });
      clock.advance(60_000);
      assert.equal(hasher.threadCount, 1);
      assert.equal((await long).hash, hash);
    }));

  it('read and write a piece only where it is the one that is expected', () =>
    withHasher(async (hasher, _clock, file) => {
      const content = readFileSync(file);
      const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
      const piece = content.subarray(10_000, 30_000);
      const bytes = new Uint8Array(new SharedArrayBuffer(piece.length));
      const job = { file, offset: 10_000, bytes, expected: hashOf(piece) };
      assert.equal(await hasher.readPiece(job), true);
      assert.deepEqual(Buffer.from(bytes), piece);
      assert.equal(await hasher.readPiece({ ...job, offset: 10_001 }), false, 'another piece');
      assert.equal(await hasher.readPiece({ ...job, offset: 90_000 }), false, 'the file ends within');
      await assert.rejects(hasher.readPiece({ ...job, file: `${file}-away` }), { code: 'ENOENT' });

      const handle = await open(file, 'r+');
      try {
        const other = new Uint8Array(new SharedArrayBuffer(piece.length)).fill(7);
        const writing = { file: handle.fd, offset: 50_000, bytes: other };
        assert.equal(await hasher.writePiece({ ...writing, expected: hashOf(piece) }), false);
        assert.deepEqual(readFileSync(file), content, 'nothing was written');
        assert.equal(await hasher.writePiece({ ...writing, expected: hashOf(other) }), true);
      } finally {
        await handle.close();
      }
      assert.deepEqual(readFileSync(file).subarray(50_000, 70_000), Buffer.alloc(20_000, 7));
    }));

  describe('in stretches', () => {
    const noRest = async (): Promise<void> => undefined;

    it('hash a file as in one pass, whatever the length of a stretch', () =>
      withHasher(async (hasher, _clock, file) => {
        const whole = await hasher.digest(file, { signal });
        for (const stretchBytes of [100_001, 100_000, 99_999, 50_000, 7_000]) {
          let rests = 0;
          const rest = async (): Promise<void> => void (rests += 1);
          const how = { stretchBytes, rest, signal };
          assert.deepEqual(await hasher.digestInStretches({ source: file, sizeBytes: 100_000 }, how), whole);
          assert.equal(rests, Math.ceil(100_000 / stretchBytes) - 1);
        }
        const empty = `${file}-empty`;
        writeFileSync(empty, '');
        const how = { stretchBytes: 10, rest: noRest, signal };
        const found = await hasher.digestInStretches({ source: empty, sizeBytes: 0 }, how);
        assert.deepEqual(found, await hasher.digest(empty, { signal }));
      }));

    it('keep their thread through a long rest, in which it does other work, and no longer', () =>
      withHasher(async (hasher, clock, file, hash) => {
        const rest = async (): Promise<void> => {
          clock.advance(60_000);
          assert.equal((await hasher.digest(file, { signal })).hash, hash);
          clock.advance(60_000);
          assert.equal(hasher.threadCount, 1);
        };
        const how = { stretchBytes: 40_000, rest, signal };
        const found = await hasher.digestInStretches({ source: file, sizeBytes: 100_000 }, how);
        assert.equal(found.hash, hash);
        clock.advance(2_000);
        assert.equal(hasher.threadCount, 0);
      }));

    it('end with an abort, or with a file that is another one by then, and leave nothing in the thread', async () => {
      const kinds: string[] = [];
      const spawn = (): HashThread => {
        const thread = spawnHashThread();
        const postMessage = (job: HashJob): void => {
          kinds.push(job.kind);
          thread.postMessage(job);
        };
        return disguised(thread, { postMessage });
      };
      await withHasher(async (hasher, clock, file) => {
        const source = { source: file, sizeBytes: 100_000 };
        const stop = new AbortController();
        const give = async (): Promise<void> => stop.abort(new Error('enough'));
        const aborted = hasher.digestInStretches(source, {
          stretchBytes: 10,
          rest: give,
          signal: stop.signal,
        });
        await assert.rejects(aborted, /enough/);
        assert.deepEqual(kinds.splice(0), ['stretch', 'forget']);
        const grow = async (): Promise<void> => writeFileSync(file, 'more', { flag: 'a' });
        const grown = hasher.digestInStretches(source, { stretchBytes: 60_000, rest: grow, signal });
        await assert.rejects(grown, { code: 'ECHANGED' });
        const remove = async (): Promise<void> => rmSync(file);
        const gone = { source: file, sizeBytes: 100_004 };
        const removed = hasher.digestInStretches(gone, { stretchBytes: 60_000, rest: remove, signal });
        await assert.rejects(removed, { code: 'ENOENT' });
        clock.advance(2_000);
        assert.equal(hasher.threadCount, 0);
      }, spawn);
    });

    it('end with their threads', () =>
      withHasher(async (hasher, _clock, file) => {
        const stretchBytes = 60_000;
        const how = { stretchBytes, rest: () => hasher.stop(), signal };
        const stopped = hasher.digestInStretches({ source: file, sizeBytes: 100_000 }, how);
        await assert.rejects(stopped, { code: 'store-stopped' });
      }));
  });
});
