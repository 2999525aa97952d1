import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { LiveEvent, TaskView } from '@cuadro/protocol';
import { createEventHub, type EventHubInit } from '../../../node/src/api/event-hub.ts';
import type { Changes } from '../../../node/src/core/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { farmView, JOB_A, JOB_B, jobView, nodeView, SELF, taskView } from './fakes.ts';

const none: Changes = { jobs: [], removed: [], tasks: [], nodes: [], farm: false };
const tasksOf = (job: string, indices: number[]): Changes => ({ ...none, tasks: [{ job, indices }] });

function set(init: EventHubInit = {}, durable?: () => Promise<void>) {
  const clock = new ManualClock();
  let version = 0;
  const made: string[] = [];
  const queries = {
    farm: () => farmView,
    job: (id: string) => {
      made.push(id);
      return id === 'gone' ? undefined : jobView(id, 1, { notes: String(version) });
    },
    nodes: () => [nodeView()],
    taskViews: (_: string, indices: readonly number[]): TaskView[] =>
      indices.map((index) => taskView(index, { failures: version })),
  };
  const hub = createEventHub({ queries, clock, ...(durable !== undefined && { durable }) }, init);
  const heard: { id: number; event: LiveEvent }[] = [];
  const listen = () => hub.subscribe((entry) => heard.push(entry));
  return { clock, hub, heard, listen, made, next: () => (version += 1) };
}

