import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { KnownRecord } from '@cuadro/protocol';
import { createCore } from '../../../node/src/core/core.ts';
import type { Core, CoreEffect } from '../../../node/src/core/interface.ts';
import { JOB, jobArbitrary, PEERS, taskAt } from '../protocol/arbitraries.ts';
import { deleted, framesPlan, jobRecord } from './farm.ts';

const newCore = (records: KnownRecord[]): Core =>
  createCore({ self: PEERS[0] as string, name: 'belén', term: 0, records });

/** All that people can see of it. */
const seen = (core: Core): unknown => ({
  farm: core.farm(),
  jobs: core.jobs(),
  tasks: core.tasks(JOB, { offset: 0, limit: 100 }),
  details: Array.from({ length: 10 }, (_, index) => core.task(JOB, index)),
  withResult: core.tasksWithResult(JOB),
});

describe('stored records', () => {
  const some = fc
    .tuple(jobArbitrary, fc.array(taskAt(fc.nat({ max: 9 })), { maxLength: 12 }))
    .chain(([job, tasks]) => fc.shuffledSubarray<KnownRecord>([job, ...tasks], { minLength: 1 }));

  it('R80: give what the same records give when they come one by one, with a plan and without', () => {
    fc.assert(
      fc.property(some, fc.boolean(), (records, film) => {
        const stored = newCore(records);
        const told = newCore([]);
        told.step({ now: 0, kind: 'records', from: PEERS[1] as string, records });
        assert.deepEqual(seen(stored), seen(told));
        const plan = framesPlan('1-9', { film });
        for (const core of [stored, told]) core.step({ now: 1, kind: 'plan', job: JOB, plan });
        assert.deepEqual(seen(stored), seen(told));
      }),
      { numRuns: 300 },
    );
  });

  it('are not written again, except for verdicts that were owed, and what a tombstone absorbs is removed', () => {
    fc.assert(
      fc.property(some, (records) => {
        const core = newCore(records);
        const effects = core.step({ now: 0, kind: 'start' });
        const [persist] = effects.filter((effect) => effect.kind === 'persist');
        // Three failures that nobody has judged yet: the one who leads now does (R54).
        const stored = newCore(records);
        for (const record of persist?.records ?? []) {
          assert.ok(record.kind === 'task');
          const before = stored.taskRecord(record.job, record.index);
          assert.ok(before !== undefined && before.failed === undefined);
          assert.ok(Object.keys(before.failures).length >= 3);
          const { failed, ...rest } = record;
          assert.ok(failed !== undefined);
          assert.deepEqual(rest, before);
        }
      }),
    );
  });

  it('ask at the start for the plans of the jobs that are not deleted, each once', () => {
    const [first, second, gone] = [1, 2, 3].map((id) => jobRecord(framesPlan('1-3'), { id }));
    assert.ok(first && second && gone);
    const asked = (effects: readonly CoreEffect[]): string[] =>
      effects.flatMap((effect) => (effect.kind === 'need-plan' ? effect.job : []));
    const core = newCore([first, deleted(gone), second]);
    assert.deepEqual(asked(core.step({ now: 0, kind: 'start' })), [first.id, second.id]);
    core.step({ now: 1, kind: 'plan', job: first.id, plan: framesPlan('1-3') });
    assert.deepEqual(asked(core.step({ now: 2, kind: 'start' })), []);
    const told = newCore([]);
    told.step({ now: 0, kind: 'records', from: 'b', records: [first, second] });
    told.step({ now: 1, kind: 'plan', job: first.id, plan: framesPlan('1-3') });
    assert.deepEqual(
      asked(told.step({ now: 2, kind: 'start' })),
      [second.id],
      'and of none that has its plan',
    );
  });
});
