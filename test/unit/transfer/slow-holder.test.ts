import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import type { WantedBlob } from '../../../node/src/blobs/transfer/interface.ts';
import { defaultTransferOptions } from '../../../node/src/blobs/transfer/limits.ts';
import type { Mesh, MeshStream } from '../../../node/src/mesh/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { contentOf } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';
import { type Machine, reaches, storeBundle, TestFarm } from './machines.ts';

/**
 * One machine fetches what two hold whole, and nobody else does; one of the two is slow and never silent (SPEC R197).
 * Stores and network are in memory, so that only lines take time: what they carry in a second is counted by hand.
 */

const MIB = 2 ** 20;
const KIB = 2 ** 10;
const QUICK = 2 * MIB;
const lanes = defaultTransferOptions.lanesPerPeer;

/** What a machine sends, over all its streams: so much in a second, a tenth of it at a time. */
class Uplink {
  readonly #clock: ManualClock;
  readonly #bytesPerSecond: number;
  #freeAtMs = 0;
  sentBytes = 0;

  constructor(clock: ManualClock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  readonly wire = (mesh: Mesh): Mesh =>
    disguised(mesh, {
      serve: (protocol, handler) => mesh.serve(protocol, (stream) => handler(this.#paced(stream))),
    });

  #paced(stream: MeshStream): MeshStream {
    const most = Math.ceil(Math.min(64 * KIB, this.#bytesPerSecond / 10));
    return disguised(stream, {
      write: async (chunk) => {
        for (let at = 0; at < chunk.length; at += most) {
          const slice = chunk.subarray(at, at + most);
          this.#freeAtMs =
            Math.max(this.#freeAtMs, this.#clock.now()) + (slice.length / this.#bytesPerSecond) * 1_000;
          await this.#clock.sleep(this.#freeAtMs - this.#clock.now());
          await stream.write(slice);
          this.sentBytes += slice.length;
        }
      },
    });
  }
}

interface Setting {
  readonly clock: ManualClock;
  readonly here: Machine;
  readonly holders: () => string[];
  /** The slow one's, then the quick one's. */
  readonly uplinks: readonly [Uplink, Uplink];
  readonly stores: readonly BlobStore[];
}

async function setting(
  test: TestContext,
  slowBytesPerSecond: number,
  quickBytesPerSecond = QUICK,
): Promise<Setting> {
  const farm = new TestFarm(test, ['here', 'slow', 'quick']);
  const clock = new ManualClock();
  const digest = (bytes: Uint8Array): Promise<string> => Promise.resolve(hashOf(bytes));
  const [ofHere, ofSlow, ofQuick] = [1, 2, 3].map(() => createMemoryBlobStore({ digest })) as [
    BlobStore,
    BlobStore,
    BlobStore,
  ];
  for (const store of [ofHere, ofSlow, ofQuick]) await store.start();
  const uplinks = [new Uplink(clock, slowBytesPerSecond), new Uplink(clock, quickBytesPerSecond)] as const;
  const here = await farm.start('here', { clock, disguise: () => ofHere });
  const slow = await farm.start('slow', { clock, disguise: () => ofSlow, wire: uplinks[0].wire });
  const quick = await farm.start('quick', { clock, disguise: () => ofQuick, wire: uplinks[1].wire });
  await reaches(here, slow, quick);
  return { clock, here, holders: () => [slow.peer, quick.peer], uplinks, stores: [ofSlow, ofQuick] };
}

/** How long it takes by the clock, in milliseconds; undefined where it is not over after so long. */
async function timed(
  clock: ManualClock,
  work: Promise<unknown>,
  mostMs: number,
): Promise<number | undefined> {
  const beganMs = clock.now();
  let isOver = false;
  const over = work.finally(() => (isOver = true));
  over.catch(() => undefined);
  while (!isOver && clock.now() - beganMs < mostMs) await clock.advanceSettled(50);
  if (!isOver) return undefined;
  await over;
  return clock.now() - beganMs;
}

const BYTES = 24 * MIB;
const small = Array.from({ length: 96 }, (_, i) => contentOf(100 + i, BYTES / 96));
const large = [contentOf(1, BYTES)];
const several = [2, 3, 4, 5].map((seed) => contentOf(seed, BYTES / 4));

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const wantedOf = (contents: readonly Uint8Array[]): WantedBlob[] =>
  contents.map((bytes) => ({ hash: hashOf(bytes), sizeBytes: bytes.length }));

describe('a slow holder beside a quick one', () => {
  for (const { what, contents, slowBytesPerSecond } of [
    { what: 'a large file, and next to nothing of it', contents: large, slowBytesPerSecond: 20 * KIB },
    {
      what: 'a large file, and as little as is taken for life',
      contents: large,
      slowBytesPerSecond: 90 * KIB,
    },
    { what: 'a large file, and a little of it', contents: large, slowBytesPerSecond: 300 * KIB },
    { what: 'several large files', contents: several, slowBytesPerSecond: 20 * KIB },
    { what: 'many small files', contents: small, slowBytesPerSecond: 20 * KIB },
    {
      what: 'as little of many small files as is taken for life',
      contents: small,
      slowBytesPerSecond: 90 * KIB,
    },
  ]) {
    for (const isTree of [true, false]) {
      it(`R197: holds nothing up, and hardly anything comes twice: ${what}, ${isTree ? 'as a bundle' : 'file by file'}`, async (test) => {
        const { clock, here, holders, uplinks, stores } = await setting(test, slowBytesPerSecond);
        const [bundle = ''] = await Promise.all(stores.map((store) => storeBundle(store, contents)));
        const work = isTree
          ? here.transfer.ensureTree(bundle, { holders })
          : here.transfer.fetchMany(wantedOf(contents), { holders });
        const aloneMs = (BYTES / QUICK) * 1_000;
        const tookMs = await timed(clock, work, 2 * aloneMs);
        assert.ok(tookMs !== undefined && tookMs <= 1.1 * aloneMs, `it took ${tookMs} of ${aloneMs} ms`);
        assert.deepEqual(here.transfer.status().liars, {});
        const sentBytes = uplinks[0].sentBytes + uplinks[1].sentBytes;
        assert.ok(sentBytes - BYTES <= lanes * MIB, `${sentBytes - BYTES} bytes were sent in vain`);
        // Nor does it go on with what nobody waits for any more.
        await clock.advanceSettled(5_000);
        const sinceBytes = uplinks[0].sentBytes + uplinks[1].sentBytes - sentBytes;
        assert.ok(sinceBytes <= 64 * KIB, `${sinceBytes} bytes were sent since`);
      });
    }
  }

  it('R197: is asked for about what it brings in a second, so that nobody waits for the rest', async (test) => {
    const { clock, here, holders, stores } = await setting(test, 1.8 * MIB, 20 * MIB);
    for (const store of stores) await storeBundle(store, large);
    const tookMs = await timed(clock, here.transfer.fetchMany(wantedOf(large), { holders }), 10_000);
    // A piece takes each of its lanes 1.7 s, in which the other one brings all the rest.
    assert.ok(tookMs !== undefined && tookMs <= 2_000, `it took ${tookMs} ms`);
  });
});
