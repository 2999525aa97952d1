import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  deriveJob,
  knownRecordSchema,
  mergeRecords,
  PlanView,
  type JobRecord,
  type KnownRecord,
  type TaskRecord,
} from '@cuadro/protocol';
import { jobArbitrary, RECORDS, taskAt } from './arbitraries.ts';
import { planArbitrary } from './plans.ts';

/** The same value with every wall-clock time in it replaced by what `clock` gives for it. */
function withClock<T>(value: T, clock: (wallTime: number) => number): T {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item) => withClock<unknown>(item, clock)) as T;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === 'wallTime' && typeof item === 'number' ? clock(item) : withClock<unknown>(item, clock),
    ]),
  ) as T;
}

/** Clocks of other machines: fast, slow, running backwards, standing still. */
const CLOCKS: Record<string, (wallTime: number) => number> = {
  'hours ahead': (wallTime) => wallTime + 6 * 3_600_000,
  'before 1970': (wallTime) => wallTime - 1e12,
  backwards: (wallTime) => 1_000 - wallTime,
  'standing still': () => 0,
};

const MEMBERS = taskAt(fc.nat({ max: 8 }));

describe('wall-clock time', () => {
  for (const [what, clock] of Object.entries(CLOCKS)) {
    it(`R25: decides nothing of a job's and its tasks' state: ${what}`, () => {
      fc.assert(
        fc.property(jobArbitrary, planArbitrary, fc.array(MEMBERS, { maxLength: 10 }), (job, plan, tasks) => {
          const derive = (record: JobRecord, of: TaskRecord[]) => {
            const byIndex = new Map(of.map((task) => [task.index, task]));
            return deriveJob(
              record,
              new PlanView(plan),
              (index) => byIndex.get(index),
              () => 'active',
            );
          };
          assert.deepEqual(derive(withClock(job, clock), withClock(tasks, clock)), derive(job, tasks));
        }),
      );
    });

    it(`R25: orders no two writes that a merge has to choose between: ${what}`, () => {
      for (const kind of ['farm', 'node', 'task'] as const) {
        fc.assert(
          fc.property(RECORDS[kind], RECORDS[kind], (a, b) => {
            // One machine's clock is right and the other's is not; times aside, the merge is the same.
            const still = (record: KnownRecord): KnownRecord => withClock(record, () => 0);
            const differs = (record: KnownRecord): KnownRecord => withClock(record, clock);
            assert.deepEqual(
              shape(mergeRecords(still(a), differs(b))),
              shape(mergeRecords(still(a), still(b))),
            );
          }),
        );
      }
    });

    it(`R25: is refused at no door: ${what}`, () => {
      for (const record of Object.values(RECORDS)) {
        fc.assert(
          fc.property(record, (one) => {
            assert.ok(knownRecordSchema.safeParse(withClock(one, clock)).success);
          }),
          { numRuns: 50 },
        );
      }
    });
  }
});

/**
 * What a merge decided, times aside. Two values under one attempt come of a faulty peer alone and fall to the greater
 * bytes (R22), whatever these are; so of results, failures and verdicts only which there are is compared.
 */
function shape(record: KnownRecord): unknown {
  if (record.kind !== 'task') return withClock(record, () => 0);
  const { redo, retry, results, failures, failed } = record;
  const states = Object.entries(results).map(([key, { state, holders }]) => [key, state, holders]);
  return { redo, retry, states, failures: Object.keys(failures), failed: failed?.attempt };
}
