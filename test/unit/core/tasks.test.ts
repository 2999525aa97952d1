import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  countingResult,
  emptyTask,
  PlanView,
  type JobRecord,
  type Plan,
  type TaskRecord,
  type TaskState,
} from '@cuadro/protocol';
import { type TableListener, TaskTable } from '../../../node/src/core/tasks.ts';
import { jobArbitrary, taskAt } from '../protocol/arbitraries.ts';
import { numbersOf, oracleJob, spreadPlan, type OracleTask } from '../protocol/oracle.ts';
import { planArbitrary } from '../protocol/plans.ts';
import { resultOf } from './away.ts';
import { BELEN, CARMEN, chainedPlan, framesPlan, jobIdOf, jobRecord, withRequest } from './farm.ts';

const STATES: readonly TaskState[] = ['open', 'rendered', 'done', 'failed', 'skipped'];
const hasResult = (state: string | undefined): boolean => state === 'rendered' || state === 'done';

/** A job that hears nothing of what its table tells. */
const NOBODY: TableListener = {
  changed: () => undefined,
  freed: () => undefined,
  unblocked: () => undefined,
  blocked: () => undefined,
  lostInput: () => undefined,
};

/** What a table told its job since it was asked last. */
class Told {
  readonly freed = new Set<number>();
  readonly changed = new Set<number>();
  readonly unblocked = new Set<number>();
  readonly blocked = new Set<number>();
  readonly lostInput = new Set<number>();

  clear(): void {
    for (const set of [this.freed, this.changed, this.unblocked, this.blocked, this.lostInput]) set.clear();
  }
}

/** The same job looked at as a whole, each time anew. */
class Naive {
  readonly plan: Plan;
  readonly tasks: readonly OracleTask[];
  readonly records = new Map<number, TaskRecord>();
  job: JobRecord;

  constructor(plan: Plan, job: JobRecord) {
    this.plan = plan;
    this.tasks = spreadPlan(plan);
    this.job = job;
  }

  states(): string[] {
    // Whether the job ends plays no part here.
    const control = { failureShare: { value: 2 } };
    const job = { ...this.job, control, deleted: undefined, spec: { ...this.job.spec, after: [] } };
    const { tasks, counts } = oracleJob(job as never, this.plan, [...this.records.values()], () => undefined);
    assert.equal(counts.total, tasks.length);
    return tasks;
  }

  /** The tasks of a group that it needs all of, and whether all of them have results. */
  isBlocked(group: number, states: readonly string[]): boolean {
    const needed = this.plan.groups[group]?.after.filter(({ match }) => match === 'all') ?? [];
    return needed.some(({ group: other }) =>
      this.tasks.some((task, index) => task.group === other && !hasResult(states[index])),
    );
  }

  level(index: number, kind: 'redo' | 'retry'): number {
    const asked = Object.values(this.job.requests)
      .filter((request) => request.kind === kind && numbersOf(request.tasks).includes(index))
      .map(({ level }) => level);
    const record = this.records.get(index);
    const redo = Math.max(record?.redo ?? 0, ...asked);
    if (kind === 'redo') return redo;
    return record === undefined || record.redo < this.level(index, 'redo')
      ? Math.max(0, ...asked)
      : Math.max(record.retry, ...asked);
  }
}

