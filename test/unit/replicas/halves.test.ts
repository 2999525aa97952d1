import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { heldBy, type JobRecord, withdrawnBy } from '@cuadro/protocol';
import type { BlobStoreError } from '../../../node/src/blobs/errors.ts';
import type { CoreQueries } from '../../../node/src/core/interface.ts';
import { createCopyWatch } from '../../../node/src/jobs/copy-watch.ts';
import { jobHolders } from '../../../node/src/replicas/needs.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { flipBit, storedAt } from '../../e2e/support/damage.ts';
import { contentOf } from '../blobs/helpers.ts';
import { peerOf, reaches, signerOf, silent, TestFarm } from '../transfer/machines.ts';
import { JOB, type Keeper, leaverOf, startKeeper, submittedJob, TestRecords } from './keepers.ts';

const [ONE, TWO] = [contentOf(1, 3_000), contentOf(2, 2_000)];
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const turn = (): Promise<void> => new Promise((next) => setImmediate(next));

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

/** Takes its word back for what turns out damaged, as a node does. */
async function watchCopies(test: TestContext, { name, blobs, records }: Keeper): Promise<void> {
  const queries: Partial<CoreQueries> = {
    jobIds: records.jobIds,
    jobRecord: records.jobRecord,
    taskRecord: records.taskRecord,
    tasksWithResult: () => [],
    tasksWithFailure: () => [],
    nodes: () => [],
  };
  const watch = createCopyWatch({
    blobs,
    clock: createSystemClock(),
    logger: silent,
    signer: signerOf(name),
    store: { getLocal: () => Promise.resolve(undefined), setLocal: () => Promise.resolve() },
    driver: { queries: queries as CoreQueries, merge: (changed) => records.merge(changed) },
  });
  await watch.start();
  test.after(() => watch.stop());
}

/** Two machines that know the same records at any time, and hold a job of two files. A third one may come later. */
async function farmOf(test: TestContext) {
  const members = ['first', 'second', 'third'];
  const farm = new TestFarm(test, members);
  const records = new TestRecords();
  const told: TestRecords['onChanged'][] = [];
  const start = async (name: string, ...others: Keeper[]): Promise<Keeper> => {
    const keeper = await startKeeper(farm, name, { members, records, copyOptions: { jobCopies: 2 } });
    told.push(records.onChanged);
    records.onChanged = (changed) => told.forEach((tell) => tell(changed));
    await reaches(keeper, ...others);
    await watchCopies(test, keeper);
    return keeper;
  };
  const first = await start('first');
  const second = await start('second', first);
  await reaches(first, second);
  const job = await submittedJob(first, { files: [ONE, TWO] });
  await records.merge([job]);
  await records.until(() => whole(records).length === 2);
  // Until it has answered, the second one still looks whether all of it is there.
  await until(() => isAnswered(first, second));
  return { farm, records, start, first, second, job };
}

const whole = (records: TestRecords): string[] => {
  const job = records.jobRecord(JOB);
  return job === undefined ? [] : jobHolders(job, () => true);
};

/** Nobody owes another an answer about a copy. */
const isAnswered = (...keepers: Keeper[]): boolean =>
  keepers.every(({ copies }) => copies.state().asked === 0);

/** Two machines can't reach each other while this happens. */
async function apart(
  { farm, first, second }: Awaited<ReturnType<typeof farmOf>>,
  happens: () => Promise<void>,
): Promise<void> {
  const areApart = (): boolean =>
    !first.mesh.reachable().includes(second.peer) && !second.mesh.reachable().includes(first.peer);
  farm.network.cut(first.peer, second.peer, { reset: true });
  await until(areApart);
  await happens();
  farm.network.restore(first.peer, second.peer);
  await reaches(first, second);
  await reaches(second, first);
}

/** A bit turns in a stored file, and somebody reads it. Whoever else reads it may be the first who meets the damage. */
async function damage({ farm }: { farm: TestFarm }, { name, blobs }: Keeper, hash: string): Promise<void> {
  const met = Promise.withResolvers<void>();
  const unsubscribe = blobs.subscribe((event) => {
    if (event.type === 'blob-corrupt' && event.hash === hash) met.resolve();
  });
  await flipBit(storedAt(farm.folderOf(name), hash), 10);
  await assert.rejects(blobs.read(hash), ({ code }: BlobStoreError) =>
    /^blob-(corrupt|not-found)$/.test(code),
  );
  await met.promise;
  unsubscribe();
}

