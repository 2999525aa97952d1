import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JobRecord, Plan, TaskRecord } from '@cuadro/protocol';
import type { Core, CoreInput } from '../../../node/src/core/interface.ts';
import { loadCore } from '../../../node/src/core/core.ts';
import { HELD_MAX, TaskRecords } from '../../../node/src/core/task-records.ts';
import { capabilities, deleted, framesPlan, jobRecord, SELF, withRequest } from './farm.ts';
import { failedOnce, rendered } from './rendered.ts';

type WithoutNow = CoreInput extends infer T ? (T extends unknown ? Omit<T, 'now'> : never) : never;

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

  /** Whether these are still the objects that were put. */
  const objects = (records: TaskRecords, put: readonly TaskRecord[]): boolean[] =>
    put.map((record) => records.get(record.index) === record);

  it('are objects as long as there are few, and leave by whole buckets, the one written longest ago first', () => {
    const records = new TaskRecords({ young: 3 });
    const put = [0, 1, 300].map((index) => rendered(index));
    for (const record of [...put, ...put]) records.set(record.index, record);
    assert.deepEqual(objects(records, put), [true, true, true], 'writing one again makes no more of them');
    const more = rendered(600);
    records.set(600, more);
    assert.deepEqual(objects(records, [...put, more]), [false, false, true, true]);
    assert.equal(records.get(1), records.get(1), 'asked for twice it is made once');
    assert.deepEqual(records.get(1), put[1]);
    const anew = { ...rendered(1), retry: 9 };
    for (const record of [anew, rendered(900)]) records.set(record.index, record);
    assert.equal(records.get(1), anew);
    for (const index of [901, 902]) records.set(index, rendered(index));
    assert.notEqual(records.get(1), anew);
    assert.deepEqual(records.get(1), anew, 'packed anew');
    assert.deepEqual(records.get(0), put[0], 'with what stands beside it');
  });

  it('are 4,096 objects at most, and 131,072 while they are held', () => {
    const [record] = [rendered(0)];
    const fill = (records: TaskRecords, count: number): boolean => {
      for (let index = 0; index < count; index++)
        records.set(index, index === 0 ? record : failedOnce(index));
      return records.get(0) === record;
    };
    assert.equal(fill(new TaskRecords(), 4_096), true);
    assert.equal(fill(new TaskRecords(), 4_097), false);
    const held = new TaskRecords();
    held.hold();
    const other = { ...record };
    for (let index = 0; index < 131_072; index++) held.set(index, index === 0 ? record : other);
    assert.equal(held.get(0), record);
    held.set(131_072, other);
    assert.notEqual(held.get(0), record);
    assert.deepEqual(held.get(0), record);
  });

  it('stay objects while they are held, and are packed afterwards bucket by bucket', () => {
    const records = new TaskRecords({ young: 1 });
    const put = [0, 300, 600].map((index) => rendered(index));
    records.hold();
    for (const record of put) records.set(record.index, record);
    assert.equal(records.packSome(), false);
    assert.deepEqual(objects(records, put), [true, true, true]);
    assert.equal(records.release(), true);
    assert.deepEqual(objects(records, put), [true, true, true], 'one after the other');
    assert.equal(records.packSome(), true);
    assert.deepEqual(objects(records, put), [false, true, true]);
    assert.equal(records.packSome(), false);
    assert.deepEqual(objects(records, put), [false, false, true]);
    assert.equal(records.packSome(), false);
    assert.deepEqual(objects(records, put), [false, false, true]);
    assert.equal(records.release(), false, 'no more than may stay');
    assert.deepEqual([...records.values()], put);
  });

  it('stand in the order of their indices, whatever they became', () => {
    const records = new TaskRecords({ young: 1 });
    const indices = [600, 3, 257, 255, 256, 0, 511, 512, 1_024];
    for (const index of indices) records.set(index, failedOnce(index));
    records.set(700, { ...rendered(700), big: 1n } as TaskRecord);
    records.set(1_023, rendered(1_023));
    records.set(5_000, rendered(5_000));
    const sorted = [...indices].sort((a, b) => a - b);
    assert.deepEqual(records.failed(), sorted);
    assert.deepEqual(
      [...records.keys()],
      [...sorted, 700, 1_023, 5_000].sort((a, b) => a - b),
    );
    records.set(3, rendered(3));
    assert.deepEqual(
      records.failed(),
      sorted.filter((index) => index !== 3),
    );
    assert.deepEqual([records.has(2), records.get(2), records.size], [false, undefined, 12]);
    records.set(9_000, { ...rendered(9_000), big: 1n } as TaskRecord);
    records.set(3, rendered(3));
    assert.equal([...records.keys()].at(-1), 9_000, 'where there is nothing else');
  });

  it('are the latest that was put, also where the one before was asked for just then', () => {
    const records = new TaskRecords({ young: 0 });
    records.set(1, rendered(1));
    records.hold();
    records.set(300, rendered(300));
    assert.deepEqual(records.get(1), rendered(1));
    const anew = { ...rendered(1), retry: 9 };
    records.set(1, anew);
    records.release();
    while (records.packSome());
    assert.deepEqual(records.get(1), anew);
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

describe('a start with some more results than may stay objects', () => {
  const MORE = 600;
  const TASKS = 4_096 + MORE;

  /** A core that was started with so many results of each job; when it is to be woken. */
  function started(jobs: readonly JobRecord[]): {
    core: Core;
    step: (input: WithoutNow, now: number) => void;
    wakeAt: () => number | undefined;
  } {
    const loading = loadCore({ self: SELF, name: 'alba' });
    for (const job of jobs) {
      loading.take(job);
      for (let index = 0; index < TASKS; index++) loading.take({ ...SHARED, index, job: job.id });
    }
    const core = loading.end(0);
    let at: number | undefined;
    const step = (input: WithoutNow, now: number): void => {
      for (const effect of core.step({ ...input, now })) if (effect.kind === 'wake-at') at = effect.at;
    };
    step({ kind: 'start' }, 1);
    for (const { id } of jobs) step({ kind: 'plan', job: id, plan: framesPlan(`1-${TASKS}`) }, 2);
    return { core, step, wakeAt: () => at };
  }

  const SHARED = rendered(0);
  const jobs = [1, 2].map((id) => jobRecord(framesPlan(`1-${TASKS}`), { id }));
  const BUCKETS = Math.ceil(MORE / 256);

  it('packs a bucket every 25 ms, and not before, until no more than may stay are left', () => {
    const { step, wakeAt } = started(jobs.slice(0, 1));
    assert.equal(wakeAt(), 25);
    step({ kind: 'wake' }, 24);
    assert.equal(wakeAt(), 25);
    for (let packed = 1; packed <= BUCKETS; packed++) {
      assert.equal(wakeAt(), 25 * packed);
      step({ kind: 'wake' }, 25 * packed);
    }
    assert.ok((wakeAt() ?? Infinity) > 1_000);
  });

  it('packs those of one job after the other, and none of a job that was deleted meanwhile', () => {
    const both = started(jobs);
    let wakes = 0;
    for (let at = both.wakeAt() ?? 0; at < 1_000; at = both.wakeAt() ?? Infinity, wakes++)
      both.step({ kind: 'wake' }, at);
    assert.equal(wakes, 2 * BUCKETS);
    const one = started(jobs.slice(0, 1));
    one.step({ kind: 'wake' }, 25);
    one.step({ kind: 'records', from: SELF, records: [deleted(jobs[0] as JobRecord)] }, 26);
    one.step({ kind: 'wake' }, 50);
    assert.ok((one.wakeAt() ?? Infinity) > 1_000);
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

describe('a start that has the plan before the tasks', () => {
  const TASKS = 1_200;
  const RUNS = 3;
  const plan = framesPlan(`1-${TASKS}`);
  const job = withRequest(jobRecord(plan), 'redo', [105, 107, 1_100], 1);
  const made = (index: number): TaskRecord => (index % 7 === 0 ? failedOnce(index) : rendered(index));
  const records = Array.from({ length: TASKS - 100 }, (_, i) => ({ ...made(TASKS - 1 - i), job: job.id }));

  function started(isFirst: boolean): unknown {
    const loading = loadCore({ self: SELF, name: 'alba' });
    loading.take(job);
    assert.deepEqual(loading.wantedPlans(), [{ job: job.id, plan: job.spec.plan }]);
    if (isFirst) loading.plan(job.id, plan);
    assert.equal(loading.wantedPlans().length, isFirst ? 0 : 1);
    for (const record of records) loading.take(record);
    const core = loading.end(0);
    const asks = core.step({ kind: 'start', now: 1 }).some(({ kind }) => kind === 'need-plan');
    assert.equal(asks, !isFirst);
    if (!isFirst) core.step({ kind: 'plan', job: job.id, plan, now: 1 });
    core.step({ kind: 'wake', now: 10_000 });
    const worker = { capabilities: capabilities(), slots: RUNS, bundles: [], accepting: true };
    const runs = core
      .step({ kind: 'worker', ...worker, now: 10_000 })
      .flatMap((effect) => (effect.kind === 'run' ? effect.grant.task : []));
    assert.ok(runs.length >= RUNS);
    const pages = (['open', 'rendered', 'failed'] as const).map((state) =>
      core.tasks(job.id, { offset: 0, limit: TASKS, state }),
    );
    return [core.job(job.id), runs, pages, core.tasksWithResult(job.id)];
  }

  it('knows the same as one that gets it afterwards', () => {
    assert.deepEqual(started(true), started(false));
  });

  it('asks beforehand for the plans of jobs of 1,000 tasks and more', () => {
    const loading = loadCore({ self: SELF, name: 'alba' });
    for (const tasks of [999, 1_000, 1_001]) loading.take(jobRecord(framesPlan(`1-${tasks}`), { id: tasks }));
    const wanted = loading.wantedPlans().map(({ job: id }) => id);
    assert.deepEqual(
      wanted,
      [1_000, 1_001].map((tasks) => jobRecord(plan, { id: tasks }).id),
    );
  });

  it('packs the results of a very large job while they come, and those of any other once it has started', () => {
    for (const [tasks, isPackedLater] of [
      [HELD_MAX, true],
      [HELD_MAX + 1, false],
    ] as const) {
      const long = framesPlan(`1-${tasks}`);
      const { id } = jobRecord(long);
      const loading = loadCore({ self: SELF, name: 'alba' });
      loading.take(jobRecord(long));
      loading.plan(id, long);
      // More than may stay objects.
      for (let index = 0; index < 4_352; index++) loading.take({ ...rendered(index), job: id });
      const effects = loading.end(0).step({ kind: 'start', now: 1 });
      const wake = effects.findLast((effect) => effect.kind === 'wake-at');
      assert.equal(wake?.at === 25, isPackedLater, `${tasks} tasks, woken at ${wake?.at}`);
    }
  });

  it('asks for no plan of a small job beforehand, and for one that makes no sense afterwards', () => {
    const loading = loadCore({ self: SELF, name: 'alba' });
    loading.take(jobRecord(framesPlan('1-999'), { id: 1 }));
    loading.take(jobRecord(plan, { id: 2 }));
    const [wanted] = loading.wantedPlans();
    assert.equal(wanted?.job, jobRecord(plan, { id: 2 }).id);
    const group = plan.groups[0] as Plan['groups'][number];
    loading.plan(wanted.job, { ...plan, groups: [{ ...group, after: [{ group: 1, match: 'all' }] }] });
    const asked = loading
      .end(0)
      .step({ kind: 'start', now: 1 })
      .filter(({ kind }) => kind === 'need-plan');
    assert.equal(asked.length, 2);
  });
});