function compare(table: TaskTable, naive: Naive): void {
  const states = naive.states();
  const indices = states.map((_, index) => index);
  assert.deepEqual(
    indices.map((index) => table.state(index)),
    states,
  );
  assert.equal(table.state(states.length), undefined);
  for (const state of STATES) {
    const wanted = indices.filter((index) => states[index] === state);
    assert.equal(table.counts[state], wanted.length);
    assert.deepEqual(table.inStates([state], { offset: 0, limit: 99 }), wanted);
    assert.deepEqual(table.inStates([state], { offset: 1, limit: 2 }), wanted.slice(1, 3));
  }
  const made = indices.filter((index) => hasResult(states[index]));
  assert.deepEqual(table.withResult(), made);
  assert.deepEqual(table.inStates(['rendered', 'done'], { offset: 1, limit: 1 }), made.slice(1, 2));
  assert.equal(
    table.firstOpen(),
    indices.find((index) => states[index] === 'open'),
  );
  assert.equal(table.groupCount, naive.plan.groups.length);
  for (const [group] of naive.plan.groups.entries()) {
    const own = indices.filter((index) => naive.tasks[index]?.group === group);
    assert.equal(table.withResultIn(group), own.filter((index) => hasResult(states[index])).length);
    assert.equal(table.openIn(group), own.filter((index) => states[index] === 'open').length);
    assert.equal(table.isBlocked(group), naive.isBlocked(group, states));
    const needs = (match: 'all' | 'same'): number[] =>
      naive.plan.groups[group]?.after.flatMap((need) => (need.match === match ? need.group : [])) ?? [];
    assert.deepEqual(table.needsOf(group), { all: needs('all'), same: needs('same') });
  }
  for (const index of indices) compareTask(table, naive, { index, states });
}

function compareTask(
  table: TaskTable,
  naive: Naive,
  { index, states }: { index: number; states: readonly string[] },
): void {
  const { group, number, needs } = naive.tasks[index] as OracleTask;
  const distinct = [...new Set(needs)];
  assert.equal(table.groupOf(index), group);
  assert.equal(table.isOpen(index), states[index] === 'open');
  assert.equal(
    table.hasInputs(index),
    needs.every((need) => hasResult(states[need])),
  );
  assert.equal(table.inputsMissing(index), needs.filter((need) => !hasResult(states[need])).length);
  for (const state of STATES)
    assert.equal(
      table.findInput(index, (own) => own === state),
      needs.find((need) => states[need] === state),
    );
  const same = naive.plan.groups[group]?.after.filter(({ match }) => match === 'same') ?? [];
  assert.deepEqual(
    table.sameInputs(index),
    same.flatMap(({ group: other }) =>
      naive.tasks.flatMap((task, at) => (task.group === other && task.number === number ? at : [])),
    ),
  );
  assert.deepEqual(
    [...new Set(table.dependents(index))].sort((a, b) => a - b),
    naive.tasks.flatMap((task, at) => (task.needs.includes(index) ? at : [])),
  );
  assert.deepEqual(table.levels(index), {
    redo: naive.level(index, 'redo'),
    retry: naive.level(index, 'retry'),
  });
  assert.equal(
    table.inputRedo(index),
    needs.reduce((sum, need) => sum + naive.level(need, 'redo'), 0),
  );
  assert.ok(distinct.length <= needs.length);
  const writing = table.forWriting(index);
  assert.deepEqual(
    [writing.index, writing.redo, writing.retry],
    [index, naive.level(index, 'redo'), naive.level(index, 'retry')],
  );
}

/** What was told is what changed, and nothing that a grant depends on was left out. */
function compareTold(told: Told, naive: Naive, before: readonly string[], isOfTask: boolean): void {
  const after = naive.states();
  assert.equal(told.changed.has(after.length), false, 'there is no such task');
  for (const [index, state] of after.entries()) {
    if (state !== before[index]) assert.ok(told.changed.has(index), `${index} became ${state}`);
    if (state === 'open' && before[index] !== 'open') assert.ok(told.freed.has(index));
    assert.ok(!told.freed.has(index) || state === 'open' || before[index] !== state);
    const { group, number } = naive.tasks[index] as OracleTask;
    const hadSame = naive.plan.groups[group]?.after.some(
      ({ group: other, match }) =>
        match === 'same' &&
        naive.tasks.some(
          (task, at) =>
            task.group === other && task.number === number && hasResult(before[at]) && !hasResult(after[at]),
        ),
    );
    if (hadSame === true) assert.ok(told.lostInput.has(index), `${index} lost what it is made from`);
  }
  for (const [group] of naive.plan.groups.entries()) {
    const [was, is] = [naive.isBlocked(group, before), naive.isBlocked(group, after)];
    if (was && !is) assert.ok(told.unblocked.has(group));
    if (isOfTask && !(was && !is)) assert.equal(told.unblocked.has(group), false);
    if (!was && is) assert.ok(told.blocked.has(group));
  }
}