describe('R185: a job that no machine holds whole any more', () => {
  const cases: [what: string, lost: (job: JobRecord) => readonly [ofFirst: string, ofSecond: string]][] = [
    ['one has its plan and one its scene', ({ spec }) => [spec.plan, hashOf(ONE)]],
    ['each lacks another file of its scene', () => [hashOf(ONE), hashOf(TWO)]],
    ['one lacks the list of its files', ({ spec }) => [hashOf(TWO), spec.bundle as string]],
  ];
  for (const [what, lost] of cases) {
    it(`is held by both again where ${what}`, async (test) => {
      const house = await farmOf(test);
      const { records, first, second, job } = house;
      const [ofFirst, ofSecond] = lost(job);
      await apart(house, async () => {
        await damage(house, first, ofFirst);
        await damage(house, second, ofSecond);
        await records.until(() => whole(records).length === 0);
      });
      await records.until(() => whole(records).length === 2);
      for (const { blobs } of [first, second]) {
        for (const hash of [ofFirst, ofSecond]) assert.ok(blobs.pins(hash).includes(JOB));
      }
      // Whoever has it whole first may ask the other one while that looks for it, too: what comes is pinned for each of
      // the two copies until that copy has ended (SPEC R139).
      await until(() => isAnswered(first, second));
      for (const { copies } of [first, second]) await copies.stop();
      for (const { blobs } of [first, second]) {
        for (const hash of [ofFirst, ofSecond]) {
          assert.deepEqual(blobs.pins(hash), [JOB]);
          assert.equal(hashOf(await blobs.read(hash)), hash);
        }
      }
      const { plan, bundle } = (records.jobRecord(JOB) as JobRecord).holders;
      assert.deepEqual(heldBy(plan), heldBy(bundle));
    });
  }

  it('says what nobody has, and has it of a machine that was promised nothing once that is there', async (test) => {
    const house = await farmOf(test);
    const { records, start, first, second } = house;
    const lost = hashOf(TWO);
    await apart(house, async () => {
      for (const keeper of [first, second]) await damage(house, keeper, lost);
      await records.until(() => whole(records).length === 0);
    });
    const sentence =
      'The file 1 of its scene is damaged or gone here, and no machine within reach has it. ' +
      'It is looked for again; if no other has it, submit the job again.';
    const lacking = (): (string | undefined)[] => [first, second].map(({ copies }) => copies.lacking(JOB));
    await until(() => lacking().every((said) => said !== undefined));
    assert.deepEqual(lacking(), [sentence, sentence]);
    assert.deepEqual(whole(records), []);
    // As one that is about to leave it is asked to hold nothing, or it could be the second that holds the job.
    for (const { leaving } of [first, second]) leaving.add(peerOf('third'));
    const third = await start('third');
    // A copy that is promised to nobody, as a machine has that rendered of it.
    await third.blobs.putBytes(TWO);
    await reaches(third, first, second);
    await records.until(() => whole(records).length === 2);
    assert.deepEqual(whole(records), [first.peer, second.peer].sort());
    assert.deepEqual(lacking(), [undefined, undefined]);
    for (const { blobs } of [first, second]) assert.equal(hashOf(await blobs.read(lost)), lost);
  });

  it('keeps a machine that leaves until it has looked, so that what it alone has stays', async (test) => {
    const house = await farmOf(test);
    const { records, first, second, job } = house;
    const leaver = leaverOf(test, first);
    await leaver.departure.start();
    await apart(house, async () => {
      await damage(house, first, job.spec.plan);
      await damage(house, second, hashOf(ONE));
      await records.until(() => whole(records).length === 0);
      // It looks for it while nobody is there, in vain, and doesn't wait for that.
      await until(() => first.copies.lacking(JOB) !== undefined);
      second.leaving.add(first.peer);
      leaver.wants();
    });
    await leaver.left;
    assert.ok(whole(records).includes(second.peer));
    assert.equal(hashOf(await second.blobs.read(job.spec.plan)), job.spec.plan);
  });
});

it('R188: a job that only a removed machine held is held by those that stay, once one has it of rendering', async (test) => {
  const members = ['first', 'second', 'sold'];
  const farm = new TestFarm(test, members);
  const records = new TestRecords();
  const told: TestRecords['onChanged'][] = [];
  const start = async (name: string): Promise<Keeper> => {
    const keeper = await startKeeper(farm, name, { members, records, copyOptions: { jobCopies: 2 } });
    told.push(records.onChanged);
    records.onChanged = (changed) => told.forEach((tell) => tell(changed));
    return keeper;
  };
  const [first, second] = [await start('first'), await start('second')];
  await reaches(first, second);
  const sold = peerOf('sold');
  const job = await submittedJob({ name: 'sold', peer: sold, blobs: second.blobs }, { files: [ONE, TWO] });
  // What is here for rendering is promised to nobody.
  await second.blobs.unpinOwner(JOB);
  for (const { members: known } of [first, second]) known.delete(sold);
  records.gone.add(sold);
  const { plan, bundle } = job.holders;
  const holders = { plan: withdrawnBy(plan, sold), bundle: withdrawnBy(bundle, sold) };
  await records.merge([{ ...job, holders }]);
  await records.until(() => whole(records).length === 2);
  assert.deepEqual(whole(records), [first.peer, second.peer].sort());
  for (const { blobs } of [first, second]) assert.equal(blobs.pinnedBy(JOB).length, 4);
});
