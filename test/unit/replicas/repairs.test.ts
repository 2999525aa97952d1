import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import {
  countingResult,
  encode,
  heldBy,
  type BlobHash,
  type JobRecord,
  type TaskRecord,
} from '@cuadro/protocol';
import { CopyRepairs, repairRate } from '../../../node/src/replicas/copy-repairs.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { contentOf } from '../blobs/helpers.ts';
import { reaches, TestFarm } from '../transfer/machines.ts';
import {
  failedWithLog,
  JOB,
  type Keeper,
  logHolders,
  madeResult,
  startKeeper,
  submittedJob,
} from './keepers.ts';

const MIB = 2 ** 20;
const NAMES = ['maker', 'lost', 'other'] as const;

/** Three that know one another, of which the maker's copies in place of lost ones are bounded. */
async function boundedFarm(test: TestContext) {
  const farm = new TestFarm(test, NAMES);
  const bound = { bytesPerSecond: Number.POSITIVE_INFINITY };
  const keepers: Keeper[] = [];
  for (const name of NAMES) {
    const more = name === 'maker' ? { repairBytesPerSecond: () => bound.bytesPerSecond } : {};
    keepers.push(await startKeeper(farm, name, { members: NAMES, copyOptions: { jobCopies: 1 }, ...more }));
  }
  const [maker, lost, other] = keepers as [Keeper, Keeper, Keeper];
  await reaches(maker, lost);
  await reaches(maker, other);
  // Submitted by the one that is lost, so that it holds the second copies.
  const job = await submittedJob(lost);
  for (const { records } of keepers) await records.merge([job]);
  return { maker, lost, other, bound };
}

async function isLost(lost: Keeper, others: readonly Keeper[]): Promise<void> {
  await lost.stop();
  for (const keeper of others) {
    keeper.members.delete(lost.peer);
    keeper.copies.membersChanged();
  }
}

