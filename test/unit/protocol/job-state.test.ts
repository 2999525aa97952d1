import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  jobControls,
  jobState,
  ownState,
  PRIORITY_DEFAULT,
  requestedLevels,
  type JobRecord,
  type JobState,
  type TaskCounts,
} from '@cuadro/protocol';
import { PEERS } from './arbitraries.ts';

const OTHER = 'dddddddddddddddd';
const FURTHER = 'eeeeeeeeeeeeeeee';
const field = <T>(value: T) => ({
  value,
  counter: 1,
  peer: PEERS[0] as string,
  signature: new Uint8Array(64),
});

interface Shape {
  after?: string[];
  desired?: 'active' | 'paused' | 'canceled';
  share?: number;
  deleted?: true;
}

function job({ after = [], desired, share, deleted }: Shape = {}): JobRecord {
  return {
    spec: { after, name: 'a name' },
    control: {
      ...(desired !== undefined && { desired: field(desired) }),
      ...(share !== undefined && { failureShare: field(share) }),
    },
    requests: {},
    ...(deleted && { deleted: {} }),
  } as never;
}

const counts = (changes: Partial<TaskCounts>): TaskCounts => {
  const all = { open: 0, rendered: 0, done: 0, failed: 0, skipped: 0, ...changes };
  return { total: Object.values(all).reduce((sum, count) => sum + count, 0), ...all };
};

const NOTHING = () => undefined;

describe('R81: the state of a job', () => {
  const table: [string, Partial<TaskCounts>, Shape, JobState][] = [
    ['nothing has begun', { open: 3 }, {}, 'queued'],
    ['a task is done', { open: 3, done: 1 }, {}, 'active'],
    ['a task is rendered', { open: 3, rendered: 1 }, {}, 'active'],
    ['a task has failed', { open: 3, failed: 1 }, {}, 'active'],
    ['all are done', { done: 3 }, {}, 'done'],
    ['all are done or rendered', { done: 2, rendered: 1 }, {}, 'done'],
    ['all are done, and it was canceled', { done: 3 }, { desired: 'canceled' }, 'done'],
    ['it has no tasks', {}, {}, 'done'],
    ['it was canceled', { open: 1, done: 2 }, { desired: 'canceled' }, 'canceled'],
    ['it was paused', { open: 1, done: 2 }, { desired: 'paused' }, 'paused'],
    ['it was deleted', { done: 3 }, { deleted: true }, 'deleted'],
    ['one of all has failed, and none is open', { done: 99, failed: 1 }, {}, 'failed'],
    ['a failure skipped what was left', { done: 1, failed: 1, skipped: 1 }, {}, 'failed'],
    ['two of three have failed', { open: 1, failed: 2 }, {}, 'active'],
    ['three of thirty have failed', { open: 27, failed: 3 }, {}, 'failed'],
    ['three of thirty-one have failed', { open: 28, failed: 3 }, {}, 'active'],
    ['nine of a hundred have failed', { open: 91, failed: 9 }, {}, 'active'],
    ['ten of a hundred have failed', { open: 90, failed: 10 }, {}, 'failed'],
    ['the half has failed, which its setting allows', { open: 51, failed: 49 }, { share: 0.5 }, 'active'],
    ['more has failed than its setting allows', { open: 50, failed: 50 }, { share: 0.5 }, 'failed'],
    ['it may not fail at all, and two did', { open: 50, failed: 2 }, { share: 0 }, 'active'],
    ['it may not fail at all, and three did', { open: 50, failed: 3 }, { share: 0 }, 'failed'],
  ];
  for (const [what, changes, shape, state] of table)
    it(`is ${state} when ${what}`, () => {
      const derived = jobState(job(shape), counts(changes), NOTHING);
      assert.equal(derived.state, state);
      const isSaid = state === 'failed';
      assert.equal(derived.reason !== undefined, isSaid, derived.reason);
    });

  it('says how many failed, and whether the rest was given up', () => {
    const reason = (changes: Partial<TaskCounts>) => jobState(job(), counts(changes), NOTHING).reason;
    assert.equal(reason({ done: 7, failed: 1 }), '1 of 8 tasks failed.');
    assert.equal(reason({ open: 5, failed: 3 }), '3 of 8 tasks failed. Finishing it made no sense.');
  });

  for (const [other, state] of [
    ['failed', 'skipped'],
    ['canceled', 'skipped'],
    ['skipped', 'skipped'],
    ['deleted', 'skipped'],
    ['active', 'waiting'],
    ['queued', 'waiting'],
    ['paused', 'waiting'],
    ['waiting', 'waiting'],
    [undefined, 'waiting'],
    ['done', 'queued'],
  ] as const)
    it(`is ${state} when a job that it waits for is ${other ?? 'not known'}`, () => {
      const stateOf = (id: string) => (id === FURTHER ? other : 'done');
      const { state: derived, reason } = jobState(
        job({ after: [OTHER, FURTHER] }),
        counts({ open: 2 }),
        stateOf,
      );
      assert.equal(derived, state);
      assert.equal(reason?.includes(FURTHER) ?? false, state !== 'queued');
      const paused = jobState(job({ after: [FURTHER], desired: 'paused' }), counts({ open: 2 }), stateOf);
      assert.equal(paused.state, state === 'skipped' ? 'skipped' : 'paused', 'a pause is said before a wait');
    });
});

describe("a job's controls", () => {
  it('are those of its spec, and the usual ones, until a person says otherwise', () => {
    const usual = { priority: PRIORITY_DEFAULT, desired: 'active', notes: '', machineLimit: 0 };
    assert.deepEqual(jobControls(job()), { ...usual, name: 'a name' });
    const set = { name: 'b', priority: 1, desired: 'paused', notes: 'c', machineLimit: 2 } as const;
    const control = Object.fromEntries(Object.entries(set).map(([key, value]) => [key, field(value)]));
    assert.deepEqual(jobControls({ ...job(), control }), set);
  });
});

describe('R33: the levels that requests demand', () => {
  const asking = (start: number, end: number, step: number): JobRecord =>
    ({ requests: { a: { kind: 'redo', level: 2, tasks: [{ start, end, step }] } } }) as never;

  it('are of the tasks from the first to the last of a range, step by step', () => {
    const asked = [0, 1, 2, 3, 4, 5, 6, 7, 8].filter(
      (index) => requestedLevels(asking(2, 7, 2), index).redo === 2,
    );
    assert.deepEqual(asked, [2, 4, 6]);
    assert.deepEqual(requestedLevels(asking(3, 3, 1), 3), { redo: 2, retry: 0 });
  });
});

describe("R80: a task's own state", () => {
  it('is open before there is a record', () => {
    assert.equal(ownState(undefined), 'open');
  });
});
