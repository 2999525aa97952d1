import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { BlobEvent, BlobStore } from '../../../node/src/blobs/interface.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';

export interface BlobStoreUnderTest {
  readonly name: string;
  /** A new store over `folder`, not started. `quotaBytes` bounds it; its disk has no reserve. */
  create(folder: string, quotaBytes?: number): BlobStore;
  /** Forgets everything with the process (then restart tests are left out). */
  readonly volatile: boolean;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const random = createSeededRandom(20_260_101);
const bytesOf = (count: number): Uint8Array => {
  const bytes = new Uint8Array(count);
  let state = Math.floor(random.float() * 2 ** 32) | 1;
  for (let index = 0; index < count; index += 1) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    bytes[index] = state >>> 24;
  }
  return bytes;
};

/** Empty, one byte, around the inline bound, around one piece, several pieces and an odd rest. */
const sizes = [0, 1, 262_143, 262_144, 262_145, 1_048_575, 1_048_576, 1_048_577, 3_500_001];

export function blobStoreContract(subject: BlobStoreUnderTest): void {
  describe(`blob store contract: ${subject.name}`, () => {
    let root: string;
    let folders = 0;
    const open: BlobStore[] = [];
    const newFolder = (): string => join(root, `data-${folders++}`);
    const started = async (folder = newFolder(), quotaBytes?: number): Promise<BlobStore> => {
      const store = subject.create(folder, quotaBytes);
      await store.start();
      open.push(store);
      return store;
    };
    before(() => {
      root = mkdtempSync(join(tmpdir(), 'cuadro-blobs-'));
    });
    after(async () => {
      for (const store of open) await store.stop();
      rmSync(root, { recursive: true, force: true });
    });

    it('gives back what was put, for every way in and size', async () => {
      const store = await started();
      for (const size of sizes) {
        const bytes = bytesOf(size);
        const source = join(root, 'source');
        const expected = { hash: sha256(bytes), sizeBytes: size };
        writeFileSync(source, bytes);
        assert.deepEqual(await store.putFile(source, { mode: 'copy' }), expected);
        assert.deepEqual(await store.hashFile(source), expected);
        assert.deepEqual(await store.putFile(source, { mode: 'move' }), expected);
        assert.equal(existsSync(source), false, 'a moved file is gone');
        assert.deepEqual(await store.putBytes(bytes), expected);
        assert.deepEqual(await store.has(expected.hash), expected);
        assert.deepEqual(Buffer.from(await store.read(expected.hash)), Buffer.from(bytes));
      }
      assert.equal((await store.usage()).blobs, sizes.length, 'same content is stored once');
      assert.equal(
        (await store.usage()).usedBytes,
        sizes.reduce((sum, size) => sum + size),
      );
    });

    it('moves a file in without having it before', async () => {
      const store = await started();
      for (const size of [10, 2_000_000]) {
        const bytes = bytesOf(size);
        const source = join(root, 'moved');
        writeFileSync(source, bytes);
        const { hash } = await store.putFile(source, { mode: 'move' });
        assert.equal(existsSync(source), false);
        assert.deepEqual(Buffer.from(await store.read(hash)), Buffer.from(bytes));
      }
    });

    it('reads ranges, and lists pieces that verify alone', async () => {
      const store = await started();
      const bytes = bytesOf(3_500_001);
      const { hash } = await store.putBytes(bytes);
      for (const [start, end] of [
        [0, 0],
        [0, 1],
        [1_048_575, 1_048_577],
        [5, 3_500_001],
        [3_500_001, 3_500_001],
      ] as const) {
        const reader = await store.open(hash, { range: { start, end } });
        assert.equal(reader.lengthBytes, end - start);
        const parts: Uint8Array[] = [];
        for await (const chunk of reader.chunks) parts.push(Buffer.from(chunk));
        assert.deepEqual(Buffer.concat(parts), Buffer.from(bytes.subarray(start, end)));
      }
      await assert.rejects(store.open(hash, { range: { start: 0, end: 3_500_002 } }), RangeError);
      await assert.rejects(store.open(hash, { range: { start: 2, end: 1 } }), RangeError);
      const manifest = await store.manifest(hash);
      assert.equal(manifest.pieces.length, 4);
      manifest.pieces.forEach((piece, index) => {
        const at = index * manifest.pieceBytes;
        assert.equal(piece, sha256(bytes.subarray(at, at + manifest.pieceBytes)));
      });
    });

    it('refuses what it does not have, or what is no hash', async () => {
      const store = await started();
      const absent = '0'.repeat(64);
      assert.equal(await store.has(absent), undefined);
      await assert.rejects(store.read(absent), { code: 'blob-not-found' });
      await assert.rejects(store.open(absent), { code: 'blob-not-found' });
      await assert.rejects(store.materialize(absent, join(root, 'x')), { code: 'blob-not-found' });
      await assert.rejects(store.has('../../etc/passwd'), { code: 'blob-hash-invalid' });
      await assert.rejects(store.read('A'.repeat(64)), { code: 'blob-hash-invalid' });
      await assert.rejects(store.putFile(join(root, 'absent'), { mode: 'copy' }), {
        code: 'blob-source-unreadable',
      });
      await assert.rejects(store.putFile(root, { mode: 'copy' }), { code: 'blob-source-unreadable' });
      const { hash } = await store.putBytes(bytesOf(100));
      await assert.rejects(store.read(hash, { maxBytes: 99 }), { code: 'blob-too-large' });
    });

    it('keeps nothing of content that is not what was announced', async () => {
      const store = await started();
      const wrong = '1'.repeat(64);
      for (const size of [5, 300_000]) {
        const source = join(root, 'announced');
        const bytes = bytesOf(size);
        writeFileSync(source, bytes);
        await assert.rejects(store.putBytes(bytes, { expectedHash: wrong }), { code: 'blob-mismatch' });
        await assert.rejects(store.putFile(source, { mode: 'move', expectedHash: wrong }), {
          code: 'blob-mismatch',
        });
        assert.deepEqual(readFileSync(source), Buffer.from(bytes), 'a move that failed leaves the source');
      }
      const short = (async function* () {
        yield bytesOf(3);
      })();
      await assert.rejects(store.putStream(short, { sizeBytes: 4 }), { code: 'blob-mismatch' });
      assert.equal((await store.usage()).blobs, 0);
    });

    it('puts many, in order, and stops at the first failure', async () => {
      const store = await started();
      const contents = Array.from({ length: 60 }, (_, index) => bytesOf(index * 7));
      const infos = await store.putMany(
        contents.map((bytes) => ({ bytes })),
        { pin: 'job-1' },
      );
      assert.deepEqual(
        infos.map(({ hash }) => hash),
        contents.map(sha256),
      );
      assert.equal(store.pinnedBy('job-1').length, 60);
      await assert.rejects(
        store.putMany([{ bytes: bytesOf(9) }, { path: join(root, 'absent'), mode: 'copy' }]),
        { code: 'blob-source-unreadable' },
      );
    });

    it('materializes a read-only file of its own, replacing or refusing', async () => {
      const store = await started();
      for (const size of [20, 1_500_000]) {
        const bytes = bytesOf(size);
        const { hash } = await store.putBytes(bytes);
        const destination = join(root, `out-${size}`);
        await store.materialize(hash, destination);
        assert.deepEqual(readFileSync(destination), Buffer.from(bytes));
        await assert.rejects(store.materialize(hash, destination, { existing: 'refuse' }), {
          code: 'destination-exists',
        });
        rmSync(destination);
        writeFileSync(destination, 'old');
        await store.materialize(hash, destination, { durable: true });
        assert.deepEqual(readFileSync(destination), Buffer.from(bytes));
        await assert.rejects(store.materialize(hash, join(root, 'no', 'folder')), {
          code: 'destination-unwritable',
        });
      }
    });

    it('evicts the least recently used above the quota, never what is pinned', async () => {
      const store = await started(newFolder(), 1_000);
      const events: BlobEvent[] = [];
      store.subscribe((event) => events.push(event));
      const pinned = await store.putBytes(bytesOf(400), { pin: 'job' });
      const first = await store.putBytes(bytesOf(250));
      const second = await store.putBytes(bytesOf(251));
      await store.putBytes(bytesOf(252));
      assert.equal(await store.has(first.hash), undefined, 'the oldest unpinned one went');
      assert.notEqual(await store.has(second.hash), undefined);
      assert.notEqual(await store.has(pinned.hash), undefined);
      assert.ok(events.some((event) => event.type === 'blob-evicted' && event.hash === first.hash));
      await assert.rejects(store.putBytes(bytesOf(601)), { code: 'store-full', neededBytes: 601 });
      await store.putBytes(bytesOf(600), { pin: 'job' });
      const usage = await store.usage();
      assert.deepEqual([usage.usedBytes, usage.pinnedBytes, usage.accepting], [1_000, 1_000, false]);
      assert.match(usage.reason ?? '', /quota/);
      await store.unpinOwner('job');
      assert.equal((await store.usage()).accepting, true);
      assert.ok((await store.collectGarbage()).evictedBlobs === 0, 'at the quota nothing has to go');
      await store.putBytes(bytesOf(1));
      assert.ok((await store.usage()).usedBytes <= 1_000);
    });

    it('accepts nothing once a result found no room, until one of its size has some', async () => {
      const store = await started(newFolder(), 1_000);
      await store.putBytes(bytesOf(800), { pin: 'job' });
      await assert.rejects(store.putBytes(bytesOf(700)), { code: 'store-full' });
      assert.equal((await store.usage()).accepting, true, 'what was no result says nothing of results');
      const result = join(root, 'result');
      writeFileSync(result, bytesOf(300));
      await assert.rejects(store.putFile(result, { mode: 'move', pin: 'job' }), { code: 'store-full' });
      const { accepting, reason } = await store.usage();
      assert.equal(accepting, false);
      assert.match(reason ?? '', /quota/);
      await store.unpinOwner('job');
      assert.equal((await store.usage()).accepting, true);
    });

    it('remembers pins by owner', async () => {
      const folder = newFolder();
      const store = await started(folder);
      const { hash } = await store.putBytes(bytesOf(10), { pin: 'b' });
      await Promise.all([store.pin(hash, 'a'), store.pin(hash, 'a'), store.pin(hash, 'c')]);
      await store.unpin(hash, 'c');
      assert.deepEqual([...store.pins(hash)].sort(), ['a', 'b']);
      await assert.rejects(store.pin(hash, 'two words'), RangeError);
      if (subject.volatile) return;
      await store.stop();
      const again = await started(folder);
      assert.deepEqual([...again.pins(hash)].sort(), ['a', 'b']);
      assert.deepEqual(again.pinnedBy('a'), [hash]);
      assert.deepEqual([...again.pinOwners()].sort(), ['a', 'b']);
      assert.deepEqual(await again.has(hash), { hash, sizeBytes: 10 });
    });

    it('keeps what is pinned for the moment, and forgets that with the next start', async () => {
      const folder = newFolder();
      const store = await started(folder, 1_000);
      const { hash } = await store.putBytes(bytesOf(400), { pin: '~moment' });
      const other = await store.putBytes(bytesOf(500), { pin: 'job' });
      await Promise.all([store.pin(other.hash, '~moment'), store.unpin(other.hash, 'job')]);
      await assert.rejects(store.putBytes(bytesOf(300)), { code: 'store-full' });
      await Promise.all([store.pin(hash, 'job'), store.unpin(hash, '~moment')]);
      assert.deepEqual([store.pins(hash), store.pins(other.hash)], [['job'], ['~moment']]);
      if (subject.volatile) return;
      await store.stop();
      const again = await started(folder, 1_000);
      assert.deepEqual([again.pinOwners(), again.pinnedBy('job')], [['job'], [hash]]);
      await again.putBytes(bytesOf(300));
      assert.equal(await again.has(other.hash), undefined);
    });

    it('receives a blob piece by piece, in any order, and goes on where it was left', async () => {
      const folder = newFolder();
      let store = await started(folder);
      const bytes = bytesOf(3_500_001);
      const source = await started();
      const { hash } = await source.putBytes(bytes);
      const manifest = await source.manifest(hash);
      const piece = (index: number): Uint8Array =>
        bytes.slice(index * manifest.pieceBytes).slice(0, 1_048_576);
      const first = await store.receive(manifest);
      assert.deepEqual(first.missing(), [0, 1, 2, 3]);
      await first.write(3, piece(3));
      await Promise.all([first.write(1, piece(1)), first.write(1, piece(1))]);
      await assert.rejects(first.write(0, piece(2)), { code: 'blob-mismatch' });
      await assert.rejects(first.write(0, piece(0).subarray(1)), { code: 'blob-mismatch' });
      await assert.rejects(first.finish(), RangeError);
      assert.equal(await store.has(hash), undefined, 'half of it is nothing');
      await first.suspend();
      if (!subject.volatile) {
        await store.stop();
        store = await started(folder);
      }
      const second = await store.receive(manifest);
      assert.deepEqual(second.missing(), [0, 2]);
      for (const index of second.missing()) await second.write(index, piece(index));
      assert.deepEqual(await second.finish({ pin: 'job' }), { hash, sizeBytes: bytes.length });
      assert.deepEqual(Buffer.from(await store.read(hash)), Buffer.from(bytes));
      assert.deepEqual(store.pinnedBy('job'), [hash]);
      assert.deepEqual(store.pinOwners(), ['job']);
    });

    it('has the pieces of one that is being finished, until the blob is there', async () => {
      const store = await started();
      const bytes = bytesOf(3_500_001);
      const source = await started();
      const manifest = await source.manifest((await source.putBytes(bytes)).hash);
      const arrival = await store.receive(manifest);
      const piece = bytes.slice(0, manifest.pieceBytes);
      for (const index of arrival.missing())
        await arrival.write(index, bytes.slice(index * manifest.pieceBytes).slice(0, manifest.pieceBytes));
      let isFinished = false;
      const finish = arrival.finish().finally(() => {
        isFinished = true;
      });
      while (!isFinished) {
        const read = await arrival.read(0);
        if (read === undefined) assert.notEqual(await store.has(manifest.hash), undefined);
        else assert.deepEqual(Buffer.from(read), Buffer.from(piece));
        await new Promise(setImmediate);
      }
      await finish;
    });

    it('keeps nothing of pieces that fit a made-up manifest, and refuses one that fits nothing', async () => {
      const store = await started();
      const pieces = [bytesOf(1_048_576), bytesOf(5)] as const;
      const manifest = {
        hash: '3'.repeat(64),
        sizeBytes: 1_048_581,
        pieceBytes: 1_048_576,
        pieces: pieces.map(sha256),
      };
      for (const wrong of [
        { ...manifest, pieces: manifest.pieces.slice(1) },
        { ...manifest, pieceBytes: 524_288 },
        { ...manifest, pieces: ['x', 'y'] },
        { ...manifest, sizeBytes: -1 },
      ]) {
        await assert.rejects(store.receive(wrong), { code: 'blob-mismatch' });
      }
      const arrival = await store.receive(manifest);
      await arrival.write(0, pieces[0]);
      await arrival.write(1, pieces[1]);
      await assert.rejects(arrival.finish({ pin: 'job' }), { code: 'blob-mismatch' });
      assert.equal((await store.usage()).blobs, 0);
      assert.deepEqual(store.pinOwners(), []);
      assert.deepEqual((await store.receive(manifest)).missing(), [0, 1], 'the pieces went too');
    });

    it('goes on by another manifest with what fits that one too', async () => {
      const store = await started();
      const pieces = [bytesOf(1_048_576), bytesOf(5)] as const;
      const made = { hash: '3'.repeat(64), sizeBytes: 1_048_581, pieceBytes: 1_048_576 };
      const first = await store.receive({ ...made, pieces: pieces.map(sha256) });
      await first.write(0, pieces[0]);
      await first.write(1, pieces[1]);
      await first.suspend();
      const second = await store.receive({ ...made, pieces: ['5'.repeat(64), sha256(pieces[1])] });
      assert.deepEqual(second.missing(), [0]);
      await second.suspend();
    });

    it('refuses a blob in pieces that it has no room for, before the first piece', async () => {
      const store = await started(newFolder(), 1_000_000);
      const manifest = { hash: '4'.repeat(64), sizeBytes: 1_048_577, pieceBytes: 1_048_576 };
      const pieces = ['5'.repeat(64), '6'.repeat(64)];
      await assert.rejects(store.receive({ ...manifest, pieces }), { code: 'store-full' });
    });

    it('checks everything, and names first what is pinned and missing', async () => {
      const store = await started();
      const { hash } = await store.putBytes(bytesOf(2_000_000));
      await store.pin('2'.repeat(64), 'job');
      const seen = [];
      for await (const result of store.check()) seen.push(result);
      assert.deepEqual(seen, [
        { hash: '2'.repeat(64), state: 'missing' },
        { hash, state: 'ok' },
      ]);
    });

    it('R136: checks in the order of the hashes, also behind one of them only', async () => {
      const store = await started();
      const hashes: string[] = [];
      for (let i = 0; i < 40; i++) hashes.push((await store.putBytes(bytesOf(i))).hash);
      hashes.sort();
      const checked = async (after?: string): Promise<string[]> => {
        const seen: string[] = [];
        for await (const { hash } of store.check({ after })) seen.push(hash);
        return seen;
      };
      assert.deepEqual(await checked(), hashes);
      assert.deepEqual(await checked(hashes[24]), hashes.slice(25));
      assert.deepEqual(await checked('f'.repeat(64)), []);
    });

    it('obeys an abort, and refuses when stopped', async () => {
      const store = await started();
      const reason = new Error('enough');
      await assert.rejects(store.putBytes(bytesOf(4), { signal: AbortSignal.abort(reason) }), reason);
      await store.stop();
      await store.stop();
      await assert.rejects(store.putBytes(bytesOf(4)), { code: 'store-stopped' });
      await store.start();
      await store.putBytes(bytesOf(4));
    });
  });
}
