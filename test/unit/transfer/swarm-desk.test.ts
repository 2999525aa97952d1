import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { encode } from '@cuadro/protocol';
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

beforeEach(async () => {
  away.clear();
  const blobs = createMemoryBlobStore();
  await blobs.start();
  const files = [];
  for (let i = 0; i < FILES; i++) {
    const { hash, sizeBytes } = await blobs.putBytes(new TextEncoder().encode(`file ${i}`));
    files.push({ path: `f/${i}`, blob: hash, sizeBytes });
  }
  bundle = (await blobs.putBytes(encode({ version: 1, main: 'f/0', files, remap: [] }))).hash;
  desk = new SwarmDesk({
    blobs,
    clock,
    random: createSeededRandom(3),
    isReachable: (peer) => !away.has(peer),
    flockOf: () => undefined,
  });
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
