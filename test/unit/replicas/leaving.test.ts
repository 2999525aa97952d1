import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { countingResult, heldBy } from '@cuadro/protocol';
import { contentOf } from '../blobs/helpers.ts';
import { reaches, TestFarm } from '../transfer/machines.ts';
import {
  failedWithLog,
  JOB,
  type Keeper,
  type Leaver,
  leaverOf,
  logHolders,
  madeResult,
  startKeeper,
  submittedJob,
} from './keepers.ts';

const MIB = 2 ** 20;

/** A farm of these, all of which know the job; the first has submitted it. */
async function farmOf(
  test: TestContext,
  names: readonly string[],
  { full = [], late = [] }: { full?: readonly string[]; late?: readonly string[] } = {},
): Promise<{ farm: TestFarm; leavers: Leaver[] }> {
  const farm = new TestFarm(test, names);
  const keepers: Keeper[] = [];
  for (const name of names.filter((name) => !late.includes(name))) {
    const store = full.includes(name) ? { quotaBytes: 1 } : {};
    keepers.push(await startKeeper(farm, name, { members: names, store, copyOptions: { jobCopies: 1 } }));
  }
  for (const keeper of keepers) await reaches(keeper, ...keepers.filter((other) => other !== keeper));
  const job = await submittedJob(keepers[0] as Keeper);
  for (const { records } of keepers) await records.merge([job]);
  const leavers = keepers.map((keeper) => leaverOf(test, keeper));
  for (const leaver of leavers) {
    await leaver.departure.start();
    // What a record tells of a machine, the node derives; here the test does.
    const { onChanged } = leaver.records;
    leaver.records.onChanged = (changed) => {
      for (const record of changed) if (record.kind === 'node') leaver.leaving.add(record.peer);
      onChanged(changed);
    };
  }
  return { farm, leavers };
}

const holdersOf = (keeper: Keeper, index: number): string[] => {
  const task = keeper.records.taskRecord(JOB, index);
  return heldBy((task && countingResult(task))?.holders ?? {});
};
const jobHolders = ({ records }: Keeper): string[] => heldBy(records.jobRecord(JOB)?.holders.plan ?? {});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((next) => setImmediate(next));
}

describe('R162: a machine that leaves', () => {
  it('goes only once two others hold all that it holds, its job too', async (test) => {
    const { leavers } = await farmOf(test, ['leaver', 'one', 'two']);
    const [leaver, one, two] = leavers as [Leaver, Leaver, Leaver];
    const tasks = [];
    for (let index = 0; index < 5; index++)
      tasks.push(await madeResult(leaver, index, [contentOf(index, MIB)]));
    await leaver.records.merge(tasks);
    leaver.wants();
    assert.equal(await leaver.left, 'sold');
    const others = [one.peer, two.peer].sort();
    for (const { index } of tasks) {
      assert.deepEqual(
        holdersOf(leaver, index).filter((peer) => peer !== leaver.peer),
        others,
      );
      for (const keeper of [one, two]) {
        const [file] = countingResult(keeper.records.taskRecord(JOB, index) as never)?.files ?? [];
        assert.deepEqual(keeper.blobs.pins(file?.blob ?? ''), [JOB]);
      }
    }
    assert.deepEqual(
      jobHolders(leaver).filter((peer) => peer !== leaver.peer),
      others,
    );
    assert.equal(leaver.departure.view().state, 'left');
  });

  it('R133: gives away the logs of failed attempts as well, and says how many are left', async (test) => {
    const { leavers } = await farmOf(test, ['one', 'leaver']);
    const [one, leaver] = leavers as [Leaver, Leaver];
    const { task, hash } = await failedWithLog(leaver, 0, contentOf(1, MIB));
    leaver.wants();
    await leaver.records.merge([task]);
    assert.deepEqual(leaver.departure.view().left, { results: 0, scenes: 0, logs: 1 });
    await leaver.left;
    assert.ok(logHolders(one, 0).includes(one.peer));
    assert.deepEqual(one.blobs.pins(hash), [JOB]);
    assert.deepEqual(leaver.departure.view().left, { results: 0, scenes: 0 });
  });

  it('counts on no machine that leaves at the same time, although neither knew it of the other', async (test) => {
    const { farm, leavers } = await farmOf(test, ['first', 'second', 'third'], {
      late: ['third'],
    });
    const [first, second] = leavers as [Leaver, Leaver];
    await first.records.merge([await madeResult(first, 0, [contentOf(1, 1000)])]);
    await until(() => holdersOf(first, 0).length === 2 && holdersOf(second, 0).length === 2);
    first.wants();
    second.wants();
    await until(() => first.leaving.size === 1 && first.departure.view().state === 'blocked');
    await until(() => second.departure.view().state === 'blocked');
    assert.deepEqual([first.hasLeft(), second.hasLeft()], [false, false]);
    assert.match(first.departure.view().message, /No other machine that stays can be reached/);
    // One that stays takes both their copies, and lets both go.
    const third = await startKeeper(farm, 'third', { members: ['first', 'second', 'third'] });
    await Promise.all([first.left, second.left]);
    for (const leaver of [first, second]) assert.ok(holdersOf(leaver, 0).includes(third.peer));
    assert.ok(jobHolders(third).includes(third.peer));
  });

  it('stays while nobody has room, says so, and goes on when it is wanted back or somebody has', async (test) => {
    const { leavers } = await farmOf(test, ['leaver', 'full'], { full: ['full'] });
    const [leaver] = leavers as [Leaver];
    await leaver.records.merge([await madeResult(leaver, 0, [contentOf(1, 1000)])]);
    leaver.wants();
    await until(() => leaver.departure.view().state === 'blocked' && leaver.copies.leaving.staying() === 1);
    const { left, message } = leaver.departure.view();
    assert.deepEqual(left, { results: 1, scenes: 1 });
    assert.match(message, /No other machine takes what is left/);
    leaver.leaving.clear();
    leaver.copies.membersChanged();
    assert.equal(leaver.departure.view().state, 'staying');
    assert.equal(leaver.hasLeft(), false);
  });

  it('goes with one copy elsewhere where nobody takes the second', async (test) => {
    const { leavers } = await farmOf(test, ['leaver', 'one', 'full'], { full: ['full'] });
    const [leaver, one] = leavers as [Leaver, Leaver];
    await leaver.records.merge([await madeResult(leaver, 0, [contentOf(1, 1000)])]);
    leaver.wants();
    await leaver.left;
    assert.ok(holdersOf(leaver, 0).includes(one.peer));
    assert.ok(jobHolders(leaver).includes(one.peer));
  });
});

