import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { heldBy, withdrawnBy, type JobRecord, type TaskResult } from '@cuadro/protocol';
import { contentOf } from '../blobs/helpers.ts';
import { reaches, TestFarm } from '../transfer/machines.ts';
import { JOB, madeResult, startKeeper, submittedJob } from './keepers.ts';

/** Two machines of which each has the records that it was told of alone. */
async function pairOf(test: TestContext, jobCopies: number) {
  const members = ['submitter', 'maker'];
  const farm = new TestFarm(test, members);
  const init = { members, copyOptions: { jobCopies } };
  const submitter = await startKeeper(farm, 'submitter', init);
  const maker = await startKeeper(farm, 'maker', init);
  await reaches(submitter, maker);
  return { submitter, maker };
}

/** Its maker reads a file, finds it damaged, and takes back its word while another takes the file of a third machine. */
describe('R57: a copy of what turns out damaged meanwhile at who asked for it', () => {
  for (const who of ['taker', 'asker'] as const) {
    it(`is the only one of a result, and no second, where its ${who} knows`, async (test) => {
      const { submitter, maker } = await pairOf(test, 1);
      const job = await submittedJob(submitter);
      for (const { records } of [submitter, maker]) await records.merge([job]);
      const task = await madeResult(maker, 1, [contentOf(1, 100)]);
      const [[key, made]] = Object.entries(task.results) as [[string, TaskResult]];
      const withdrawn = { ...made, holders: withdrawnBy(made.holders, maker.peer) };
      const { records } = who === 'taker' ? submitter : maker;
      submitter.blobs.subscribe(({ type }) => {
        if (type === 'blob-stored') void records.merge([{ ...task, results: { [key]: withdrawn } }]);
      });
      await maker.records.merge([task]);
      const known = (): TaskResult | undefined => records.taskRecord(JOB, 1)?.results[key];
      await records.until(() => known()?.holders[submitter.peer]?.held === true);
      assert.deepEqual([known()?.state, heldBy(known()?.holders ?? {})], ['rendered', [submitter.peer]]);
    });
  }

  it('acknowledges no job', async (test) => {
    const { submitter, maker: other } = await pairOf(test, 2);
    const job = await submittedJob(submitter);
    const plan = withdrawnBy(job.holders.plan, submitter.peer);
    await other.records.merge([{ ...job, holders: { ...job.holders, plan } }]);
    await submitter.records.merge([job]);
    const known = (): JobRecord => other.records.jobRecord(JOB) as JobRecord;
    await other.records.until(() => known().holders.plan[other.peer]?.held === true);
    assert.deepEqual([known().acknowledged, heldBy(known().holders.plan)], [false, [other.peer]]);
  });
});