/** Does it all to a table and to the job as a whole; the plan comes in between. */
function live(
  job: JobRecord,
  plan: Plan,
  { deeds, planAt }: { deeds: readonly (TaskRecord | JobRecord)[]; planAt: number },
): void {
  const view = new PlanView(plan);
  const naive = new Naive(plan, { ...job, spec: { ...job.spec, tasks: view.taskCount } });
  const told = new Told();
  const table = new TaskTable(naive.job, {
    changed: (index) => void told.changed.add(index),
    freed: (index) => void told.freed.add(index),
    unblocked: (group) => void told.unblocked.add(group),
    blocked: (group) => void told.blocked.add(group),
    lostInput: (index) => void told.lostInput.add(index),
  });
  table.applyRequests(naive.job);
  for (const [at, deed] of deeds.entries()) {
    if (at === planAt) {
      table.setPlan(view, naive.job);
      compare(table, naive);
    }
    const before = naive.states();
    told.clear();
    if (deed.kind === 'job') {
      naive.job = { ...naive.job, requests: { ...naive.job.requests, ...deed.requests } };
      table.applyRequests(naive.job);
    } else if (deed.index < view.taskCount) {
      naive.records.set(deed.index, deed);
      table.put(deed);
      assert.ok(told.changed.has(deed.index));
    }
    if (at < planAt) continue;
    compareTold(told, naive, before, deed.kind === 'task');
    compare(table, naive);
    for (const [index, record] of naive.records) {
      const isVoid = naive.level(index, 'redo') > record.redo;
      assert.deepEqual(table.effective(index)?.results, isVoid ? {} : record.results);
      assert.equal(countingResult(record) === undefined || isVoid, !hasResult(table.state(index)));
    }
  }
}