describe('R164: copies in place of lost ones', () => {
  it('are paid for by their size: in the long run no more goes out than the rate', () => {
    const clock = new ManualClock();
    let rate = 10;
    let woken = 0;
    const blobs = { read: (_hash: BlobHash): Promise<Uint8Array> => Promise.reject(new Error('none')) };
    const repairs = new CopyRepairs(
      { clock, blobs, repairBytesPerSecond: () => rate },
      { onReady: () => woken++ },
    );
    let sent = 0;
    const sendAll = (): void => {
      while (repairs.isReady) {
        repairs.spend(25);
        sent += 25;
      }
    };
    for (let second = 0; second < 100; second++) {
      sendAll();
      clock.advance(1_000);
    }
    assert.ok(sent >= 950 && sent <= 1_050, `${sent} in 100 s at 10 a second`);
    assert.ok(woken > 90, 'it says when there is more to spend');
    rate = Number.POSITIVE_INFINITY;
    clock.advance(1);
    for (let i = 0; i < 1_000; i++) {
      assert.ok(repairs.isReady);
      repairs.spend(1e9);
    }
    repairs.stop();
  });

  it('of a job are those of one that was elsewhere, and wait until its size is known', async () => {
    const clock = new ManualClock();
    const tree = {
      version: 1,
      main: '0',
      files: [{ path: '0', blob: 'a'.repeat(64), sizeBytes: 50 }],
      remap: [],
    };
    const ready = Promise.withResolvers<void>();
    const repairs = new CopyRepairs(
      { clock, blobs: { read: async () => encode(tree) }, repairBytesPerSecond: () => 10 },
      { onReady: () => ready.resolve() },
    );
    const jobOn = (plan: JobRecord['holders']['plan']): JobRecord =>
      ({
        id: JOB,
        spec: { bundle: 'b'.repeat(64) },
        holders: { plan, bundle: plan },
      }) as unknown as JobRecord;
    const held = { held: true, counter: 1 };
    const isLive = (peer: string): boolean => peer !== 'lost';
    assert.equal(repairs.isOfJob(jobOn({ here: held }), isLive), false, 'a new one');
    assert.equal(repairs.isOfJob(jobOn({ here: held, lost: held }), isLive), true);
    assert.equal(repairs.isOfJob(jobOn({ here: held, other: { held: false, counter: 2 } }), isLive), true);
    const job = jobOn({ here: held, lost: held });
    assert.equal(repairs.isJobReady(job), false);
    await ready.promise;
    for (let time = 0; time < 3; time++) assert.equal(repairs.isJobReady(job), true, 'looking costs nothing');
    repairs.takeJob(JOB);
    assert.equal(repairs.isReady, false);
    clock.advance(4_000);
    assert.equal(repairs.isReady, false);
    clock.advance(1_000);
    assert.equal(repairs.isReady, true, '50 bytes at 10 a second, of which 10 were there');
    repairs.stop();
  });

  it('give way while this machine renders', () => {
    assert.deepEqual([repairRate(40, false), repairRate(40, true)], [40 * MIB, 10 * MIB]);
    assert.equal(repairRate(0, true), Number.POSITIVE_INFINITY);
  });

  it('wait for their turn, while what is new goes at once', async (test) => {
    const { maker, lost, other, bound } = await boundedFarm(test);
    const made: TaskRecord[] = [];
    for (let index = 0; index < 6; index++)
      made.push(await madeResult(maker, index, [contentOf(index, MIB)]));
    await maker.records.merge(made);
    const holders = (index: number): string[] => {
      const task = maker.records.taskRecord(JOB, index);
      return heldBy((task && countingResult(task))?.holders ?? {});
    };
    const isOn = (keeper: Keeper, index: number): boolean => holders(index).includes(keeper.peer);
    await maker.records.until(() => made.every(({ index }) => isOn(lost, index)));
    // One byte a second: the first is asked for, on credit for days, and no other.
    bound.bytesPerSecond = 1;
    await isLost(lost, [maker, other]);
    await maker.records.until(() => made.some(({ index }) => isOn(other, index)));
    await maker.records.merge([await madeResult(maker, 7, [contentOf(7, MIB)])]);
    await maker.records.until(() => isOn(other, 7));
    // Its answer is written down a moment after it counts.
    while (maker.copies.state().results > 5) await new Promise((next) => setImmediate(next));
    assert.equal(made.filter(({ index }) => isOn(other, index)).length, 1);
    assert.equal(maker.copies.state().results, 5);
    bound.bytesPerSecond = Number.POSITIVE_INFINITY;
    maker.copies.membersChanged();
    await maker.records.until(() => made.every(({ index }) => isOn(other, index)));
  });

  it('R133: are those of logs too, while a new log goes at once', async (test) => {
    const { maker, lost, other, bound } = await boundedFarm(test);
    const logs = await Promise.all(
      [0, 1, 2].map((index) => failedWithLog(maker, index, contentOf(index, MIB))),
    );
    await maker.records.merge(logs.map(({ task }) => task));
    const on = (keeper: Keeper) =>
      [0, 1, 2].filter((index) => logHolders(maker, index).includes(keeper.peer));
    await maker.records.until(() => on(lost).length === 3);
    // One byte a second: the first is asked for, on credit for days, and no other.
    bound.bytesPerSecond = 1;
    await isLost(lost, [maker, other]);
    await maker.records.until(() => on(other).length === 1);
    const { task } = await failedWithLog(maker, 7, contentOf(7, MIB));
    await maker.records.merge([task]);
    await maker.records.until(() => logHolders(maker, 7).includes(other.peer));
    while (maker.copies.state().logs > 2) await new Promise((next) => setImmediate(next));
    assert.deepEqual([on(other).length, maker.copies.state().logs], [1, 2]);
    bound.bytesPerSecond = Number.POSITIVE_INFINITY;
    maker.copies.membersChanged();
    await maker.records.until(() => on(other).length === 3);
  });
});
