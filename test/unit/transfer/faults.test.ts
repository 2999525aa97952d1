import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { encode, type BlobsAnswer, type BlobsRequest } from '@cuadro/protocol';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { Engine } from '../../../node/src/blobs/transfer/engine.ts';
import { defaultTransferOptions, swarmLimits } from '../../../node/src/blobs/transfer/limits.ts';
import { Lines } from '../../../node/src/blobs/transfer/lines.ts';
import { Peers } from '../../../node/src/blobs/transfer/peers.ts';
import { PieceMemory } from '../../../node/src/blobs/transfer/piece-memory.ts';
import type { Waiter } from '../../../node/src/blobs/transfer/wants.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { contentOf, filesBelow, newStore } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';
import { farmWithLiar, type Machine, peerOf, reaches, silent, spoilt, TestFarm } from './machines.ts';

const MIB = 2 ** 20;
const from = (...machines: Machine[]) => ({ holders: () => machines.map(({ peer }) => peer) });

describe('holders that lie', () => {
  const content = contentOf(7, 6 * MIB);

  it('R56: one that changes a piece is named, and the file comes from the other', async (test) => {
    const farm = new TestFarm(test, ['here', 'liar', 'honest']);
    const here = await farm.start('here');
    const liar = await farm.start('liar', {
      disguise: (blobs) =>
        disguised(blobs, {
          open: async (hash, options) => {
            const reader = await blobs.open(hash, options);
            const chunks = (async function* () {
              for await (const chunk of reader.chunks) yield spoilt(chunk);
            })();
            return { ...reader, chunks };
          },
        }),
    });
    const honest = await farm.start('honest');
    await reaches(here, liar, honest);
    const { hash } = await liar.blobs.putBytes(content);
    await honest.blobs.putBytes(content);
    await here.transfer.fetch(hash, from(liar, honest));
    assert.deepEqual(Buffer.from(await here.blobs.read(hash)), content);
    const { liars } = here.transfer.status();
    assert.deepEqual(Object.keys(liars), [liar.peer]);
    // It is not asked for other files either, for a while.
    const other = await liar.blobs.putBytes(Buffer.from('other'));
    await assert.rejects(here.transfer.fetch(other.hash, from(liar)), { code: 'blob-unreachable' });
  });

  it('R56: one that sends another small file is named', async (test) => {
    const { here, liar, hash } = await farmWithLiar(test, Buffer.from('a frame'));
    await here.transfer.fetch(hash, { holders: () => [liar.peer] });
    assert.equal(
      Buffer.from(await here.blobs.read(hash)).toString(),
      'a frame',
      'found at the other by asking',
    );
    assert.deepEqual(here.transfer.status().liars, { [liar.peer]: { count: 1, hash } });
  });

  it('R56: one that makes up a manifest is named, whether it serves all of it or honest pieces do not fit', async (test) => {
    for (const servesAll of [true, false]) {
      const farm = new TestFarm(test, ['here', 'liar', 'honest']);
      const here = await farm.start('here');
      const wrong = contentOf(8, content.length);
      let wrongHash = '';
      const liar = await farm.start('liar', {
        disguise: (blobs) =>
          disguised(blobs, {
            manifest: async (hash) => ({ ...(await blobs.manifest(wrongHash)), hash }),
            open: (hash, options) =>
              servesAll ? blobs.open(wrongHash, options) : Promise.reject(new Error(`no ${hash}`)),
          }),
      });
      const honest = await farm.start('honest');
      await reaches(here, liar, honest);
      wrongHash = (await liar.blobs.putBytes(wrong)).hash;
      const { hash } = await liar.blobs.putBytes(content);
      await honest.blobs.putBytes(content);
      // The liar is known first, so the manifest is its own.
      await here.transfer.fetch(hash, { holders: () => [liar.peer] });
      assert.deepEqual(Buffer.from(await here.blobs.read(hash)), content);
      const { liars } = here.transfer.status();
      assert.equal(liars[honest.peer], undefined);
      if (servesAll) assert.equal(liars[liar.peer]?.count, 1);
      for (const machine of [here, liar, honest]) await machine.stop();
    }
  });

  it('R55: one that speaks nonsense is named; one that asks nonsense is cut off', async (test) => {
    const farm = new TestFarm(test, ['here', 'odd']);
    const here = await farm.start('here');
    const odd = await farm.start('odd');
    await reaches(here, odd);
    const { hash } = await odd.blobs.putBytes(Buffer.from('x'));
    odd.mesh.serve('blobs', async (stream) => {
      for await (const _ of stream.chunks) await stream.write(Buffer.alloc(64, 0xff));
    });
    await assert.rejects(here.transfer.fetch(hash, from(odd)), { code: 'blob-unreachable' });
    assert.deepEqual(here.transfer.status().liars, { [odd.peer]: { count: 1, hash } });
    const mine = await here.blobs.putBytes(Buffer.from('y'));
    const head = encode({ kind: 'get', hashes: ['not a hash'] });
    for (const bytes of [Buffer.alloc(64, 0xff), Buffer.from([0, 0, 0, head.length, 0, 0, 0, 0, ...head])]) {
      const stream = await odd.mesh.open(here.peer, 'blobs');
      await stream.write(bytes);
      await assert.rejects(async () => {
        for await (const _ of stream.chunks) assert.fail('nothing is answered');
      });
    }
    await odd.transfer.fetch(mine.hash, from(here));
  });
});