describe('R162: the last word of a machine', () => {
  /** A word that one machine has not answered when that ends, unless it `answers`, and who comes then. */
  async function unanswered(test: TestContext, confirmMs: number, isWanted: () => boolean) {
    const names = ['leaver', 'slow', 'other'];
    const farm = new TestFarm(test, names);
    const leaver = await startKeeper(farm, 'leaver', { members: names, copyOptions: { confirmMs } });
    const slow = await startKeeper(farm, 'slow', { members: names });
    await reaches(leaver, slow);
    const { merges } = slow.records;
    const { promise, resolve: answers } = Promise.withResolvers<void>();
    slow.records.gate = promise;
    const word = await submittedJob(leaver);
    const confirmed = leaver.copies.confirm([word], isWanted);
    await until(() => slow.records.merges > merges);
    const comes = async (): Promise<Keeper> => {
      const other = await startKeeper(farm, 'other', { members: names });
      await reaches(leaver, other);
      return other;
    };
    test.after(() => answers());
    return { leaver, slow, word, confirmed, answers, comes };
  }

  it('is said to nobody any more once it was not answered in time', async (test) => {
    const { leaver, slow, word, confirmed, comes } = await unanswered(test, 50, () => true);
    assert.deepEqual(await confirmed, { machines: 1, others: 'late' });
    await slow.stop();
    const other = await comes();
    const next = await madeResult(leaver, 0, [contentOf(0, 1_000)]);
    while ((await leaver.copies.confirm([next])).machines < 2);
    assert.equal(other.records.jobRecord(word.id), undefined);
  });

  it('is said to nobody any more once somebody has it stay after all', async (test) => {
    let isWanted = true;
    const { slow, confirmed } = await unanswered(test, 3_600_000, () => isWanted);
    isWanted = false;
    await slow.stop();
    assert.equal((await confirmed).machines, 1);
  });

  it('R130: tells from whom it holds records, once they are durable, so that they go on', async (test) => {
    const { leaver, slow, confirmed, answers } = await unanswered(test, 3_600_000, () => true);
    assert.deepEqual(slow.records.learned, []);
    answers();
    assert.deepEqual(await confirmed, { machines: 2, others: 'enough' });
    assert.deepEqual(slow.records.learned, [leaver.peer]);
  });
});
