import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  countingResult,
  deriveJob,
  effectiveTask,
  PlanView,
  requestedLevels,
  type JobState,
  type Plan,
  type TaskRecord,
} from '@cuadro/protocol';
import { jobArbitrary, taskAt } from './arbitraries.ts';
import { numbersOf, oracleJob, spreadPlan } from './oracle.ts';
import { planArbitrary } from './plans.ts';

const OTHER = 'dddddddddddddddd';
const otherState = fc.constantFrom<JobState | undefined>(
  undefined,
  'waiting',
  'active',
  'paused',
  'done',
  'failed',
  'canceled',
  'skipped',
  'deleted',
);

test('R33, R38, R80, R81: derived status equals the naive oracle', () => {
  fc.assert(
    fc.property(
      jobArbitrary,
      fc.option(planArbitrary, { nil: undefined }),
      fc.array(taskAt(fc.nat({ max: 12 })), { maxLength: 14 }),
      otherState,
      fc.boolean(),
      (record, plan, tasks, other, waits) => {
        const job = { ...record, spec: { ...record.spec, after: waits ? [OTHER] : [] } };
        const records = [...new Map(tasks.map((task) => [task.index, task])).values()];
        const stateOf = () => other;
        const derived = deriveJob(
          job,
          plan && new PlanView(plan),
          (index) => records.find((task) => task.index === index),
          stateOf,
        );
        const expected = oracleJob(job, plan, records, stateOf);
        assert.equal(derived.state, expected.state);
        assert.deepEqual(derived.counts, expected.counts);
        assert.equal(derived.oneCopyOnly, expected.oneCopyOnly);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('R80: a task is skipped for what it needs, and not for what stands beside that in the plan', () => {
  const group = (name: string, after: Plan['groups'][number]['after']): Plan['groups'][number] => ({
    name,
    work: { kind: 'echo-sleep', message: '', sleepMs: 0 },
    numbers: [{ start: 1, end: 2, step: 1 }],
    after,
    requires: { engine: 'node' },
  });
  const groups = [
    group('frame', []),
    group('comp', []),
    group('film', [{ group: 0, match: 'all' }]),
    group('proxy', [{ group: 0, match: 'same' }]),
  ];
  const view = new PlanView({ version: 1, order: 'sequential', groups });
  const job = { id: OTHER, spec: { after: [], tasks: 8 }, control: {}, requests: {} } as never;
  // One failure of eight ends no job: what is skipped is so for what it needs.
  const skipped = (failed: number): number => {
    const task = { index: failed, redo: 0, retry: 0, results: {}, failures: {}, failed: {} } as never;
    const taskOf = (index: number): TaskRecord | undefined => (index === failed ? task : undefined);
    return deriveJob(job, view, taskOf, () => undefined).counts.skipped;
  };
  assert.equal(view.taskCount, 8);
  assert.equal(skipped(0), 3, 'both of the film, and its own proxy');
  assert.equal(skipped(1), 3);
  assert.equal(skipped(2), 0, 'nothing needs it');
});

test('R33: levels are the highest that any request demands of a task', () => {
  fc.assert(
    fc.property(jobArbitrary, fc.nat({ max: 15 }), (job, index) => {
      const covering = Object.values(job.requests).filter(({ tasks }) => numbersOf(tasks).includes(index));
      const highest = (kind: string) =>
        Math.max(0, ...covering.filter((request) => request.kind === kind).map(({ level }) => level));
      assert.deepEqual(requestedLevels(job, index), { redo: highest('redo'), retry: highest('retry') });
    }),
  );
});

test('R32: a redo leaves nothing of a task, a retry leaves its results', () => {
  fc.assert(
    fc.property(jobArbitrary, taskAt(fc.constant(2)), (job, task) => {
      const { redo, retry } = requestedLevels(job, 2);
      const effective = effectiveTask(job, task, 2) as TaskRecord;
      if (redo > task.redo) assert.equal(countingResult(effective), undefined);
      else assert.deepEqual(effective.results, task.results);
      if (redo > task.redo || retry > task.retry) {
        assert.equal(effective.failed, undefined);
        assert.deepEqual(effective.failures, {});
      }
    }),
  );
});

test('R70: plan index maths equals a naive expansion', () => {
  fc.assert(
    fc.property(planArbitrary, (plan: Plan) => {
      const view = new PlanView(plan);
      const spread = spreadPlan(plan);
      assert.equal(view.taskCount, spread.length);
      spread.forEach(({ group, number, needs }, index) => {
        const task = view.task(index);
        assert.deepEqual([task?.group, task?.number], [group, number]);
        assert.equal(view.groupOf(index), group);
        assert.equal(view.indexOf(group, number), index);
        const spans = view.dependencies(index).flatMap(({ start, count }) => {
          return Array.from({ length: count }, (_, i) => start + i);
        });
        assert.deepEqual(
          [...new Set(spans)].sort((a, b) => a - b),
          [...new Set(needs)].sort((a, b) => a - b),
        );
        assert.equal(view.find(`#${index}`), index);
        assert.equal(view.find(task?.name ?? ''), index);
      });
      assert.equal(view.task(spread.length), undefined);
      assert.equal(view.task(-1), undefined);
    }),
    { numRuns: 500 },
  );
});