describe("a machine of a swarm whose pieces don't fit another one's manifest", () => {
  const pieceBytes = MIB;
  /** As large as what is fetched with others, and few enough pieces for who has all to be asked too. */
  const content = contentOf(13, swarmLimits.bytesMin);
  const wrong = contentOf(14, content.length);
  const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const pieceOf = (bytes: Uint8Array, index: number): Uint8Array =>
    bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes);
  const indices = [...Array(content.length / pieceBytes).keys()];
  const [hash, bundle, another] = [hashOf(content), 'b'.repeat(64), 'a'.repeat(64)];
  const [liar, honest] = ['liar', 'honest'];
  /** More than may be asked; from then on there is no answer, so that who asks without a pause comes to an end. */
  const REQUESTS_MAX = 200;

  /**
   * Fetches a file of a bundle of two; the first manifest is the liar's, who says that it has all, and serves so many
   * pieces. The other one has all, or fetches too and has this file.
   */
  async function fetching(init: { liarServes: number; isSwarm: boolean }): Promise<{
    clock: ManualClock;
    peers: Peers;
    asked: () => number;
    state: () => string;
  }> {
    const clock = new ManualClock();
    const blobs = createMemoryBlobStore({ digest: (bytes) => Promise.resolve(hashOf(bytes)) });
    await blobs.start();
    const random = createSeededRandom(1);
    const memory = new PieceMemory({ clock });
    const mesh = {
      self: 'here',
      reachable: () => [liar, honest],
      open: () => Promise.reject(new Error('Nothing is opened.')),
      findProviders: async function* () {},
    };
    let asked = 0;
    let served = 0;
    const answers = function* (
      peer: string,
      request: BlobsRequest,
    ): Generator<[BlobsAnswer, Uint8Array | undefined]> {
      const bytes = peer === liar ? wrong : content;
      if (request.kind === 'parts') {
        const whole = peer === liar || !init.isSwarm;
        yield [{ kind: 'parts', bundle, whole, others: [] }, whole ? undefined : Uint8Array.of(0xff, 0)];
      } else if (request.kind === 'get') {
        const names = indices.map((index) => hashOf(pieceOf(bytes, index)));
        yield [{ kind: 'manifest', hash, sizeBytes: content.length }, Buffer.from(names.join(''), 'hex')];
      } else if (request.kind === 'pieces') {
        for (const index of request.pieces) {
          if (peer === liar && ++served > init.liarServes) throw new Error('The way to it failed.');
          yield [{ kind: 'piece', index }, pieceOf(bytes, index)];
        }
      } else if (request.kind === 'some') yield [{ kind: 'given' }, undefined];
    };
    const lines = disguised(new Lines({ mesh, clock, memory }, defaultTransferOptions), {
      exchange: async (peer, request, take) => {
        if (peer === honest && request.kind === 'pieces' && ++asked > REQUESTS_MAX)
          await new Promise(() => undefined);
        for (const [answer, body = new Uint8Array()] of answers(peer, request))
          if (await take(answer, body)) return;
      },
    });
    const peers = new Peers({ clock, logger: silent }, defaultTransferOptions);
    const nothing = (): void => undefined;
    const engine = new Engine(
      {
        blobs,
        clock,
        logger: silent,
        lines,
        memory,
        mesh,
        peers,
        random,
        received: nothing,
        brought: nothing,
      },
      defaultTransferOptions,
    );
    const files = [
      { path: 'file', blob: hash, sizeBytes: content.length },
      { path: 'another', blob: another, sizeBytes: 1 },
    ];
    const holders = (): string[] => [liar, honest];
    const wanted = { hash, sizeBytes: content.length };
    const flock = engine.flocks.join(bundle, { files, missing: [wanted], named: holders });
    let state = 'under way';
    const waiter: Waiter = {
      holders,
      told: nothing,
      ended: (_, result) => (state = 'info' in result ? 'here' : String(result.error)),
    };
    engine.join(wanted, waiter, { providedAs: bundle, flock });
    return { clock, peers, asked: () => asked, state: () => state };
  }

  it('R56: is asked again after a pause each time, and brings all once nobody gets further with that manifest', async () => {
    const { clock, peers, asked, state } = await fetching({ liarServes: 0, isSwarm: true });
    await clock.advanceSettled(swarmLimits.giveUpMs - 1_000);
    assert.equal(state(), 'under way');
    // Two lanes, and a pause that grows to a second.
    const most = (2 * swarmLimits.giveUpMs) / 1_000;
    assert.ok(asked() > 4 && asked() <= most, `asked ${asked()} times`);
    await clock.advanceSettled(4_000);
    assert.deepEqual([state(), Object.keys(peers.liars)], ['here', []]);
  });

  it('R56: is not given up: it brings all of it as one of the swarm once the manifest is proved wrong', async () => {
    const { clock, peers, state } = await fetching({ liarServes: Infinity, isSwarm: true });
    await clock.advanceSettled(swarmLimits.giveUpMs / 2);
    assert.deepEqual([state(), Object.keys(peers.liars)], ['here', [liar]]);
  });

  for (const liarServes of [0, 1])
    it(`R56: brings all where the liar serves ${liarServes} of what it made up, and nobody else fetches it`, async () => {
      const { clock, peers, state } = await fetching({ liarServes, isSwarm: false });
      await clock.advanceSettled(swarmLimits.giveUpMs);
      assert.deepEqual([state(), Object.keys(peers.liars)], ['here', []]);
    });
});