describe('the table of a job’s tasks', () => {
  it('R33, R38, R39, R80: says at each moment what a look at all records would', () => {
    const deed = fc.oneof(
      { weight: 4, arbitrary: taskAt(fc.nat({ max: 12 })) },
      { weight: 1, arbitrary: jobArbitrary },
    );
    fc.assert(
      fc.property(
        jobArbitrary,
        planArbitrary,
        fc.record({ deeds: fc.array(deed, { maxLength: 12 }), planAt: fc.nat({ max: 6 }) }),
        live,
      ),
      { numRuns: 150 },
    );
  });

  it('R70, R80: tells who waits for all of a group, or for one of it, what came to be there and what is gone', () => {
    const chained = chainedPlan();
    const [frame, proxy, sheet] = chained.groups;
    assert.ok(frame && proxy && sheet);
    // The sheet needs the frames, too.
    const plan = {
      ...chained,
      groups: [frame, proxy, { ...sheet, after: [...sheet.after, { group: 0, match: 'all' as const }] }],
    };
    const job = jobRecord(plan);
    let told: string[] = [];
    const table = new TaskTable(job, {
      ...NOBODY,
      unblocked: (group) => void told.push(`unblocked ${group}`),
      blocked: (group) => void told.push(`blocked ${group}`),
      lostInput: (index) => void told.push(`lost ${index}`),
    });
    table.setPlan(new PlanView(plan), job);
    let requests = job.requests;
    const put = (index: number, ...holders: string[]) => table.put(resultOf(job.id, index, ...holders));
    const redo = (index: number, level: number) => {
      ({ requests } = withRequest({ ...job, requests }, 'redo', [index], level));
      table.applyRequests({ ...job, requests });
    };
    for (const [what, deed, expected] of [
      ['the first frame', () => put(0, BELEN), []],
      ['the other: proxies are missing still', () => put(1, BELEN), []],
      ['a proxy', () => put(2, BELEN), []],
      ['the other proxy', () => put(3, BELEN), ['unblocked 2']],
      ['a second copy of it', () => put(3, BELEN, CARMEN), []],
      ['a second copy of a frame', () => put(0, BELEN, CARMEN), []],
      ['a proxy made again', () => redo(3, 1), ['blocked 2']],
      ['the other one, too', () => redo(2, 2), []],
      ['a frame', () => redo(0, 3), ['lost 2', 'blocked 2']],
    ] as const) {
      told = [];
      deed();
      assert.deepEqual(told, expected, what);
    }
  });

  it('R33: takes from the ranges of a request the tasks that there are, and tells those that it raises', () => {
    for (const [start, end, step, named] of [
      [0, 0, 1, [0]],
      [1, 3, 2, [1, 3]],
      [-5, 3, 2, [1, 3]],
      [-4, 3, 2, [0, 2]],
      [-1, 9, 3, [2, 5]],
      [-7, 20, 4, [1, 5]],
      [-9, -1, 1, []],
      [0, 1_000_000, 1, [0, 1, 2, 3, 4, 5]],
      [6, 9, 1, []],
    ] as const)
      for (const kind of ['redo', 'retry'] as const) {
        const told: number[] = [];
        const job = withRequest(jobRecord(framesPlan('1-6')), kind, [], 2);
        const [key, request] = Object.entries(job.requests)[0] ?? [];
        assert.ok(key !== undefined && request !== undefined);
        const ranged = { ...request, tasks: [{ start, end, step }] };
        const table = new TaskTable(job, { ...NOBODY, changed: (index) => void told.push(index) });
        table.setPlan(new PlanView(framesPlan('1-6')), job);
        table.applyRequests({ ...job, requests: { ...job.requests, [`${key}.`]: ranged } });
        assert.deepEqual(told, named);
        const raised = [0, 1, 2, 3, 4, 5].filter((index) => table.levels(index)[kind] === 2);
        assert.deepEqual(raised, named, `${start} to ${end} by ${step}`);
        const again = { [`${key}.`]: ranged, [`${key}..`]: ranged };
        table.applyRequests({ ...job, requests: { ...job.requests, ...again } });
        assert.deepEqual(told, named, 'once');
      }
  });

  it('R33: tells each task once whose levels fall, where a request is replaced', () => {
    const told: number[] = [];
    const job = withRequest(jobRecord(framesPlan('1-3')), 'redo', [1], 2);
    const table = new TaskTable(job, { ...NOBODY, changed: (index) => void told.push(index) });
    table.setPlan(new PlanView(framesPlan('1-3')), job);
    told.length = 0;
    const other = withRequest(job, 'redo', [], 2);
    assert.notEqual(Object.values(other.requests)[0], Object.values(job.requests)[0]);
    table.applyRequests(other);
    assert.deepEqual(told, [0, 1, 2]);
    assert.equal(table.levels(1).redo, 0);
  });

  it('R80: knows nothing of groups before the plan is there, and counts all the same', () => {
    const records = [0, 1, 2].map((index) => ({ ...emptyTask(jobIdOf(1), index), redo: index }));
    const table = new TaskTable(jobRecord(framesPlan('1-4')), NOBODY);
    assert.deepEqual(table.counts, { total: 4, open: 4, rendered: 0, done: 0, failed: 0, skipped: 0 });
    for (const record of records) table.put(record);
    assert.deepEqual([table.groupCount, table.groupOf(2)], [0, -1]);
    for (const group of [0, 1, -1]) {
      assert.deepEqual(
        [table.withResultIn(group), table.openIn(group), table.isBlocked(group)],
        [0, 0, false],
      );
      assert.deepEqual(table.needsOf(group), { all: [], same: [] });
    }
    assert.deepEqual([table.hasInputs(1), table.inputsMissing(1), table.inputRedo(1)], [false, 0, 0]);
    assert.deepEqual([table.sameInputs(1), [...table.dependents(1)]], [[], []]);
    assert.equal(
      table.findInput(1, () => true),
      undefined,
    );
    assert.deepEqual(
      [table.levels(2), table.levels(3)],
      [
        { redo: 2, retry: 0 },
        { redo: 0, retry: 0 },
      ],
    );
    assert.equal(table.forWriting(2), records[2]);
    assert.deepEqual(table.inStates(['open', 'done'], { offset: 1, limit: 2 }), [1, 2]);
    assert.deepEqual(table.inStates(['open'], { offset: 3, limit: 9 }), [3]);
    assert.deepEqual(table.inStates(['open'], { offset: 4, limit: 9 }), []);
  });
});
