import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { recordKey, type KnownRecord } from '@cuadro/protocol';
import { createCore } from '../../../node/src/core/core.ts';
import type { Core } from '../../../node/src/core/interface.ts';
import { heldRecords } from '../../../node/src/daemon/replicas.ts';
import { resultOf } from '../core/away.ts';
import { BELEN, framesPlan, jobRecord } from '../core/farm.ts';
import { farmOf } from '../core/members.ts';
import { jobArbitrary, PEERS, taskAt } from '../protocol/arbitraries.ts';

const newCore = (records: readonly KnownRecord[]): Core =>
  createCore({ self: PEERS[0] as string, name: 'belén', term: 0, records });

const heldBy = (core: Core): Map<string, KnownRecord> =>
  new Map([...heldRecords(core).all()].map((record) => [recordKey(record), record]));

/** What a node that is given records makes durable, in the order of the keys as a store has them. */
function madeDurable(records: KnownRecord[]): Map<string, KnownRecord> {
  const durable = new Map<string, KnownRecord>();
  const effects = newCore([]).step({ now: 0, kind: 'records', from: PEERS[1] as string, records });
  for (const effect of effects) {
    if (effect.kind !== 'persist') continue;
    for (const record of effect.records) durable.set(recordKey(record), record);
    for (const key of effect.removed) durable.delete(key);
  }
  return new Map([...durable].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('the records that a node tells of after a start', () => {
  it('R45: are all that it had made durable before, whichever came of a job and its tasks', () => {
    const job = jobArbitrary.map((record): KnownRecord => record);
    const tasks = fc.array(taskAt(fc.nat({ max: 600 })), { maxLength: 12 });
    const some = fc.tuple(job, tasks).chain((all) => fc.shuffledSubarray(all.flat()));
    fc.assert(
      fc.property(some, (records) => {
        const durable = madeDurable([...farmOf(BELEN), ...records]);
        assert.deepEqual(heldBy(newCore([...durable.values()])), durable);
      }),
      { numRuns: 300 },
    );
  });

  it('R187: are those of tasks as well that came before their job, and still once that has come', () => {
    const job = jobRecord(framesPlan('1-4'));
    const early = resultOf(job.id, 3, BELEN);
    const core = newCore([...farmOf(BELEN), early]);
    assert.deepEqual([core.jobIds(), core.heldJobIds()], [[], [job.id]]);
    assert.equal(heldBy(core).get(recordKey(early)), early);
    core.step({ now: 0, kind: 'records', from: PEERS[1] as string, records: [job] });
    assert.deepEqual([core.jobIds(), core.heldJobIds()], [[job.id], [job.id]]);
    assert.deepEqual(
      [early, job].map((record) => heldBy(core).get(recordKey(record))),
      [early, job],
    );
  });
});
