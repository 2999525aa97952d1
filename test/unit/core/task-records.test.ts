import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { TaskRecord } from '@cuadro/protocol';
import { loadCore } from '../../../node/src/core/core.ts';
import { TaskRecords } from '../../../node/src/core/task-records.ts';
import { BELEN, CARMEN, framesPlan, jobRecord, SELF } from './farm.ts';
import { rendered } from './rendered.ts';

const failedOnce = (index: number): TaskRecord =>
  rendered(index, {
    results: {},
    failures: {
      [`3.${index}.${BELEN}`]: {
        attempt: { epoch: { term: 3, peer: BELEN }, sequence: index },
        peer: CARMEN,
        cause: 'failed',
        code: 'blender-crashed',
        message: 'It ended with «SIGSEGV».',
        lines: ['one', ''],
        wallTime: 1,
      },
    },
  });

describe('the records of a job', () => {
  it('are what was put, however many of them are objects', () => {
    const write = fc.tuple(fc.nat(2_000), fc.constantFrom(rendered, failedOnce), fc.nat(5));
    fc.assert(
      fc.property(fc.array(write, { maxLength: 300 }), fc.constantFrom(0, 1, 7, 10_000), (writes, young) => {
        const records = new TaskRecords({ young });
        const told = new Map<number, TaskRecord>();
        for (const [index, make, redo] of writes) {
          const record = { ...make(index), redo };
          records.set(index, record);
          told.set(index, record);
          assert.deepEqual(records.get(index), record);
        }
        const indices = [...told.keys()].sort((a, b) => a - b);
        assert.deepEqual([...records.keys()], indices);
        assert.equal(records.size, told.size);
        for (const index of [...indices, 2_001]) {
          assert.deepEqual(records.get(index), told.get(index));
          assert.equal(records.has(index), told.has(index));
        }
        assert.deepEqual([...records.values()], [...indices.map((index) => told.get(index))]);
        const failed = indices.filter((index) => Object.keys(told.get(index)?.failures ?? {}).length > 0);
        assert.deepEqual(records.failed(), failed);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps what has no packed form, and lets it go once it is written anew', () => {
    const records = new TaskRecords({ young: 0 });
    const odd = { ...rendered(5), big: 1n } as TaskRecord;
    records.set(4, rendered(4));
    records.set(5, odd);
    assert.equal(records.get(5), odd);
    assert.deepEqual([...records.keys()], [4, 5]);
    records.set(5, rendered(5));
    assert.deepEqual(records.get(5), rendered(5));
    assert.equal(records.size, 2);
  });

  it('may be written while they are walked over', () => {
    const records = new TaskRecords({ young: 3 });
    for (let index = 0; index < 600; index += 2) records.set(index, rendered(index));
    const seen: number[] = [];
    for (const { index } of records.values()) {
      seen.push(index);
      records.set(index, { ...rendered(index), retry: 1 });
    }
    assert.deepEqual(seen, [...records.keys()]);
    assert.ok([...records.values()].every(({ retry }) => retry === 1));
  });
});

describe('a start with many results', () => {
  const TASKS = 140_000;

  it('packs them bit by bit afterwards, and shows the same before and after', () => {
    const job = jobRecord(framesPlan(`1-${TASKS}`));
    const loading = loadCore({ self: SELF, name: 'alba' });
    loading.take(job);
    for (let index = 0; index < TASKS; index++) loading.take({ ...rendered(index), job: job.id });
    const core = loading.end(0);
    core.step({ kind: 'start', now: 1 });
    core.step({ kind: 'plan', job: job.id, plan: framesPlan(`1-${TASKS}`), now: 2 });
    const shown = (): unknown => [
      core.job(job.id)?.counts,
      core.tasks(job.id, { offset: TASKS - 3, limit: 9, state: 'rendered' }),
      core.taskRecord(job.id, 5),
      core.tasksWithResult(job.id).length,
    ];
    const before = shown();
    let wakes = 0;
    for (let now = 2; ; wakes++) {
      const wake = core.step({ kind: 'wake', now }).findLast((effect) => effect.kind === 'wake-at');
      if (wake === undefined || wake.at === undefined || wake.at > now + 1_000) break;
      now = wake.at;
    }
    assert.ok(wakes > 400, `${wakes} buckets, each in a step of its own`);
    assert.deepEqual(shown(), before);
  });
});
