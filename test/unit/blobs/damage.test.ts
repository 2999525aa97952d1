import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { BlobEvent, BlobStore } from '../../../node/src/blobs/interface.ts';
import { blobLayout } from '../../../node/src/blobs/layout.ts';
import { contentOf, newStore, temporaryFolder } from './helpers.ts';

describe('a damaged blob is never served', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let store: BlobStore;
  let events: BlobEvent[];
  beforeEach(async () => {
    folder = temporaryFolder();
    store = newStore(folder.path);
    events = [];
    store.subscribe((event) => events.push(event));
    await store.start();
  });
  afterEach(async () => {
    await store.stop();
    await folder.remove();
  });

  const flip = (hash: string, at: number): void => {
    const path = blobLayout(folder.path).pathOf(hash);
    const bytes = readFileSync(path);
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    chmodSync(path, 0o644);
    writeFileSync(path, bytes);
  };

  const ways: readonly (readonly [string, (hash: string) => Promise<unknown>])[] = [
    ['read', (hash) => store.read(hash)],
    ['materialize', (hash) => store.materialize(hash, join(folder.path, 'out'))],
  ];
  for (const size of [10, 300_000, 3_000_000]) {
    for (const [name, way] of ways) {
      it(`${name} of ${size} bytes with one bit flipped fails, and quarantines`, async () => {
        const { hash } = await store.putBytes(contentOf(size, size), { pin: 'job' });
        flip(hash, size - 1);
        await assert.rejects(way(hash), { code: 'blob-corrupt', hash });
        assert.equal(await store.has(hash), undefined);
        assert.equal(readdirSync(join(folder.path, 'quarantine')).length, 1);
        assert.deepEqual(
          events.filter(({ type }) => type === 'blob-corrupt'),
          [{ type: 'blob-corrupt', hash, pinnedBy: ['job'] }],
        );
        assert.deepEqual(
          readdirSync(folder.path).filter((entry) => /out|tmp/.test(entry)),
          [],
        );
        await store.putBytes(contentOf(size, size));
        assert.equal((await store.read(hash)).length, size, 'a new copy heals it');
      });
    }
  }

  it('a stream yields the good pieces and throws in the place of the bad one', async () => {
    const bytes = contentOf(1, 3_000_000);
    const { hash } = await store.putBytes(bytes);
    flip(hash, 2_000_000);
    const got: Uint8Array[] = [];
    await assert.rejects(
      async () => {
        for await (const chunk of (await store.open(hash)).chunks) got.push(Buffer.from(chunk));
      },
      { code: 'blob-corrupt' },
    );
    assert.deepEqual(Buffer.concat(got), bytes.subarray(0, 1_048_576));
  });

  it('putting the content of a damaged blob again replaces it', async () => {
    for (const size of [10, 400_000]) {
      const { hash } = await store.putBytes(contentOf(2, size));
      flip(hash, 3);
      writeFileSync(join(folder.path, 'source'), contentOf(2, size));
      await store.putFile(join(folder.path, 'source'), { mode: 'copy' });
      assert.deepEqual(Buffer.from(await store.read(hash)), contentOf(2, size));
    }
  });

  it('truncated, vanished and flipped blobs are told apart by check', async () => {
    const layout = blobLayout(folder.path);
    const [good, short, gone, bad] = await store.putMany(
      [1, 2, 3, 4].map((seed) => ({ bytes: contentOf(seed, 1_100_000) })),
      {
        pin: 'job',
      },
    );
    assert.ok(good && short && gone && bad);
    chmodSync(layout.pathOf(short.hash), 0o644);
    truncateSync(layout.pathOf(short.hash), 1_000_000);
    rmSync(layout.pathOf(gone.hash));
    flip(bad.hash, 5);
    const states = new Map<string, string>();
    for await (const { hash, state } of store.check()) states.set(hash, state);
    assert.deepEqual(
      [good, short, gone, bad].map(({ hash }) => states.get(hash)),
      ['ok', 'corrupt', 'missing', 'corrupt'],
    );
  });

  it('a damaged or lost piece list is made again', async () => {
    const bytes = contentOf(7, 2_500_000);
    const { hash } = await store.putBytes(bytes);
    const pieces = blobLayout(folder.path).piecesPathOf(hash);
    const whole = readFileSync(pieces);
    for (const spoil of [
      () => rmSync(pieces),
      () => writeFileSync(pieces, whole.subarray(1)),
      () =>
        writeFileSync(
          pieces,
          whole.map((byte, index) => (index === 30 ? byte ^ 1 : byte)),
        ),
    ]) {
      chmodSync(pieces, 0o644);
      spoil();
      assert.deepEqual(Buffer.from(await store.read(hash)), bytes);
      assert.deepEqual(readFileSync(pieces), whole);
    }
  });
});
