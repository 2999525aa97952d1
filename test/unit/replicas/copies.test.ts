import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import {
  countingResult,
  emptyTask,
  heldBy,
  signDeletion,
  type Failure,
  type JobRecord,
  type TaskRecord,
  type TaskResult,
} from '@cuadro/protocol';
import { contentOf } from '../blobs/helpers.ts';
import { peerOf, reaches, signerOf, TestFarm } from '../transfer/machines.ts';
import {
  failedWithLog,
  JOB,
  type Keeper,
  logHolders,
  madeResult,
  startKeeper,
  submittedJob,
  TestRecords,
} from './keepers.ts';

const MIB = 2 ** 20;

/** Machines that know each other and the job, whose content only the first one holds. */
async function farmOf(
  test: TestContext,
  names: readonly string[],
  init: {
    inits?: Record<string, Parameters<typeof startKeeper>[2]>;
    job?: Parameters<typeof submittedJob>[1];
  } = {},
): Promise<{ farm: TestFarm; keepers: Keeper[]; job: JobRecord }> {
  const farm = new TestFarm(test, names);
  const keepers: Keeper[] = [];
  for (const name of names)
    keepers.push(
      await startKeeper(farm, name, {
        members: names,
        copyOptions: { jobCopies: 1 },
        ...init.inits?.[name],
      }),
    );
  for (const keeper of keepers) await reaches(keeper, ...keepers.filter((other) => other !== keeper));
  const job = await submittedJob(keepers[0] as Keeper, init.job);
  for (const { records } of keepers) await records.merge([job]);
  return { farm, keepers, job };
}

const resultOf = (keeper: Keeper, index: number): TaskResult | undefined => {
  const task = keeper.records.taskRecord(JOB, index);
  return task && countingResult(task);
};
const isDone = (keeper: Keeper, index: number): boolean => resultOf(keeper, index)?.state === 'done';

/** Resolves once a machine has no more to give away: its last answers are written down a moment after they count. */
async function nothingLeft({ copies }: Keeper): Promise<void> {
  for (let state = copies.state(); state.results + state.logs + state.asked > 0; state = copies.state())
    await new Promise((next) => setImmediate(next));
}