describe('holders that go', () => {
  it('one is killed half-way: the other brings the rest', async (test) => {
    const farm = new TestFarm(test, ['here', 'one', 'two']);
    const here = await farm.start('here');
    const one = await farm.start('one');
    const two = await farm.start('two');
    await reaches(here, one, two);
    const bytes = contentOf(9, 24 * MIB);
    const { hash } = await one.blobs.putBytes(bytes);
    await two.blobs.putBytes(bytes);
    let killed = false;
    const onProgress = ({ doneBytes }: { doneBytes: number }): void => {
      if (killed || doneBytes < 6 * MIB) return;
      killed = true;
      farm.network.kill(one.peer);
    };
    await here.transfer.fetch(hash, { ...from(one, two), onProgress });
    assert.ok(killed);
    assert.deepEqual(Buffer.from(await here.blobs.read(hash)), bytes);
  });

  it('one falls silent: after the stall another is asked', async (test) => {
    const farm = new TestFarm(test, ['here', 'one', 'two']);
    const clock = new ManualClock();
    const here = await farm.start('here', { clock, options: { stallMs: 10_000, lanesPerPeer: 2 } });
    const asked = Promise.withResolvers<void>();
    let requests = 0;
    // It gives the manifest, takes the requests for pieces, and is never heard of again.
    const never = (): Promise<never> => {
      if (++requests === 2) asked.resolve();
      return new Promise(() => undefined);
    };
    const one = await farm.start('one', { disguise: (blobs) => disguised(blobs, { open: never }) });
    await reaches(here, one);
    const bytes = contentOf(10, 12 * MIB);
    const { hash } = await one.blobs.putBytes(bytes);
    const store = newStore(farm.folderOf('two'));
    await store.start();
    await store.putBytes(bytes);
    await store.stop();
    const fetching = here.transfer.fetch(hash, { holders: () => [one.peer, peerOf('two')] });
    await asked.promise;
    await clock.advanceSettled(9_999);
    const two = await farm.start('two');
    await reaches(here, two);
    // Only now does time pass that the silent one is given up by; the other needs none.
    await clock.advanceSettled(1);
    assert.equal((await fetching).sizeBytes, bytes.length);
    assert.deepEqual(here.transfer.status().liars, {});
    assert.equal(two.transfer.status().sentBytes, bytes.length);
  });

  it('the only one goes and comes back: the fetch fails, and a later one goes on where it was', async (test) => {
    const farm = new TestFarm(test, ['here', 'there']);
    const here = await farm.start('here');
    let there = await farm.start('there');
    await reaches(here, there);
    const bytes = contentOf(11, 24 * MIB);
    const { hash } = await there.blobs.putBytes(bytes);
    let cut = false;
    const onProgress = ({ doneBytes }: { doneBytes: number }): void => {
      if (cut || doneBytes < 8 * MIB) return;
      cut = true;
      farm.network.kill(there.peer);
    };
    const holders = (): string[] => [peerOf('there')];
    await assert.rejects(here.transfer.fetch(hash, { holders, onProgress }), {
      code: 'blob-unreachable',
      holders: [there.peer],
    });
    await there.stop();
    there = await farm.start('there');
    await reaches(here, there);
    await here.transfer.fetch(hash, { holders, pin: 'job' });
    assert.deepEqual(Buffer.from(await here.blobs.read(hash)), bytes);
    const { sentBytes } = there.transfer.status();
    assert.ok(sentBytes <= bytes.length - 8 * MIB + 24 * 32, `only the rest is sent (${sentBytes})`);
    assert.deepEqual(filesBelow(`${farm.folderOf('here')}/incoming`), []);
  });

  it('a damaged copy is not served: it comes from elsewhere', async (test) => {
    const farm = new TestFarm(test, ['here', 'damaged', 'whole']);
    const here = await farm.start('here');
    const damaged = await farm.start('damaged', {
      disguise: (blobs) =>
        disguised(blobs, {
          open: async (hash, options) => {
            const { BlobCorruptError } = await import('../../../node/src/blobs/errors.ts');
            if ((options?.range?.start ?? 0) < 2 * MIB) return blobs.open(hash, options);
            throw new BlobCorruptError(hash);
          },
        }),
    });
    const whole = await farm.start('whole');
    await reaches(here, damaged, whole);
    const bytes = contentOf(12, 6 * MIB);
    const { hash } = await damaged.blobs.putBytes(bytes);
    await whole.blobs.putBytes(bytes);
    await here.transfer.fetch(hash, from(damaged, whole));
    assert.deepEqual(Buffer.from(await here.blobs.read(hash)), bytes);
    assert.deepEqual(here.transfer.status().liars, {});
  });
});
