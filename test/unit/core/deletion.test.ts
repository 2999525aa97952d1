import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signDeletion, taskKey, type JobRecord, type TaskRecord } from '@cuadro/protocol';
import { BELEN, deleted, Farm, framesPlan, grantsTo, SELF, signer, stopsTo } from './farm.ts';

const plan = framesPlan('1-4');

/** A farm with a job of which two tasks have their result, and the records of these. */
function halfDone(): { farm: Farm; record: JobRecord; tasks: TaskRecord[] } {
  const farm = new Farm().start();
  const record = farm.submit(plan);
  for (const { grant } of farm.held().slice(0, 2)) farm.finish(grant.attempt);
  const tasks = [0, 1].map((index) => farm.stored.get(taskKey(record.id, index)) as TaskRecord);
  assert.ok(tasks.every(Boolean));
  return { farm, record, tasks };
}

const storedTasks = (farm: Farm): string[] =>
  [...farm.stored.keys()].filter((key) => key.startsWith('task/'));

describe('deletion', () => {
  it("R34: removes the job's tasks that are there, and keeps the tombstone", () => {
    const { farm, record } = halfDone();
    assert.equal(storedTasks(farm).length, 2);
    farm.records(deleted(record));
    assert.deepEqual(storedTasks(farm), []);
    assert.equal(farm.core.job(record.id), undefined);
    assert.equal(farm.core.taskRecord(record.id, 0), undefined);
    const kept = farm.stored.get(`job/${record.id}`) as JobRecord;
    assert.ok(kept.deleted !== undefined);
    assert.deepEqual(farm.core.jobIds(), [record.id], 'others still learn of it');
  });

  it('R34: tells nothing of a task that is changed and deleted at once', () => {
    const { farm, record, tasks } = halfDone();
    const [task] = tasks;
    assert.ok(task);
    const changed = { ...task, failures: {}, retry: task.retry + 1 };
    const effects = farm.records(changed, deleted(record));
    const told = effects.flatMap((effect) => (effect.kind === 'publish' ? effect.records : []));
    assert.deepEqual(
      told.map(({ kind }) => kind),
      ['job'],
    );
  });

  it('R34: keeps no task that arrives later', () => {
    const { farm, record, tasks } = halfDone();
    farm.records(deleted(record));
    const effects = farm.records(...tasks);
    assert.deepEqual(storedTasks(farm), []);
    const removed = effects.flatMap((effect) => (effect.kind === 'persist' ? effect.removed : []));
    assert.deepEqual(removed, [taskKey(record.id, 0), taskKey(record.id, 1)], 'also where it was stored');
    assert.deepEqual([...farm.core.recordKeys(record.id)], [`job/${record.id}`]);
  });

  it('R34: absorbs tasks that came before the tombstone and without their job', () => {
    const { record, tasks } = halfDone();
    const farm = new Farm().start();
    farm.records(...tasks);
    assert.equal(storedTasks(farm).length, 2);
    farm.records(deleted(record));
    assert.deepEqual(storedTasks(farm), []);
  });

  it('R34: is not undone by a replica that has not heard of it', () => {
    const { farm, record, tasks } = halfDone();
    farm.records(deleted(record));
    farm.records(record, ...tasks);
    assert.equal(farm.core.job(record.id), undefined);
    assert.ok((farm.stored.get(`job/${record.id}`) as JobRecord).deleted !== undefined);
    assert.deepEqual(storedTasks(farm), []);
  });

  it('R81: lets those that wait for the job go on where it was done, and skips them where it was not', () => {
    for (const [done, state] of [
      [true, 'queued'],
      [false, 'skipped'],
    ] as const) {
      const farm = new Farm();
      farm.step({ kind: 'start' });
      const first = farm.submit(plan, { id: 1 });
      const waiting = [2, 3].map((id) => farm.submit(plan, { id, after: [first.id] }).id);
      const states = (): (string | undefined)[] => waiting.map((id) => farm.core.job(id)?.state);
      assert.deepEqual(states(), ['waiting', 'waiting']);
      farm.records({ ...first, deleted: signDeletion(signer(SELF), first.id, { wallTime: 1, done }) });
      assert.deepEqual(states(), [state, state]);
    }
  });

  it('R34: holds after a restart, and goes on to absorb what was still stored', () => {
    const { farm, record, tasks } = halfDone();
    farm.records(deleted(record));
    const stored = [...farm.stored.values()];
    const restarted = new Farm([...tasks, ...stored], {}, 1).start();
    assert.deepEqual(restarted.core.jobs(), []);
    const removed = restarted.effects.flatMap((effect) => (effect.kind === 'persist' ? effect.removed : []));
    assert.deepEqual(removed.sort(), [taskKey(record.id, 0), taskKey(record.id, 1)]);
    assert.equal(
      restarted.effects.some(({ kind }) => kind === 'run' || kind === 'need-plan'),
      false,
    );
  });

  it('R34: stops what runs, and takes no end of it for a task', () => {
    const farm = new Farm();
    farm.step({ kind: 'start' });
    farm.claim(BELEN);
    const record = farm.submit(plan);
    const [running, ahead] = grantsTo(BELEN, farm.effects);
    assert.ok(running && ahead);
    const effects = farm.records(deleted(record));
    assert.deepEqual(stopsTo(BELEN, effects), [running.attempt, ahead.attempt]);
    farm.ended(BELEN, running, 'result');
    farm.ended(BELEN, ahead, 'failure');
    assert.deepEqual(storedTasks(farm), []);
  });
});