describe('a second copy before done', () => {
  it('R57: the submitter takes files and record, durable and pinned, and both call it done', async (test) => {
    const { keepers } = await farmOf(test, ['submitter', 'other', 'maker']);
    const [submitter, other, maker] = keepers as [Keeper, Keeper, Keeper];
    const content = contentOf(1, 2 * MIB);
    const task = await madeResult(maker, 0, [content, contentOf(2, 100)]);
    await maker.records.merge([task]);
    await maker.records.until(() => isDone(maker, 0));
    const holders = [submitter.peer, maker.peer].sort();
    for (const keeper of [submitter, maker]) {
      const result = resultOf(keeper, 0) as TaskResult;
      assert.deepEqual([result.state, heldBy(result.holders)], ['done', holders]);
      for (const { blob } of result.files) {
        assert.deepEqual(keeper.blobs.pins(blob), [JOB]);
        assert.notEqual(await keeper.blobs.has(blob), undefined);
      }
    }
    assert.equal(resultOf(other, 0), undefined);
    await nothingLeft(maker);
  });

  it('R57: a copy taken of one that was removed meanwhile is the only one, and no second', async (test) => {
    const { keepers } = await farmOf(test, ['submitter', 'maker']);
    const [submitter, maker] = keepers as [Keeper, Keeper];
    const isHeldAt = ({ records }: Keeper, index: number): boolean => {
      const [result] = Object.values(records.taskRecord(JOB, index)?.results ?? {});
      return result?.holders[submitter.peer]?.held === true;
    };
    // The submitter hears of the removal while it takes the files.
    submitter.blobs.subscribe(({ type }) => type === 'blob-stored' && submitter.records.gone.add(maker.peer));
    await maker.records.merge([await madeResult(maker, 1, [contentOf(1, 100)])]);
    await submitter.records.until(() => isHeldAt(submitter, 1));
    assert.equal(isDone(submitter, 1), false);
    // The maker doesn't know that it was removed: by what it knows these are two copies.
    await maker.records.until(() => isDone(maker, 1));
    maker.records.gone.add(submitter.peer);
    await maker.records.merge([await madeResult(maker, 2)]);
    await maker.records.until(() => isHeldAt(maker, 2));
    assert.equal(isDone(maker, 2), false);
  });

  it('shares what the submitter itself makes fairly among the others', async (test) => {
    const { keepers } = await farmOf(test, ['submitter', 'one', 'two']);
    const [submitter] = keepers as [Keeper];
    const tasks: TaskRecord[] = [];
    for (let index = 0; index < 10; index++)
      tasks.push(await madeResult(submitter, index, [contentOf(index, 500)]));
    await submitter.records.merge(tasks);
    await submitter.records.until(() => tasks.every(({ index }) => isDone(submitter, index)));
    const shares = keepers
      .slice(1)
      .map((keeper) => tasks.filter(({ index }) => isDone(keeper, index)).length);
    assert.deepEqual(shares, [5, 5]);
  });

  it('makes thousands of results without files done in few messages and few commits', async (test) => {
    const { keepers } = await farmOf(test, ['submitter', 'maker'], { job: { tasks: 5_000 } });
    const [submitter, maker] = keepers as [Keeper, Keeper];
    const tasks: TaskRecord[] = [];
    for (let index = 0; index < 5_000; index++) tasks.push(await madeResult(maker, index));
    submitter.records.merges = 0;
    for (let start = 0; start < tasks.length; start += 100)
      await maker.records.merge(tasks.slice(start, start + 100));
    await maker.records.until(() => tasks.every(({ index }) => isDone(maker, index)));
    assert.ok(tasks.every(({ index }) => isDone(submitter, index)));
    assert.ok(submitter.records.merges < 500, `${submitter.records.merges} commits`);
    await nothingLeft(maker);
  });

  it('a frame stays rendered while nobody is there, and is repaired when somebody is', async (test) => {
    const names = ['maker', 'late'];
    const farm = new TestFarm(test, names);
    const maker = await startKeeper(farm, 'maker', { members: names });
    await maker.records.merge([await submittedJob(maker)]);
    await maker.records.merge([await madeResult(maker, 0, [contentOf(1, 1000)])]);
    assert.equal(resultOf(maker, 0)?.state, 'rendered');
    assert.deepEqual(maker.copies.state(), { results: 1, jobs: 1, logs: 0, asked: 0 });
    const late = await startKeeper(farm, 'late', { members: names });
    // Its job's record comes first, without anybody's help.
    await maker.records.until(() => isDone(maker, 0));
    assert.ok(isDone(late, 0));
    assert.notEqual(late.records.jobRecord(JOB), undefined);
    await maker.records.until(() => maker.records.jobRecord(JOB)?.acknowledged === true);
  });

  it('finds at its start what it alone holds', async (test) => {
    const { farm, keepers, job } = await farmOf(test, ['submitter', 'maker']);
    const [submitter, maker] = keepers as [Keeper, Keeper];
    await submitter.stop();
    await maker.records.merge([await madeResult(maker, 3, [contentOf(1, 1000)])]);
    await maker.stop();
    const records = new TestRecords();
    await records.merge([job, maker.records.taskRecord(JOB, 3) as TaskRecord]);
    await startKeeper(farm, 'submitter', { members: ['submitter', 'maker'], records: submitter.records });
    const again = await startKeeper(farm, 'maker', { members: ['submitter', 'maker'], records });
    await records.until(() => isDone(again, 3));
  });

  it("isn't done when the second machine is killed between its files and its record; another takes it", async (test) => {
    const { farm, keepers } = await farmOf(test, ['submitter', 'maker']);
    const [submitter, maker] = keepers as [Keeper, Keeper];
    const stored = Promise.withResolvers<void>();
    submitter.blobs.subscribe(({ type }) => type === 'blob-stored' && stored.resolve());
    // Its records can't be written any more: what is on its way to them is lost with the kill.
    const reached = Promise.withResolvers<void>();
    submitter.records.merge = () => {
      reached.resolve();
      return new Promise(() => undefined);
    };
    await maker.records.merge([await madeResult(maker, 0, [contentOf(1, 1000)])]);
    await Promise.all([stored.promise, reached.promise]);
    assert.equal(resultOf(maker, 0)?.state, 'rendered');
    assert.equal(maker.copies.state().results, 1);
    farm.network.kill(submitter.peer);
    const third = await startKeeper(farm, 'submitter', { members: ['submitter', 'maker'] });
    await maker.records.until(() => isDone(maker, 0));
    assert.ok(isDone(third, 0));
  });

  it('asks another when the disk of the second machine is full, which keeps nothing', async (test) => {
    const { keepers } = await farmOf(test, ['submitter', 'maker', 'other'], {
      inits: { submitter: { members: ['submitter', 'maker', 'other'], store: { quotaBytes: 3 * MIB } } },
    });
    const [submitter, maker, other] = keepers as [Keeper, Keeper, Keeper];
    const task = await madeResult(maker, 0, [contentOf(1, 2 * MIB), contentOf(2, 2 * MIB)]);
    await maker.records.merge([task]);
    await maker.records.until(() => isDone(maker, 0));
    assert.deepEqual(heldBy(resultOf(maker, 0)?.holders ?? {}), [maker.peer, other.peer].sort());
    assert.equal(resultOf(submitter, 0), undefined);
    const [plan] = submitter.blobs.pinnedBy(JOB);
    assert.deepEqual(submitter.blobs.pinnedBy(JOB), [plan], 'only its own job is pinned');
  });

  it('goes on with a copy that was cut', async (test) => {
    const { farm, keepers } = await farmOf(test, ['submitter', 'maker']);
    const [submitter, maker] = keepers as [Keeper, Keeper];
    const content = contentOf(1, 24 * MIB);
    let cuts = 0;
    const watch = setInterval(() => {
      if (cuts > 0 || maker.transfer.status().sentBytes < 4 * MIB) return;
      cuts++;
      farm.network.reset(submitter.peer, maker.peer);
    }, 1);
    await maker.records.merge([await madeResult(maker, 0, [content])]);
    await maker.records.until(() => isDone(maker, 0));
    clearInterval(watch);
    assert.equal(cuts, 1);
    const blob = resultOf(submitter, 0)?.files[0]?.blob as string;
    assert.deepEqual(Buffer.from(await submitter.blobs.read(blob)), content);
  });

  it("R57: gives the job's record to one that has not met it, and nothing of a deleted job", async (test) => {
    const names = ['maker', 'deaf'];
    const farm = new TestFarm(test, names);
    const maker = await startKeeper(farm, 'maker', { members: names, copyOptions: { jobCopies: 1 } });
    const deaf = await startKeeper(farm, 'deaf', { members: names });
    await reaches(maker, deaf);
    const job = await submittedJob(maker);
    await maker.records.merge([job]);
    await maker.records.merge([await madeResult(maker, 0)]);
    await maker.records.until(() => isDone(maker, 0));
    assert.notEqual(deaf.records.jobRecord(JOB), undefined);
    const deleted: JobRecord = { ...job, deleted: signDeletion(signerOf('maker'), JOB, { wallTime: 0 }) };
    await deaf.records.merge([deleted]);
    await maker.records.merge([await madeResult(maker, 1, [contentOf(1, 10)])]);
    await nothingLeft(maker);
    assert.equal(resultOf(maker, 1)?.state, 'rendered');
    assert.equal(resultOf(deaf, 1), undefined);
  });

  it('R133: the log of a failed attempt is on a second machine, and the record says so', async (test) => {
    const { keepers } = await farmOf(test, ['submitter', 'other', 'maker']);
    const [submitter, other, maker] = keepers as [Keeper, Keeper, Keeper];
    const { task, hash } = await failedWithLog(maker, 0, Buffer.from('Error: it went wrong'));
    await maker.records.merge([task]);
    assert.equal(maker.copies.state().logs, 1);
    await maker.records.until(() => logHolders(maker, 0).length === 2);
    const holders = [submitter.peer, maker.peer].sort();
    for (const keeper of [submitter, maker]) {
      assert.deepEqual(logHolders(keeper, 0), holders);
      assert.deepEqual(keeper.blobs.pins(hash), [JOB]);
      assert.notEqual(await keeper.blobs.has(hash), undefined);
    }
    assert.deepEqual(logHolders(other, 0), []);
    await nothingLeft(maker);
    assert.equal(maker.copies.state().logs, 0);
  });

  it('R133: a log of which nobody has the bytes waits, and one of failures that were voided is not held', async (test) => {
    const inits = { submitter: { options: { searchMs: 100 } } };
    const { keepers } = await farmOf(test, ['submitter', 'maker'], { inits });
    const [submitter, maker] = keepers as [Keeper, Keeper];
    const { task: made } = await failedWithLog(maker, 0, Buffer.from('a log'));
    const [[key, failure] = []] = Object.entries(made.failures);
    const lacking = {
      ...made,
      failures: { [key as string]: { ...failure, log: 'a'.repeat(64) } as Failure },
    };
    const { task: voided, hash } = await failedWithLog(maker, 1, Buffer.from('a log of before the retry'));
    await submitter.records.merge([{ ...emptyTask(JOB, 1), retry: 1 }]);
    await maker.records.merge([lacking, voided]);
    // What comes after them is held all the same: a log blocks nothing.
    await maker.records.merge([await madeResult(maker, 2, [contentOf(1, 100)])]);
    await maker.records.until(() => isDone(maker, 2));
    while (maker.copies.state().asked > 0) await new Promise((next) => setImmediate(next));
    assert.deepEqual([logHolders(submitter, 0), submitter.blobs.pins(hash)], [[], []]);
    assert.equal(maker.copies.state().logs, 1);
  });

  it('R133: a log goes to another machine where its holder is no member any more', async (test) => {
    const { keepers } = await farmOf(test, ['submitter', 'maker', 'other']);
    const [submitter, maker, other] = keepers as [Keeper, Keeper, Keeper];
    const { task } = await failedWithLog(maker, 0, contentOf(1, 1000));
    await maker.records.merge([task]);
    await maker.records.until(() => logHolders(maker, 0).includes(submitter.peer));
    await submitter.stop();
    assert.equal(maker.copies.state().logs, 0, 'one that is only away still counts');
    maker.members.delete(submitter.peer);
    maker.copies.membersChanged();
    await maker.records.until(() => logHolders(maker, 0).includes(other.peer));
  });

  it('makes a new copy of what a machine held that is no member any more', async (test) => {
    const { keepers } = await farmOf(test, ['submitter', 'maker', 'other']);
    const [submitter, maker, other] = keepers as [Keeper, Keeper, Keeper];
    await maker.records.merge([await madeResult(maker, 0, [contentOf(1, 1000)])]);
    await maker.records.until(() => isDone(maker, 0));
    assert.ok(resultOf(maker, 0)?.holders[submitter.peer]?.held);
    await submitter.stop();
    assert.equal(maker.copies.state().results, 0, 'one that is only away still counts');
    maker.members.delete(submitter.peer);
    maker.copies.membersChanged();
    await maker.records.until(() => resultOf(maker, 0)?.holders[other.peer]?.held === true);
    assert.ok(isDone(other, 0));
  });
});

