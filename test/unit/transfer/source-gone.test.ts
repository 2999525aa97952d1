import { describe, it, type TestContext } from 'node:test';
import type { BlobArrival } from '../../../node/src/blobs/interface.ts';
import { contentOf } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';
import { type Machine, reaches, storeBundle, TestFarm } from './machines.ts';

/** A bundle whose source is gone, and of which one machine has all pieces and no file that is proved and durable. */

const MIB = 2 ** 20;
const contents = [1, 2, 3].map((seed) => contentOf(seed, 3 * MIB + 3));
/** Of asking what others have: in the first they are named, in the second asked; the other one asks meanwhile too. */
const ROUNDS = 5;

interface Held {
  readonly farm: TestFarm;
  readonly source: Machine;
  readonly second: Machine;
  readonly bundle: string;
  readonly holders: () => string[];
  /** Resolves once the source was asked so often that whoever began to fetch since knows of the first. */
  readonly isKnown: Promise<void>;
  /** Ends what the first waits for, and the source. */
  readonly end: () => void;
  readonly ended: Promise<unknown>;
}

/** Resolves when the first has all. From then on the source doesn't answer one kind of call any more. */
async function held(test: TestContext, { silent }: { silent?: 'open' | 'manifest' } = {}): Promise<Held> {
  const farm = new TestFarm(test, ['source', 'first', 'second']);
  const [isThere, isKnown, isOver] = [gate(), gate(), gate()];
  let left = contents.length;
  let asked = 0;
  let bundle = '';
  const first = await farm.start('first', {
    disguise: (blobs) =>
      disguised(blobs, {
        receive: async (...call) => {
          const arrival = await blobs.receive(...call);
          const finish: BlobArrival['finish'] = async (...options) => {
            if (--left === 0) isThere.resolve();
            await isOver.promise;
            return arrival.finish(...options);
          };
          return disguised(arrival, { finish });
        },
      }),
  });
  const source = await farm.start('source', {
    disguise: (blobs) => {
      const answered = (call: 'open' | 'manifest'): Promise<void> | undefined =>
        left === 0 && silent === call ? isOver.promise : undefined;
      return disguised(blobs, {
        has: (hash) => {
          if (left === 0 && hash === bundle && ++asked === ROUNDS) isKnown.resolve();
          return blobs.has(hash);
        },
        open: async (...call) => (await answered('open'), blobs.open(...call)),
        manifest: async (...call) => (await answered('manifest'), blobs.manifest(...call)),
      });
    },
  });
  const second = await farm.start('second');
  await reaches(source, first, second);
  await reaches(second, first);
  bundle = await storeBundle(source.blobs, contents);
  const holders = (): string[] => [source.peer];
  const fetch = first.transfer.ensureTree(bundle, { holders });
  await isThere.promise;
  const [known, end] = [isKnown.promise, isOver.resolve];
  return { farm, source, second, bundle, holders, isKnown: known, end, ended: fetch };
}

const gate = (): PromiseWithResolvers<void> => Promise.withResolvers<void>();

describe('a bundle whose source is gone', () => {
  for (const silent of ['open', 'manifest'] as const) {
    it(`R151, R152: comes from who has its pieces, though nobody has a file whole (it ended before its ${silent})`, async (test) => {
      const { farm, source, second, bundle, holders, isKnown, end, ended } = await held(test, { silent });
      const fetch = second.transfer.ensureTree(bundle, { holders });
      await Promise.race([isKnown, fetch]);
      farm.network.kill(source.peer);
      await fetch.finally(end);
      await ended;
    });
  }

  it('R152: is found at who has its pieces by one that comes later', async (test) => {
    const { farm, source, second, bundle, holders, end, ended } = await held(test);
    farm.network.kill(source.peer);
    await second.transfer.ensureTree(bundle, { holders }).finally(end);
    await ended;
  });
});
