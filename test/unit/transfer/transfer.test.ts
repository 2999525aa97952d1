import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { FetchProgress } from '../../../node/src/blobs/transfer/interface.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';
import { contentOf } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';
import { type Machine, reaches, TestFarm } from './machines.ts';

const MIB = 2 ** 20;
const from = (...machines: Machine[]) => ({ holders: () => machines.map(({ peer }) => peer) });

async function farmOf(test: TestContext, names: string[]) {
  const farm = new TestFarm(test, names);
  const machines: Machine[] = [];
  for (const name of names) machines.push(await farm.start(name));
  await reaches(machines[0] as Machine, ...machines.slice(1));
  return { farm, machines };
}

describe('fetching from other machines', () => {
  it('brings files of every size, durable and pinned, and tells how far it is', async (test) => {
    const { machines } = await farmOf(test, ['here', 'there']);
    const [here, there] = machines as [Machine, Machine];
    for (const size of [0, 1, 300_000, MIB, MIB + 1, 5 * MIB + 7]) {
      const bytes = contentOf(size, size);
      const { hash } = await there.blobs.putBytes(bytes);
      const told: FetchProgress[] = [];
      const info = await here.transfer.fetch(hash, {
        ...from(there),
        pin: 'job',
        onProgress: (progress) => told.push(progress),
      });
      assert.deepEqual(info, { hash, sizeBytes: size });
      assert.deepEqual(Buffer.from(await here.blobs.read(hash)), bytes);
      assert.deepEqual(here.blobs.pins(hash), ['job']);
      assert.deepEqual(told.at(-1), { doneBytes: size, sizeBytes: size, from: [there.peer] });
    }
    const sent = there.transfer.status().sentBytes;
    const [first] = here.blobs.pinnedBy('job');
    await here.transfer.fetch(first as string, { holders: () => [], pin: 'other' });
    assert.equal(there.transfer.status().sentBytes, sent, 'what is here is not fetched again');
    assert.deepEqual(here.blobs.pins(first as string), ['job', 'other']);
  });

  it('takes pieces from all holders at once', async (test) => {
    const { machines } = await farmOf(test, ['here', 'one', 'two']);
    const [here, one, two] = machines as [Machine, Machine, Machine];
    const bytes = contentOf(1, 24 * MIB);
    const { hash } = await one.blobs.putBytes(bytes);
    await two.blobs.putBytes(bytes);
    await here.transfer.fetch(hash, from(one, two));
    const share = ({ transfer }: Machine): number => transfer.status().sentBytes / bytes.length;
    const shares = [share(one), share(two)] as const;
    for (const share of shares)
      assert.ok(share > 0.2, `each brings a good part, not ${shares.join(' and ')}`);
    assert.ok(shares[0] + shares[1] < 1.01, 'nothing is fetched twice');
  });

  it('shares one fetch among all who wait, and goes on until nobody does', async (test) => {
    const { machines } = await farmOf(test, ['here', 'there']);
    const [here, there] = machines as [Machine, Machine];
    const bytes = contentOf(2, 12 * MIB);
    const { hash } = await there.blobs.putBytes(bytes);
    const impatient = new AbortController();
    const reason = new Error('enough');
    const first = here.transfer.fetch(hash, {
      ...from(there),
      signal: impatient.signal,
      onProgress: ({ doneBytes }) => doneBytes > 0 && impatient.abort(reason),
    });
    const second = here.transfer.fetch(hash, { ...from(there), pin: 'job' });
    await assert.rejects(first, reason);
    assert.equal((await second).sizeBytes, bytes.length);
    assert.deepEqual(here.blobs.pins(hash), ['job']);
    assert.equal(
      there.transfer.status().sentBytes,
      bytes.length + 12 * 32,
      'once: the pieces and their list',
    );
  });

  it('gives up what nobody waits for, and goes on with it later', async (test) => {
    const { farm, machines } = await farmOf(test, ['here', 'there']);
    const [here, there] = machines as [Machine, Machine];
    const bytes = contentOf(3, 40 * MIB);
    const { hash } = await there.blobs.putBytes(bytes);
    const giveUp = new AbortController();
    const fetching = here.transfer.fetch(hash, {
      ...from(there),
      signal: giveUp.signal,
      onProgress: ({ doneBytes }) => doneBytes >= 8 * MIB && giveUp.abort(new Error('enough')),
    });
    await assert.rejects(fetching, /enough/);
    await here.stop();
    const sent = there.transfer.status().sentBytes;
    assert.ok(sent < bytes.length, 'the rest was not sent');
    const again = await farm.start('here');
    await reaches(again, there);
    await again.transfer.fetch(hash, from(there));
    assert.deepEqual(Buffer.from(await again.blobs.read(hash)), bytes);
    const resent = there.transfer.status().sentBytes - sent;
    assert.ok(resent <= bytes.length - 8 * MIB + 40 * 32, `what was here is not sent again (${resent})`);
  });

  it('fetches many small files in few streams, identical ones once', async (test) => {
    const { machines } = await farmOf(test, ['here', 'there']);
    const [here, there] = machines as [Machine, Machine];
    const contents = Array.from({ length: 2_000 }, (_, i) => ({
      bytes: Buffer.from(`texture ${i % 1_500}`),
    }));
    const infos = await there.blobs.putMany(contents);
    let opened = 0;
    const open = here.mesh.open.bind(here.mesh);
    here.mesh.open = (...call) => {
      opened++;
      return open(...call);
    };
    await here.transfer.fetchMany(infos, { ...from(there), pin: 'job' });
    assert.equal(here.blobs.pinnedBy('job').length, 1_500);
    assert.ok(opened <= 3, `${opened} streams`);
    for (const { hash } of infos) assert.notEqual(await here.blobs.has(hash), undefined);
  });

  it('refuses what the store has no room for, and keeps nothing of it', async (test) => {
    const farm = new TestFarm(test, ['here', 'there']);
    const here = await farm.start('here', { store: { quotaBytes: 3 * MIB } });
    const there = await farm.start('there');
    await reaches(here, there);
    const [large, small] = [contentOf(4, 4 * MIB), contentOf(5, 1000)];
    const { hash } = await there.blobs.putBytes(large);
    await assert.rejects(here.transfer.fetch(hash, { ...from(there), pin: 'job' }), { code: 'store-full' });
    assert.deepEqual([await here.blobs.has(hash), here.blobs.pinOwners()], [undefined, []]);
    const info = await there.blobs.putBytes(small);
    await here.transfer.fetch(info.hash, from(there));
  });

  it('pins what was here already as well as what comes', async (test) => {
    const { machines } = await farmOf(test, ['here', 'there']);
    const [here, there] = machines as [Machine, Machine];
    const sources = [8, 9, 10].map((seed) => ({ bytes: contentOf(seed, 1_000) }));
    const infos = await there.blobs.putMany(sources);
    await here.blobs.putMany(sources.slice(1));
    await here.transfer.fetchMany([...infos, ...infos], { ...from(there), pin: 'job' });
    const hashes = infos.map(({ hash }) => hash).sort();
    assert.deepEqual(here.blobs.pinnedBy('job').toSorted(), hashes);
  });

  it('pins each file as it comes, and none that comes after its waiter has given up', async (test) => {
    const farm = new TestFarm(test, ['here', 'there']);
    const gate = Promise.withResolvers<void>();
    const stored = Promise.withResolvers<void>();
    const [early, late] = [contentOf(6, 1_000), contentOf(7, 2_000)];
    const here = await farm.start('here', {
      disguise: (blobs) =>
        disguised(blobs, {
          putBytes: async (bytes, options) => {
            if (bytes.length !== late.length) return blobs.putBytes(bytes, options);
            await gate.promise;
            return blobs.putBytes(bytes, options).finally(stored.resolve);
          },
        }),
    });
    const there = await farm.start('there');
    await reaches(here, there);
    const infos = await there.blobs.putMany([{ bytes: early }, { bytes: late }]);
    const [first, second] = infos.map(({ hash }) => hash) as [string, string];
    const giveUp = new AbortController();
    const fetching = here.transfer.fetchMany(infos, { ...from(there), pin: 'job', signal: giveUp.signal });
    while (here.blobs.pins(first).length === 0) await new Promise((next) => setImmediate(next));
    giveUp.abort(new Error('enough'));
    await assert.rejects(fetching, /enough/);
    gate.resolve();
    await stored.promise;
    assert.deepEqual([here.blobs.pins(first), here.blobs.pins(second)], [['job'], []]);
    assert.notEqual(await here.blobs.has(second), undefined, 'it is here, as any that nobody needs');
  });

  it('waits its turn at a holder that many ask', async (test) => {
    const names = ['there', 'a', 'b', 'c', 'd'];
    const farm = new TestFarm(test, names);
    const there = await farm.start('there', { options: { uploads: 1, uploadsWaiting: 0 } });
    const others: Machine[] = [];
    for (const name of names.slice(1)) others.push(await farm.start(name));
    await reaches(there, ...others);
    const { hash } = await there.blobs.putBytes(contentOf(6, 3 * MIB));
    await Promise.all(others.map(({ transfer }) => transfer.fetch(hash, from(there))));
    for (const { blobs } of others) assert.notEqual(await blobs.has(hash), undefined);
  });

  it('serves as many requests at a time as it may, and no more, however many ask', async (test) => {
    const names = ['there', 'a', 'b', 'c', 'd'];
    const farm = new TestFarm(test, names);
    const uploads = 2;
    let [open, most] = [0, 0];
    const there = await farm.start('there', {
      options: { uploads, uploadsWaiting: 16 },
      disguise: (blobs) =>
        disguised(blobs, {
          open: async (...call) => {
            most = Math.max(most, ++open);
            // Time for every request that is let in to come here as well.
            for (let turn = 0; turn < 20; turn++) await nextTurn();
            return blobs.open(...call).finally(() => (open -= 1));
          },
        }),
    });
    const others: Machine[] = [];
    for (const name of names.slice(1)) others.push(await farm.start(name));
    await reaches(there, ...others);
    const { hash } = await there.blobs.putBytes(contentOf(6, 6 * MIB));
    await Promise.all(others.map(({ transfer }) => transfer.fetch(hash, from(there))));
    assert.equal(most, uploads);
  });
});