describe('acknowledging', () => {
  it('R60: a job is on two machines before it is acknowledged, and on three soon after', async (test) => {
    const files = [contentOf(1, 2 * MIB), contentOf(2, 10), contentOf(2, 10)];
    const names = ['submitter', 'one', 'two'];
    const inits = Object.fromEntries(names.map((name) => [name, { members: names, copyOptions: {} }]));
    const farm = new TestFarm(test, names);
    const keepers: Keeper[] = [];
    for (const name of names) keepers.push(await startKeeper(farm, name, inits[name]));
    const [submitter, ...others] = keepers as [Keeper, Keeper, Keeper];
    await reaches(submitter, ...others);
    const job = await submittedJob(submitter, { files });
    await submitter.records.merge([job]);
    const kept = await submitter.copies.acknowledge(JOB);
    assert.ok(kept.machines >= 2);
    assert.equal(kept.others, 'enough');
    assert.equal(submitter.records.jobRecord(JOB)?.acknowledged, true);
    const holders = (): number => heldBy(submitter.records.jobRecord(JOB)?.holders.bundle ?? {}).length;
    await submitter.records.until(() => holders() === 3);
    for (const { blobs, records } of others) {
      assert.equal(blobs.pinnedBy(JOB).length, 4, 'plan, bundle and its files');
      assert.equal(records.jobRecord(JOB)?.acknowledged, true);
    }
    assert.equal(submitter.copies.state().jobs, 0);
  });

  it('R57: a job taken of a machine that was removed meanwhile is not acknowledged by that', async (test) => {
    const names = ['submitter', 'other'];
    const farm = new TestFarm(test, names);
    const submitter = await startKeeper(farm, 'submitter', { members: names });
    const other = await startKeeper(farm, 'other', { members: names });
    await reaches(submitter, other);
    other.records.gone.add(submitter.peer);
    await submitter.records.merge([await submittedJob(submitter)]);
    // It doesn't know that it was removed, and counts two.
    assert.equal((await submitter.copies.acknowledge(JOB)).machines, 2);
    const { holders, acknowledged } = other.records.jobRecord(JOB) as JobRecord;
    assert.deepEqual([holders.plan[other.peer]?.held, acknowledged], [true, false]);
  });

  it('R60: one copy is all there can be where nobody is, and is said so', async (test) => {
    for (const [members, others] of [
      [['alone'], 'none'],
      [['alone', 'off'], 'unreachable'],
    ] as const) {
      const farm = new TestFarm(test, members);
      const keeper = await startKeeper(farm, 'alone', { members });
      await keeper.records.merge([await submittedJob(keeper)]);
      assert.deepEqual(await keeper.copies.acknowledge(JOB), { machines: 1, others });
      assert.equal(keeper.records.jobRecord(JOB)?.acknowledged, true);
      assert.deepEqual(await keeper.copies.confirm([keeper.records.jobRecord(JOB) as JobRecord]), {
        machines: 1,
        others,
      });
    }
  });

  it('answers in time when the second machine takes too long, and says so', async (test) => {
    const names = ['submitter', 'slow'];
    const farm = new TestFarm(test, names);
    const copyOptions = { acknowledgeMs: 50, confirmMs: 50 };
    const submitter = await startKeeper(farm, 'submitter', { members: names, copyOptions });
    const slow = await startKeeper(farm, 'slow', { members: names });
    await reaches(submitter, slow);
    const open = Promise.withResolvers<void>();
    slow.records.gate = open.promise;
    const job = await submittedJob(submitter);
    await submitter.records.merge([job]);
    assert.deepEqual(await submitter.copies.acknowledge(JOB), { machines: 1, others: 'late' });
    assert.deepEqual(await submitter.copies.confirm([job]), { machines: 1, others: 'late' });
    assert.equal(submitter.records.jobRecord(JOB)?.acknowledged, false);
    open.resolve();
    await submitter.records.until(() => submitter.records.jobRecord(JOB)?.acknowledged === true);
  });

  it('a change is on a second machine when it is confirmed', async (test) => {
    const { keepers, job } = await farmOf(test, ['submitter', 'other']);
    const [submitter, other] = keepers as [Keeper, Keeper];
    const deleted: JobRecord = { ...job, deleted: signDeletion(signerOf('submitter'), JOB, { wallTime: 0 }) };
    assert.deepEqual(await submitter.copies.confirm([deleted]), { machines: 2, others: 'enough' });
    assert.notEqual(other.records.jobRecord(JOB)?.deleted, undefined);
    const forged = { ...deleted, deleted: { ...deleted.deleted, author: peerOf('other') } } as JobRecord;
    const kept = await submitter.copies.confirm([{ ...forged, id: JOB }]);
    assert.equal(kept.machines, 1, 'what is badly signed is held by nobody');
  });
});
