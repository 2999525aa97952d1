import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptKey, CuadroError, recordKey, TASKS_PER_JOB_MAX } from '@cuadro/protocol';
import { resultOf } from './away.ts';
import {
  BELEN,
  CARMEN,
  chainedPlan,
  deleted,
  type Farm,
  framesPlan,
  jobIdOf,
  nodeDesired,
  withRequest,
} from './farm.ts';
import { farmOf, leading } from './members.ts';

const FILM = { film: true } as const;
const JOB = jobIdOf(1);

/** This machine leads Belén and Carmen, who take no work; a job is there. */
function resting(plan = framesPlan('1-4')): Farm {
  const farm = leading(BELEN, CARMEN);
  for (const peer of [BELEN, CARMEN]) farm.claim(peer, { wants: 0, sequence: 2 });
  farm.submit(plan);
  return farm;
}

describe('tasks that people name', () => {
  it('R70: are found by number, by name and by frames, in order and once', () => {
    const farm = resting(framesPlan('1-9', FILM));
    const find = (...texts: string[]) => farm.core.findTasks(JOB, texts);
    assert.deepEqual(find('#3'), [3]);
    assert.deepEqual(find('film'), [9]);
    assert.deepEqual(find('3-5', '#4', '1'), [0, 2, 3, 4]);
    assert.deepEqual(find('frames 2-3'), [1, 2]);
    assert.deepEqual(find('8-20'), [7, 8], 'those that there are');
    assert.equal(find('20-30'), undefined);
    assert.equal(find('3', 'nonsense'), undefined);
    assert.equal(farm.core.findTasks(jobIdOf(7), ['1']), undefined);
    assert.equal(farm.core.findTask(JOB, 'film'), 9);
  });

  it('R70: are those of the first kind of tasks that has such numbers', () => {
    const plan = framesPlan('1-2');
    const [group] = plan.groups;
    assert.ok(group);
    const farm = resting({
      ...plan,
      groups: [group, { ...group, name: 'proxy', numbers: [{ start: 2, end: 6, step: 1 }] }],
    });
    assert.deepEqual(farm.core.findTasks(JOB, ['2-2']), [1]);
    assert.deepEqual(farm.core.findTasks(JOB, ['2-5']), [1]);
    assert.deepEqual(farm.core.findTasks(JOB, ['5-6']), [5, 6]);
    assert.deepEqual(
      farm.core.taskViews(JOB, [6, 7, 0]).map(({ index }) => index),
      [6, 0],
      'and what there is not is not shown',
    );
  });

  it('R70: are refused where they are more than a job may have, all texts together', () => {
    const farm = resting(framesPlan('1-9'));
    const refused = (...texts: string[]) =>
      assert.throws(
        () => farm.core.findTasks(JOB, texts),
        (error) => error instanceof CuadroError && error.code === 'request-invalid',
      );
    const most = `1-${TASKS_PER_JOB_MAX}`;
    refused(most, '2-2');
    assert.deepEqual(farm.core.findTasks(JOB, [most]), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe('records that are asked for', () => {
  it('R45: are found by their keys, those of a job and those of none', () => {
    const farm = resting();
    const task = resultOf(JOB, 0, BELEN);
    const orphan = resultOf(jobIdOf(9), 3, BELEN);
    farm.records(task, orphan, nodeDesired(BELEN, 'paused'));
    const common = [...farm.core.recordKeys()];
    assert.deepEqual(common, [...farmOf(BELEN, CARMEN), nodeDesired(BELEN, 'paused')].map(recordKey));
    assert.deepEqual([...farm.core.recordKeys(JOB)], [`job/${JOB}`, recordKey(task)]);
    assert.deepEqual([...farm.core.recordKeys(jobIdOf(9))], [recordKey(orphan)]);
    for (const key of [...common, `job/${JOB}`, recordKey(task), recordKey(orphan)]) {
      const record = farm.core.record(key);
      assert.ok(record, key);
      assert.equal(recordKey(record), key);
    }
    assert.equal(farm.core.record('farm/zzzzzzzzzzzzzzzz'), undefined);
    assert.equal(farm.core.record('else/x'), undefined);
    assert.equal(farm.core.record('diary/x/0'), undefined);
  });

  it('R34: are a tombstone alone where the job is deleted', () => {
    const farm = resting();
    farm.records(resultOf(JOB, 0, BELEN));
    const record = farm.core.jobRecord(JOB);
    assert.ok(record?.kind === 'job');
    farm.records(deleted(record));
    assert.deepEqual([...farm.core.recordKeys(JOB)], [`job/${JOB}`]);
    assert.notEqual(farm.core.jobRecord(JOB)?.deleted, undefined);
    assert.deepEqual(
      [farm.core.job(JOB), farm.core.task(JOB, 0), farm.core.taskState(JOB, 0)],
      [undefined, undefined, undefined],
    );
    assert.deepEqual(farm.core.tasks(JOB, { offset: 0, limit: 9 }), { total: 0, tasks: [] });
    assert.deepEqual(
      [farm.core.tasksWithResult(JOB), farm.core.tasksWithFailure(JOB), farm.core.taskViews(JOB, [0])],
      [[], [], []],
    );
    assert.deepEqual(farm.core.dependents(JOB, [0]), []);
    assert.equal(farm.core.inputRedo(JOB, 0), 0);
    assert.equal(farm.core.resultAtHand(JOB, 0), undefined);
  });

  it('R39: are all tasks that depend on some, at any distance, without these', () => {
    const farm = resting(chainedPlan());
    assert.deepEqual(farm.core.dependents(JOB, [0]), [2, 4]);
    assert.deepEqual(farm.core.dependents(JOB, [0, 2]), [4]);
    assert.deepEqual(farm.core.dependents(JOB, [0, 1]), [2, 3, 4]);
    assert.deepEqual(farm.core.dependents(JOB, [1, 0]), [2, 3, 4]);
    assert.deepEqual(farm.core.dependents(JOB, [4]), []);
    const record = farm.core.jobRecord(JOB);
    assert.ok(record?.kind === 'job');
    farm.records(withRequest(record, 'redo', [0, 1], 3));
    assert.deepEqual([farm.core.inputRedo(JOB, 2), farm.core.inputRedo(JOB, 4)], [3, 0]);
  });
});

describe('the result that is to be used', () => {
  it('R59: is the one that counts where nobody within reach holds any', () => {
    const farm = resting();
    farm.records(resultOf(JOB, 0, BELEN));
    assert.equal(farm.core.resultAtHand(JOB, 0)?.peer, BELEN);
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    assert.equal(farm.core.resultAtHand(JOB, 0)?.peer, BELEN);
    assert.equal(farm.core.resultAtHand(JOB, 1), undefined);
    const own = resultOf(JOB, 0, CARMEN);
    const [result] = Object.values(own.results);
    assert.ok(result);
    const attempt = { epoch: { term: 9, peer: CARMEN }, sequence: 1 };
    farm.records({ ...own, results: { [attemptKey(attempt)]: { ...result, attempt } } });
    assert.equal(farm.core.resultAtHand(JOB, 0)?.peer, CARMEN, 'who is within reach');
  });
});
