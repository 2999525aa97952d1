import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import { contentOf } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';
import { type Machine, type MachineInit, reaches, spoilt, storeBundle, TestFarm } from './machines.ts';

/** A bundle that several machines want at once (SPEC R151), over real stores and a network in memory. */

const MIB = 2 ** 20;
/** Of asking what others have: in the first they are named, in the second asked. */
const ROUNDS = 5;
const TAKERS = ['one', 'two', 'three', 'four'];
const large = [1, 2, 3].map((seed) => contentOf(seed, 8 * MIB + 3));
/** Three large files and many small ones: 25 MiB. */
const contents = [...large, ...Array.from({ length: 64 }, (_, i) => contentOf(100 + i, 16_384))];
const bundleBytes = contents.reduce((sum, { length }) => sum + length, 0);

async function whole({ blobs }: Machine, bundle: string): Promise<void> {
  for await (const { hash, state } of blobs.check()) assert.equal(state, 'ok', hash);
  assert.ok((await blobs.usage()).usedBytes >= bundleBytes, bundle);
}

async function swarmOf(
  farm: TestFarm,
  names: readonly string[],
  source: MachineInit = {},
): Promise<Machine[]> {
  const machines: Machine[] = [];
  for (const name of names) machines.push(await farm.start(name, name === 'source' ? source : {}));
  for (const machine of machines) await reaches(machine, ...machines.filter((other) => other !== machine));
  return machines;
}

describe('a swarm', () => {
  it('R151: brings a bundle to all who want it, most of it from each other', async (test) => {
    const farm = new TestFarm(test, ['source', ...TAKERS]);
    // The large files come once all have asked often enough to know of each other: else the quickest would have them before.
    let bundle = '';
    let asked = 0;
    const known = Promise.withResolvers<void>();
    const disguise = (blobs: BlobStore): BlobStore =>
      disguised(blobs, {
        has: (hash) => {
          if (hash === bundle && ++asked === TAKERS.length * ROUNDS) known.resolve();
          return blobs.has(hash);
        },
        manifest: async (...call) => {
          await known.promise;
          return blobs.manifest(...call);
        },
      });
    const [source, ...takers] = (await swarmOf(farm, ['source', ...TAKERS], { disguise })) as [
      Machine,
      ...Machine[],
    ];
    bundle = await storeBundle(source.blobs, contents);
    const holders = (): string[] => [source.peer];
    await Promise.all(takers.map(({ transfer }) => transfer.ensureTree(bundle, { holders, pin: 'job' })));
    for (const taker of takers) {
      await whole(taker, bundle);
      assert.ok(taker.transfer.status().sentBytes > 0, `${taker.name} passed something on`);
      assert.deepEqual(taker.transfer.status().liars, {});
    }
    const copies = source.transfer.status().sentBytes / bundleBytes;
    assert.ok(copies < 2.5, `the source sent ${copies} copies to ${takers.length}`);
  });

  it('R151: goes on when the source is gone, once every unit is out', async (test) => {
    const farm = new TestFarm(test, ['source', ...TAKERS]);
    const [source, ...takers] = (await swarmOf(farm, ['source', ...TAKERS])) as [Machine, ...Machine[]];
    const bundle = await storeBundle(source.blobs, contents);
    const holders = (): string[] => [source.peer];
    const [first, ...others] = takers as [Machine, ...Machine[]];
    const fetches = takers.map(({ transfer }) => transfer.ensureTree(bundle, { holders }));
    // As soon as one of them has all, the source isn't needed any more.
    await Promise.race(fetches);
    await source.stop();
    await Promise.all(fetches);
    for (const taker of [first, ...others]) await whole(taker, bundle);
  });

  it('R151: brings a bundle to one that is late from all who have it by then, not from its holder alone', async (test) => {
    const farm = new TestFarm(test, ['source', 'early', 'late']);
    const asked = Promise.withResolvers<void>();
    const counting = { bundle: '', times: 0 };
    // The late one begins with the large files once it knows of the early one.
    const source: MachineInit = {
      disguise: (blobs) =>
        disguised(blobs, {
          manifest: async (...call) => {
            if (counting.bundle !== '') await asked.promise;
            return blobs.manifest(...call);
          },
        }),
    };
    const first = await farm.start('source', source);
    const early = await farm.start('early', {
      disguise: (blobs) =>
        disguised(blobs, {
          has: (hash) => {
            // Twice for the first question at most: by the third it is asked once more, and was heard before.
            if (hash === counting.bundle && ++counting.times === 3) asked.resolve();
            return blobs.has(hash);
          },
        }),
    });
    await reaches(early, first);
    const bundle = await storeBundle(first.blobs, contents);
    const holders = (): string[] => [first.peer];
    await early.transfer.ensureTree(bundle, { holders, pin: 'job' });
    const sentBefore = first.transfer.status().sentBytes;
    const late = await farm.start('late');
    await reaches(late, first, early);
    counting.bundle = bundle;
    await late.transfer.ensureTree(bundle, { holders, pin: 'job' });
    await whole(late, bundle);
    const fromFirst = first.transfer.status().sentBytes - sentBefore;
    const fromEarly = early.transfer.status().sentBytes;
    assert.ok(
      fromEarly > bundleBytes / 4,
      `${fromEarly} bytes from the early one, ${fromFirst} from the source`,
    );
  });

  it('R56: names one that passes on what does not fit, and brings all without it', async (test) => {
    const farm = new TestFarm(test, ['source', 'liar', ...TAKERS]);
    const [source, ...takers] = (await swarmOf(farm, ['source', ...TAKERS])) as [Machine, ...Machine[]];
    const liar = await farm.start('liar', {
      disguise: (blobs) =>
        disguised(blobs, {
          read: async (hash, options) => {
            const bytes = await blobs.read(hash, options);
            return bytes.length === 16_384 ? spoilt(bytes) : bytes;
          },
        }),
    });
    await storeBundle(liar.blobs, contents);
    for (const machine of [source, ...takers]) await reaches(machine, liar);
    const bundle = await storeBundle(source.blobs, contents);
    const holders = (): string[] => [liar.peer, source.peer];
    await Promise.all(takers.map(({ transfer }) => transfer.ensureTree(bundle, { holders })));
    for (const taker of takers) await whole(taker, bundle);
    const named = takers.filter(({ transfer }) => liar.peer in transfer.status().liars);
    assert.ok(named.length > 0, 'somebody met it');
    for (const { transfer } of takers)
      assert.deepEqual(
        Object.keys(transfer.status().liars).filter((peer) => peer !== liar.peer),
        [],
      );
  });
});
