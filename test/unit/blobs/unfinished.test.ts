import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemGround } from '../../../node/src/blobs/ground.ts';
import type { BlobManifest, BlobStore } from '../../../node/src/blobs/interface.ts';
import { blobLimits, type BlobStoreOptions } from '../../../node/src/blobs/options.ts';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import type { FileCalls } from '../../../node/src/system/file-calls.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { disguised } from '../disguised.ts';
import { contentOf, temporaryFolder } from './helpers.ts';

const MIB = 2 ** 20;
const NOW_MS = 1_700_000_000_000;
const DAY_SECONDS = 24 * 3_600;
const hashOf = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A store on a disk of a size of its own, on which nothing else stands. */
class Subject {
  readonly #folder = temporaryFolder();
  readonly #diskBytes: number;
  readonly store: BlobStore;
  /** No part is closed before this. */
  closing: Promise<void> | undefined;

  constructor(test: TestContext, init: Partial<BlobStoreOptions> & { readonly diskBytes?: number } = {}) {
    const { diskBytes = 2 ** 40, ...options } = init;
    this.#diskBytes = diskBytes;
    const { files } = systemGround;
    const statfs = async () => ({ bavail: this.#diskBytes - this.#usedBytes(), bsize: 1 });
    const open: FileCalls['open'] = async (path, ...how) => {
      // As for an ordinary user, also where the tests are run by one who may do everything.
      if (how[0] === 'r+' && (statSync(path).mode & 0o200) === 0)
        throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
      const file = await files.open(path, ...how);
      const close = async (): Promise<void> => {
        await this.closing;
        await file.close();
      };
      return path.endsWith('.part') ? disguised(file, { close }) : file;
    };
    this.store = createFileBlobStore(
      {
        clock: new ManualClock({ wallTimeMs: NOW_MS }),
        random: createSystemRandom(),
        ground: { ...systemGround, files: { ...files, statfs, open } },
      },
      { folder: this.#folder.path, options: { reserveBytes: 0, ...options } },
    );
    test.after(async () => {
      await this.store.stop();
      await this.#folder.remove();
    });
  }

  #usedBytes(): number {
    const names = readdirSync(this.#folder.path, { recursive: true, encoding: 'utf8' });
    const all = names.map((name) => statSync(join(this.#folder.path, name)));
    return all.reduce((sum, facts) => sum + (facts.isFile() ? facts.blocks * 512 : 0), 0);
  }

  partOf(hash: string): string {
    return join(this.#folder.path, 'incoming', `${hash}.part`);
  }

  has(hash: string): boolean {
    return existsSync(this.partOf(hash));
  }

  /** A part file that an earlier process left, so long ago; its hash. */
  putPart(name: string, agoSeconds: number): string {
    const hash = hashOf(name);
    writeFileSync(this.partOf(hash), '');
    const seconds = NOW_MS / 1_000 - agoSeconds;
    utimesSync(this.partOf(hash), seconds, seconds);
    return hash;
  }

  /** Brings the first half of a file of 2 MiB, and leaves it so. */
  async bringHalf(seed: number): Promise<BlobManifest> {
    const bytes = contentOf(seed, 2 * MIB);
    const pieces = [bytes.subarray(0, MIB), bytes.subarray(MIB)];
    const manifest = {
      hash: hashOf(bytes),
      sizeBytes: bytes.length,
      pieceBytes: MIB,
      pieces: pieces.map((piece) => hashOf(piece)),
    };
    const arrival = await this.store.receive(manifest);
    await arrival.write(0, pieces[0] as Uint8Array);
    await arrival.suspend();
    return manifest;
  }

  /** Which of them are still here, by their number. */
  kept(halves: readonly BlobManifest[]): number[] {
    return [...halves.keys()].filter((i) => this.has(halves[i]?.hash ?? ''));
  }
}

describe('half-fetched blobs', () => {
  it('R194: a disk that is short loses cached blobs first, then of these the oldest, as many as needed', async (test) => {
    const subject = new Subject(test, { diskBytes: 12 * MIB });
    const { store } = subject;
    await store.start();
    const halves: BlobManifest[] = [];
    for (let i = 0; i < 4; i++) halves.push(await subject.bringHalf(i));
    // The first becomes the newest.
    await (await store.receive(halves[0] as BlobManifest)).suspend();
    const cached = await store.putBytes(contentOf(10, 3 * MIB));
    const pinned = await store.putBytes(contentOf(11, 2 * MIB), { pin: 'job' });
    // 3 MiB are free.
    await store.putBytes(contentOf(12, 5 * MIB), { pin: 'job' });
    assert.equal(await store.has(cached.hash), undefined);
    assert.deepEqual(subject.kept(halves), [0, 1, 2, 3], 'evicting was enough');
    await assert.rejects(store.putBytes(contentOf(13, 6 * MIB), { pin: 'job' }), { code: 'store-full' });
    assert.deepEqual(subject.kept(halves), [0, 1, 2, 3], 'all of them would not be enough');
    await store.putBytes(contentOf(14, 2.5 * MIB), { pin: 'job' });
    assert.deepEqual(subject.kept(halves), [0, 3]);
    assert.deepEqual((await store.receive(halves[0] as BlobManifest)).missing(), [1]);
    assert.notEqual(await store.has(pinned.hash), undefined);
  });

  it('R194: of a quota they go last too, as many as needed', async (test) => {
    const subject = new Subject(test, { quotaBytes: 8 * MIB });
    const { store } = subject;
    await store.start();
    const halves = [await subject.bringHalf(0), await subject.bringHalf(1)];
    await store.putBytes(contentOf(10, 5 * MIB), { pin: 'job' });
    const cached = await store.putBytes(contentOf(11, 0.5 * MIB));
    await store.putBytes(contentOf(12, MIB), { pin: 'job' });
    assert.equal(await store.has(cached.hash), undefined);
    assert.deepEqual(subject.kept(halves), [0, 1], 'evicting was enough');
    await store.putBytes(contentOf(13, 0.5 * MIB), { pin: 'job' });
    assert.deepEqual(subject.kept(halves), [1]);
  });

  it('R194: what has arrived takes its room once, also while its file is not closed yet', async (test) => {
    const subject = new Subject(test, { quotaBytes: 6 * MIB });
    const { store } = subject;
    await store.start();
    const whole = await subject.bringHalf(0);
    const arrival = await store.receive(whole);
    await arrival.write(1, contentOf(0, 2 * MIB).subarray(MIB));
    const { promise: closing, resolve: close } = Promise.withResolvers<void>();
    subject.closing = closing;
    const finished = arrival.finish({ pin: 'job' });
    while ((await store.usage()).usedBytes < whole.sizeBytes) await new Promise(setImmediate);
    try {
      await store.putBytes(contentOf(10, 3 * MIB), { pin: 'job' });
    } finally {
      close();
      await finished;
    }
  });

  it('R194: a node whose disk is short only for their sake takes work, and gives them up for it', async (test) => {
    const subject = new Subject(test, { diskBytes: 10.5 * MIB, reserveBytes: 2 * MIB });
    const { store } = subject;
    await store.start();
    const halves = [await subject.bringHalf(0), await subject.bringHalf(1)];
    writeFileSync(subject.partOf('of somebody else'), contentOf(20, 7 * MIB));
    assert.equal((await store.usage()).accepting, true);
    await store.putBytes(contentOf(11, 0.25 * MIB), { pin: 'job' });
    assert.deepEqual(subject.kept(halves), [1]);
    assert.equal((await store.usage()).accepting, true);
  });

  it('R193: thousands are kept over a restart, and of more the oldest go', async (test) => {
    const subject = new Subject(test);
    const { store } = subject;
    await store.start();
    await store.stop();
    const young = Array.from({ length: blobLimits.unfinishedFiles }, (_, i) =>
      subject.putPart(`young ${i}`, DAY_SECONDS - i),
    );
    const tooMany = subject.putPart('too many', DAY_SECONDS + 1);
    await store.start();
    assert.equal(subject.has(tooMany), false);
    assert.ok(young.every((hash) => subject.has(hash)));
    await subject.bringHalf(0);
    assert.deepEqual(
      young.filter((hash) => !subject.has(hash)),
      young.slice(0, 1),
    );
  });

  it('R193: go after two weeks', async (test) => {
    const subject = new Subject(test);
    const { store } = subject;
    await store.start();
    await store.stop();
    const [old, young] = [
      subject.putPart('old', 14 * DAY_SECONDS + 1),
      subject.putPart('young', 14 * DAY_SECONDS - 1),
    ];
    await store.start();
    assert.deepEqual([subject.has(old), subject.has(young)], [false, true]);
  });

  it('one whose file somebody removed is begun anew', async (test) => {
    const subject = new Subject(test);
    const { store } = subject;
    await store.start();
    const half = await subject.bringHalf(0);
    const { files } = systemGround;
    await files.rm(subject.partOf(half.hash));
    await assert.rejects(store.receive(half));
    assert.deepEqual((await store.receive(half)).missing(), [0, 1]);
  });

  it('one that is stopped while it is proved is whole when somebody goes on with it', async (test) => {
    const subject = new Subject(test);
    const { store } = subject;
    await store.start();
    const half = await subject.bringHalf(0);
    const arrival = await store.receive(half);
    await arrival.write(1, contentOf(0, 2 * MIB).subarray(MIB));
    const stop = new AbortController();
    const finishing = arrival.finish({ signal: stop.signal });
    stop.abort(new Error('enough'));
    await assert.rejects(finishing, /enough/);
    const again = await store.receive(half);
    assert.deepEqual(again.missing(), []);
    await again.finish();
    assert.notEqual(await store.has(half.hash), undefined);
  });

  it('one that could be read only already, when the process was killed, is gone on with', async (test) => {
    const subject = new Subject(test);
    const { store } = subject;
    await store.start();
    const half = await subject.bringHalf(0);
    await store.stop();
    chmodSync(subject.partOf(half.hash), 0o444);
    await store.start();
    const arrival = await store.receive(half);
    assert.deepEqual(arrival.missing(), [1]);
    await arrival.write(1, contentOf(0, 2 * MIB).subarray(MIB));
    await arrival.finish();
    assert.notEqual(await store.has(half.hash), undefined);
  });
});
