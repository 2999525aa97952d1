import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { encode } from '@cuadro/protocol';
import type { BlobHash, BlobInfo, BlobStore } from '../../../node/src/blobs/interface.ts';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { swarmLimits } from '../../../node/src/blobs/transfer/limits.ts';
import { SwarmDesk } from '../../../node/src/blobs/transfer/swarm-desk.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';

/** What whoever has all of a bundle gives, and whom it names (SPEC R151). */

const [ONE, TWO] = ['one', 'two'];
const FILES = 8;
const ALL = Uint8Array.of(255);
const clock = new ManualClock();
const away = new Set<string>();
let desk: SwarmDesk;
let bundle: string;
let bundleBytes: Uint8Array;
let infos: BlobInfo[];

const content = (i: number): Uint8Array => new TextEncoder().encode(`file ${i}`);
const deskOver = (blobs: Pick<BlobStore, 'has' | 'read'>): SwarmDesk =>
  new SwarmDesk({
    blobs,
    clock,
    random: createSeededRandom(3),
    isReachable: (peer) => !away.has(peer),
    flockOf: () => undefined,
  });

beforeEach(async () => {
  away.clear();
  const blobs = createMemoryBlobStore();
  await blobs.start();
  infos = [];
  for (let i = 0; i < FILES; i++) infos.push(await blobs.putBytes(content(i)));
  const files = infos.map(({ hash, sizeBytes }, i) => ({ path: `f/${i}`, blob: hash, sizeBytes }));
  bundleBytes = encode({ version: 1, main: 'f/0', files, remap: [] });
  bundle = (await blobs.putBytes(bundleBytes)).hash;
  desk = deskOver(blobs);
});

const give = async (peer: string, wanted = ALL, files = 1): Promise<number[]> =>
  ((await desk.choose(peer, bundle, wanted, files * 6)) ?? []).map(({ number }) => number);

describe('who has all of a bundle', () => {
  it('gives each unit once before any twice, whoever asks', async () => {
    const given: number[] = [];
    for (let i = 0; i < FILES; i++) given.push(...(await give(i % 2 === 0 ? ONE : TWO)));
    assert.deepEqual(
      given.toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7],
    );
    assert.deepEqual(await give(ONE), [], 'the rest is with the others');
  });

  it('gives only what is wanted, and as much as was asked for', async () => {
    assert.deepEqual(
      (await give(ONE, Uint8Array.of(0b1010), 9)).toSorted((a, b) => a - b),
      [1, 3],
    );
    assert.equal((await give(TWO, ALL, 3)).length, 3);
  });

  it('gives again what the other has had long enough to pass on', async () => {
    assert.equal((await give(ONE, ALL, FILES)).length, FILES);
    clock.advance(swarmLimits.givenMs);
    assert.deepEqual(await give(TWO), []);
    clock.advance(1);
    assert.equal((await give(TWO, ALL, FILES)).length, FILES);
  });

  it('gives again at once what a machine had that is out of reach', async () => {
    await give(ONE, ALL, FILES);
    away.add(ONE);
    assert.equal((await give(TWO, ALL, FILES)).length, FILES);
  });

  it('gives again to whom it gave it, once that is late', async () => {
    await give(ONE, ALL, FILES);
    assert.deepEqual(await give(ONE), []);
    clock.advance(swarmLimits.lateMs + 1);
    assert.equal((await give(ONE, ALL, FILES)).length, FILES);
  });

  it('names to each the others that asked lately', async () => {
    assert.deepEqual(await desk.parts(ONE, bundle), { whole: true, others: [], bits: new Uint8Array() });
    assert.deepEqual((await desk.parts(TWO, bundle))?.others, [ONE]);
    assert.deepEqual((await desk.parts(ONE, bundle))?.others, [TWO]);
    clock.advance(swarmLimits.fetchingMs + 1);
    assert.deepEqual((await desk.parts(TWO, bundle))?.others, []);
  });

  it('has nothing to say of a bundle that is not here, or of a file that is none', async () => {
    const nothing = 'f'.repeat(64);
    assert.deepEqual(
      [await desk.parts(ONE, nothing), await desk.choose(ONE, nothing, ALL, 9)],
      [undefined, undefined],
    );
  });
});

describe('who has a part of a bundle and does not fetch it', () => {
  /** A store with the bundle's own file and some of those that it names. */
  async function storeOf(
    files: readonly number[],
    init: { quotaBytes?: number } = {},
  ): Promise<{ blobs: BlobStore; own: SwarmDesk }> {
    const blobs = createMemoryBlobStore(init);
    await blobs.start();
    await blobs.putBytes(bundleBytes, { pin: 'job' });
    for (const i of files) await blobs.putBytes(content(i));
    const own = deskOver(blobs);
    blobs.subscribe(own.heard);
    return { blobs, own };
  }
  const partsOf = async (own: SwarmDesk): Promise<{ whole: boolean; bits: number[] } | undefined> => {
    const parts = await own.parts(ONE, bundle);
    return parts && { whole: parts.whole, bits: [...parts.bits] };
  };

  it('R151: has nothing of it where it has its own file alone, and does not say that it has all', async () => {
    const { own } = await storeOf([]);
    assert.equal(await own.parts(ONE, bundle), undefined);
  });

  it('R151: says what it has, and what came and went since it looked', async () => {
    const { blobs, own } = await storeOf([0, 2], { quotaBytes: bundleBytes.length + FILES * 6 });
    assert.deepEqual(await partsOf(own), { whole: false, bits: [0b101] });
    for (const i of [1, 3, 4, 5, 6]) await blobs.putBytes(content(i));
    assert.deepEqual(await partsOf(own), { whole: false, bits: [0b1111111] });
    await blobs.putBytes(content(7));
    assert.deepEqual(await partsOf(own), { whole: true, bits: [] });
    // Files that nobody pins go for another one, the oldest first.
    await blobs.putBytes(new TextEncoder().encode('another'));
    assert.deepEqual(await partsOf(own), { whole: false, bits: [0b11111010] });
  });

  it('R151: takes in what went while it looked', async () => {
    const { blobs } = await storeOf([0, 1, 2, 3, 4, 5, 6, 7]);
    const went = (infos[4] as BlobInfo).hash;
    let isGone = false;
    const own = deskOver({
      read: blobs.read.bind(blobs),
      has: async (hash: BlobHash) => {
        if (hash !== went) return blobs.has(hash);
        const info = isGone ? undefined : await blobs.has(hash);
        // It goes after it was seen, and before that is known.
        if (!isGone) own.heard({ type: 'blob-evicted', hash, sizeBytes: 6 });
        isGone = true;
        return info;
      },
    });
    assert.deepEqual(await partsOf(own), { whole: false, bits: [0b11101111] });
  });
});
