import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptKey, type Plan } from '@cuadro/protocol';
import { Farm, framesPlan, withRequest } from './farm.ts';

/** Finishes what is granted as runners do: with the sum of the redo levels of what it was made from. */
function finishWithInputs(farm: Farm): void {
  for (let run = farm.held()[0]; run !== undefined; run = farm.held()[0]) {
    const { attempt, job, task } = run.grant;
    farm.running.delete(attemptKey(attempt));
    const inputRedo = farm.core.inputRedo(job, task);
    farm.step({
      kind: 'ended',
      attempt,
      outcome: { kind: 'result', files: [], renderMs: 1, inputRedo, wallTime: 1 },
    });
  }
}

const stale = (farm: Farm, job: string): number[] =>
  farm.core
    .tasks(job, { offset: 0, limit: 20 })
    .tasks.filter((task) => task.stale)
    .map(({ index }) => index);

describe('results made from other tasks', () => {
  it('R39: are stale once one of these was redone, shown as such, and still results', () => {
    const farm = new Farm().start(2);
    const record = farm.submit(framesPlan('1-3', { film: true }));
    finishWithInputs(farm);
    assert.equal(farm.core.job(record.id)?.state, 'done');
    assert.deepEqual(stale(farm, record.id), []);
    const redone = withRequest(record, 'redo', [1], 1);
    farm.records(redone);
    assert.deepEqual(stale(farm, record.id), [3], 'at once, not only when the frame is there again');
    assert.equal(farm.core.job(record.id)?.filmStale, true);
    finishWithInputs(farm);
    assert.deepEqual(stale(farm, record.id), [3]);
    assert.equal(farm.core.taskState(record.id, 3), 'rendered');
    assert.ok(farm.core.tasksWithResult(record.id).includes(3));
    assert.equal(farm.core.job(record.id)?.state, 'done');
    farm.records(withRequest(redone, 'redo', [3], 2));
    finishWithInputs(farm);
    assert.deepEqual(stale(farm, record.id), [], 'the new film was made from the new frame');
    assert.equal(farm.core.job(record.id)?.filmStale, false);
  });

  it('R39: carry the sum of all levels: those of two frames, and a second redo of one', () => {
    const farm = new Farm().start(2);
    let record = farm.submit(framesPlan('1-3', { film: true }));
    finishWithInputs(farm);
    assert.equal(farm.core.inputRedo(record.id, 3), 0);
    record = withRequest(record, 'redo', [0, 1], 1);
    farm.records(record);
    assert.equal(farm.core.inputRedo(record.id, 3), 2);
    record = withRequest(record, 'redo', [1], 2);
    farm.records(record);
    assert.equal(farm.core.inputRedo(record.id, 3), 3);
    record = withRequest(record, 'redo', [3], 3);
    farm.records(record);
    finishWithInputs(farm);
    const [film] = Object.values(farm.core.taskRecord(record.id, 3)?.results ?? {});
    assert.equal(film?.inputRedo, 3);
    farm.records(withRequest(record, 'redo', [2], 4));
    assert.deepEqual(stale(farm, record.id), [3]);
  });

  it('R39: that need the same number alone are stale alone', () => {
    const [frames] = framesPlan('1-3').groups;
    assert.ok(frames);
    const composited = { ...frames, name: 'comp', after: [{ group: 0, match: 'same' as const }] };
    const plan: Plan = { version: 1, order: 'sequential', groups: [frames, composited] };
    const farm = new Farm().start(2);
    const record = farm.submit(plan);
    finishWithInputs(farm);
    farm.records(withRequest(record, 'redo', [1], 1));
    finishWithInputs(farm);
    assert.deepEqual(stale(farm, record.id), [4]);
  });

  it('R39: are not stale by a retry, which makes nothing anew', () => {
    const farm = new Farm().start(2);
    const record = farm.submit(framesPlan('1-3', { film: true }));
    finishWithInputs(farm);
    farm.records(withRequest(record, 'retry', [0, 1, 2], 4));
    assert.deepEqual(stale(farm, record.id), []);
  });
});