describe('the event hub', () => {
  test('tells a view once it is on disk, in order, and never what the disk refused', async () => {
    const writes: { done(): void; failed(): void }[] = [];
    const durable = () =>
      new Promise<void>((resolve, reject) => {
        writes.push({ done: resolve, failed: () => reject(new Error('The disk is full.')) });
      });
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    const { clock, hub, heard, listen, next } = set({}, durable);
    listen();
    const versions = () => heard.flatMap(({ event }) => (event.kind === 'job' ? event.job.notes : []));
    for (let i = 0; i < 3; i += 1) {
      next();
      hub.notify({ ...none, jobs: [JOB_A] });
      clock.advance(1_000);
      await settle();
    }
    assert.deepEqual([versions(), writes.length], [[], 1]);
    writes[0]?.done();
    await settle();
    assert.deepEqual([versions(), writes.length], [['1'], 2]);
    writes[1]?.failed();
    await settle();
    writes[2]?.done();
    await hub.stop();
    assert.deepEqual(versions(), ['1', '3']);
  });

  test('tells many changes once, with the newest view', () => {
    const { clock, hub, heard, listen, next } = set();
    listen();
    for (let i = 0; i < 50; i += 1) {
      next();
      hub.notify({
        jobs: [JOB_A, 'gone'],
        removed: [],
        tasks: [{ job: JOB_A, indices: [1, 2] }],
        nodes: [SELF, 'x'],
        farm: true,
      });
    }
    assert.equal(heard.length, 0);
    clock.advance(5);
    assert.deepEqual(
      heard.map(({ event }) => event.kind),
      ['tasks', 'job', 'node', 'farm'],
    );
    const [tasks, job] = heard.map(({ event }) => event);
    assert.ok(tasks?.kind === 'tasks' && tasks.tasks.every((task) => task.failures === 50));
    assert.ok(job?.kind === 'job' && job.job.notes === '50');
    clock.advance(1_000);
    assert.equal(heard.length, 4);
    assert.equal(clock.pendingTimers, 0);
  });

  test('tells a removed job as removed, and nothing of it before', () => {
    const { clock, hub, heard, listen } = set();
    listen();
    hub.notify({ ...tasksOf(JOB_A, [1]), jobs: [JOB_A] });
    hub.notify({ ...none, removed: [JOB_A] });
    clock.advance(5);
    assert.deepEqual(
      heard.map(({ event }) => event),
      [{ kind: 'job-removed', job: JOB_A }],
    );
  });

  test('bounds its rate: 4,000 tasks in a second are at most ten batches and a few', () => {
    const { clock, hub, heard, listen } = set();
    listen();
    for (let i = 0; i < 4_000; i += 4) {
      hub.notify({ ...tasksOf(JOB_A, [i, i + 1, i + 2, i + 3]), jobs: [JOB_A] });
      clock.advance(1);
    }
    clock.advance(1_000);
    const jobs = heard.filter(({ event }) => event.kind === 'job').length;
    assert.ok(jobs <= 12, `${jobs} batches`);
    const told = heard.flatMap(({ event }) =>
      event.kind === 'tasks' ? event.tasks.map((task) => task.index) : [],
    );
    assert.deepEqual(
      told.toSorted((a, b) => a - b),
      Array.from({ length: 4_000 }, (_, i) => i),
    );
  });

  test('lets a small job through while a huge one is told', () => {
    const { clock, hub, heard, listen } = set();
    listen();
    hub.notify(
      tasksOf(
        JOB_A,
        Array.from({ length: 10_000 }, (_, i) => i),
      ),
    );
    hub.notify(tasksOf(JOB_B, [7]));
    clock.advance(5);
    const jobs = heard.map(({ event }) => (event.kind === 'tasks' ? event.job : ''));
    assert.deepEqual(jobs.toSorted(), [JOB_A, JOB_B]);
  });

  test('says reset where too much changed', () => {
    const { clock, hub, heard, listen } = set({ pendingTasksMax: 100 });
    listen();
    hub.notify(
      tasksOf(
        JOB_A,
        Array.from({ length: 101 }, (_, i) => i),
      ),
    );
    hub.notify(tasksOf(JOB_B, [1]));
    clock.advance(5);
    assert.deepEqual(
      heard.map(({ event }) => event),
      [{ kind: 'reset' }],
    );
    hub.notify(tasksOf(JOB_B, [1]));
    clock.advance(100);
    assert.equal(heard.at(-1)?.event.kind, 'tasks');
  });

  test('makes no views while nobody listens, and lets nobody resume across that', () => {
    const { clock, hub, listen, made } = set({ listenerGraceMs: 1_000 });
    hub.notify({ ...none, jobs: [JOB_A] });
    clock.advance(10_000);
    assert.deepEqual(made, []);
    const leave = listen();
    const seen = hub.lastId;
    leave();
    hub.notify({ ...none, jobs: [JOB_A] });
    clock.advance(200);
    assert.equal(hub.since(seen)?.length, 1, 'a short break is resumed');
    clock.advance(2_000);
    const last = hub.lastId;
    hub.notify({ ...none, jobs: [JOB_A] });
    assert.equal(hub.since(last), undefined);
    assert.equal(hub.since(seen), undefined);
    assert.deepEqual(hub.since(hub.lastId), []);
  });

  test('ids of an earlier run are not resumed from', () => {
    const { hub } = set();
    assert.equal(hub.since(0), undefined);
    assert.equal(hub.since(hub.lastId - 1), undefined);
    assert.equal(hub.since(hub.lastId + 1), undefined);
  });

  test('whoever resumes from any id is given exactly what followed, or told that it is gone', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        (steps, eventsKept) => {
          const { clock, hub, heard, listen } = set({ eventsKept });
          listen();
          const start = hub.lastId;
          for (const step of steps) {
            if (step === 0) hub.notify({ ...none, jobs: [JOB_A], farm: true });
            if (step === 1) hub.progress(JOB_A, 3);
            if (step === 2) clock.advance(60);
            if (step === 3) hub.emit({ kind: 'reset' });
          }
          hub.flush();
          for (let id = start; id <= hub.lastId; id += 1) {
            const expected = heard.filter((entry) => entry.id > id);
            assert.deepEqual(hub.since(id), expected.length <= eventsKept ? expected : undefined);
          }
        },
      ),
    );
  });

  test('is quiet after its stop', async () => {
    const { clock, hub, heard, listen } = set();
    listen();
    hub.notify({ ...none, farm: true });
    await hub.stop();
    assert.equal(heard.length, 1, 'what was pending is told first');
    hub.notify({ ...none, farm: true });
    hub.emit({ kind: 'reset' });
    clock.advance(1_000);
    await hub.stop();
    assert.equal(heard.length, 1);
    assert.equal(clock.pendingTimers, 0);
  });
});
