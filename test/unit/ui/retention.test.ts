import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RetentionView } from '@cuadro/protocol';
import { doneKey, freeableOf } from '../../../ui/src/data/retention.ts';
import { JOB_A, JOB_B, jobView, SELF } from '../api/fakes.ts';

type Job = RetentionView['jobs'][number];

const job = (id: string, order: number, sizeBytes: number, why?: string): Job => ({
  job: id,
  order,
  name: `job ${order}`,
  sizeBytes,
  goes: why === undefined,
  ...(why !== undefined && { why }),
});
const view = (days: number, ...jobs: Job[]): RetentionView => ({ days, jobs, freesBytes: 42 });
const orders = (jobs: readonly Job[]): number[] => jobs.map(({ order }) => order);

describe('what can be freed', () => {
  test('R163: what goes and what stays are apart, the largest first, then the oldest', () => {
    const now = view(0, job('a', 1, 5), job('b', 2, 9, 'It stays.'), job('c', 3, 7), job('d', 4, 7));
    const { goes, stays, freesBytes } = freeableOf(now, undefined);
    assert.deepEqual(orders(goes), [3, 4, 1]);
    assert.deepEqual(stays, [job('b', 2, 9, 'It stays.')]);
    assert.equal(freesBytes, 42);
    assert.ok(goes.every(({ why }) => why === undefined));
  });

  test('R163: what goes now says when it would go by itself, and what stays keeps its own reason', () => {
    const now = view(0, job('a', 1, 5), job('b', 2, 9, 'It stays.'), job('c', 3, 7));
    const later = view(14, job('a', 1, 5, 'It goes in 9 days.'), job('b', 2, 9, 'Other.'), job('c', 3, 7));
    const { goes, stays } = freeableOf(now, later);
    assert.deepEqual(
      goes.map(({ order, goes: still, why }) => [order, still, why]),
      [
        [3, true, undefined],
        [1, true, 'It goes in 9 days.'],
      ],
    );
    assert.deepEqual(
      stays.map(({ why }) => why),
      ['It stays.'],
    );
  });
});

describe('when it is read again', () => {
  const done = (id: string, change = {}) => jobView(id, 1, { state: 'done', ...change });
  const key = doneKey([done(JOB_A), done(JOB_B)], SELF);

  test('not while nothing of this machine is done or collected anew', () => {
    assert.equal(doneKey([done(JOB_B), done(JOB_A)], SELF), key);
    assert.equal(doneKey([done(JOB_A, { name: 'renamed' }), done(JOB_B)], SELF), key);
    assert.equal(doneKey([done(JOB_A), done(JOB_B), jobView('running', 3)], SELF), key);
    assert.equal(doneKey([done(JOB_A), done(JOB_B), done('foreign', { submitter: 'b' })], SELF), key);
  });

  test('once a job is done, collected, requeued or gone', () => {
    const changed = [
      [done(JOB_A)],
      [done(JOB_A), done(JOB_B), done('third')],
      [done(JOB_A), jobView(JOB_B, 1)],
      [done(JOB_A, { live: { running: 0, collected: 3 } }), done(JOB_B)],
    ];
    for (const jobs of changed) assert.notEqual(doneKey(jobs, SELF), key);
  });
});
