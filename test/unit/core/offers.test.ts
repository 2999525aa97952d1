import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Farm, framesPlan, jobIdOf, nodeDesired, SELF, withControl, withDesired } from './farm.ts';

const JOBS = 7;

describe('jobs that are offered', () => {
  it('R50: are granted by priority, then by their numbers, in whatever order they came and were changed', () => {
    const one = fc.record({
      id: fc.integer({ min: 1, max: JOBS }),
      priority: fc.integer({ min: 1, max: 3 }),
      later: fc.option(fc.integer({ min: 1, max: 3 })),
      pauses: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.uniqueArray(one, { selector: ({ id }) => id, maxLength: JOBS }), (jobs) => {
        const farm = new Farm().start();
        farm.records(nodeDesired(SELF, 'paused'));
        const records = jobs.map(({ id, priority }) => farm.submit(framesPlan('1'), { id, priority }));
        for (const [place, { later, pauses }] of jobs.entries()) {
          let record = records[place];
          assert.ok(record);
          if (pauses) {
            record = withDesired(record, 'paused');
            farm.records(record);
            record = withDesired(record, 'active');
          }
          if (later !== null) record = withControl(record, 'priority', later);
          farm.records(record);
        }
        const expected = jobs
          .map(({ id, priority, later }) => ({ id, priority: later ?? priority }))
          .sort((a, b) => b.priority - a.priority || a.id - b.id)
          .map(({ id }) => jobIdOf(id));
        farm.records(nodeDesired(SELF, 'active', 2));
        const order: string[] = [];
        for (let run = farm.held()[0]; run !== undefined; run = farm.held()[0]) {
          order.push(run.job.id);
          farm.finish(run.grant.attempt);
        }
        assert.deepEqual(order, expected);
        assert.deepEqual(
          farm.core.jobs().map(({ id }) => id),
          expected,
        );
      }),
      { numRuns: 100 },
    );
  });
});

describe('what the farm and its owner want of a machine', () => {
  it('R37: is the stricter of both', () => {
    const wishes = ['active', 'draining', 'paused'] as const;
    for (const [farms, desired] of wishes.entries()) {
      for (const [owners, ownerDesired] of wishes.entries()) {
        const farm = new Farm().start();
        const record = nodeDesired(SELF, desired);
        const field = nodeDesired(SELF, ownerDesired).fields.desired;
        assert.ok(field);
        farm.records({ ...record, fields: { ...record.fields, ownerDesired: { ...field, peer: SELF } } });
        farm.submit(framesPlan('1'));
        assert.equal(farm.held().length, farms + owners === 0 ? 1 : 0, `${desired} and ${ownerDesired}`);
        const [here] = farm.core.nodes();
        assert.deepEqual([here?.desired, here?.ownerDesired], [desired, ownerDesired]);
      }
    }
  });
});
