import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { encode, type Plan } from '@cuadro/protocol';
import { Outcomes } from './checkers/outcomes.ts';
import { newDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { HEAD_BYTES } from './on-disk.ts';

/** The judge of how tasks end, told by hand what the disk of one machine says of a job, and what its node shows. */

/** Two frames, and what is made of each. */
const plan = {
  groups: [
    { numbers: [{ start: 1, end: 2, step: 1 }], after: [] },
    { numbers: [{ start: 1, end: 2, step: 1 }], after: [{ group: 0, match: 'same' }] },
  ],
} as unknown as Plan;

const HELD = { x: { held: true, counter: 1 } };
const DONE = { results: { a: { state: 'done', attempt: {}, files: [], holders: HELD } } };
type Cause = 'failed' | 'lost';
const failedAfter = (causes: readonly Cause[], message = 'Blender crashed.') => ({
  failed: { message },
  failures: Object.fromEntries(causes.map((cause, i) => [`${i}`, { cause }])),
});
const THRICE = failedAfter(['failed', 'failed', 'failed']);

let machine: Machine;
let outcomes: Outcomes;
beforeEach(() => {
  machine = { name: 'alba', disk: newDisk() } as unknown as Machine;
  const tally = { outcome: () => undefined };
  outcomes = new Outcomes({ up: () => [machine], tally } as unknown as SimFarm);
  outcomes.deed({ kind: 'submitted', job: 'job', plan, at: machine });
});

function write(key: string, record: object): void {
  const bytes = Buffer.concat([Buffer.alloc(HEAD_BYTES), encode(record)]);
  machine.disk.records.records.set(key, bytes);
}

/** What the records say of the job and of its four tasks, and how the node shows the job. */
function ends(
  shown: string,
  tasks: readonly object[],
  { desired = 'active', requests = {} } = {},
): () => void {
  write('job/job', { kind: 'job', id: 'job', requests, control: { desired: { value: desired } } });
  for (const [index, task] of tasks.entries()) {
    const record = { kind: 'task', job: 'job', index, redo: 0, retry: 0, results: {}, failures: {}, ...task };
    write(`task/job/${String(index).padStart(10, '0')}`, record);
  }
  Object.assign(machine, { queries: { job: () => ({ state: shown }) } });
  return () => outcomes.end();
}
const breaks = (message: RegExp) => ({ rule: 'every task ends', message });

describe('every task ends, and for a reason', () => {
  it('done, or failed after as many attempts as the rules want, or skipped for one that failed', () => {
    assert.doesNotThrow(ends('done', [DONE, DONE, DONE, DONE]));
    assert.doesNotThrow(ends('failed', [THRICE, DONE, {}, DONE]));
    assert.doesNotThrow(ends('failed', [failedAfter(Array<Cause>(5).fill('lost')), DONE, {}, DONE]));
    assert.doesNotThrow(ends('canceled', [DONE, {}, DONE, {}], { desired: 'canceled' }));
  });

  it('R54: none is given up too early, or without a word', () => {
    const twice = breaks(/job\/0 is given up after 2 failed and 0 lost attempts/);
    assert.throws(ends('failed', [failedAfter(['failed', 'failed']), DONE, {}, DONE]), twice);
    const lost = failedAfter(Array<Cause>(4).fill('lost'));
    assert.throws(ends('failed', [lost, DONE, {}, DONE]), breaks(/after 0 failed and 4 lost attempts/));
    const silent = failedAfter(['failed', 'failed', 'failed'], '');
    assert.throws(ends('failed', [silent, DONE, {}, DONE]), breaks(/given up without a reason/));
  });

  it('none is left open in a job that goes on, nor for one that was asked for again', () => {
    assert.throws(ends('active', [DONE, DONE, DONE, {}]), breaks(/shown as active .* its task 3 is open/));
    const requests = { r: { kind: 'retry', level: 1, tasks: [{ start: 0, end: 0, step: 1 }] } };
    assert.throws(
      ends('active', [THRICE, DONE, DONE, DONE], { requests }),
      breaks(/its task 0 is open/),
      'its failures are void',
    );
  });

  it('and a job is shown as what its tasks, and people, made it', () => {
    assert.throws(
      ends('done', [DONE, DONE, DONE, {}]),
      breaks(/shown as done .* tasks are done,done,done,open/),
    );
    assert.throws(ends('failed', [DONE, DONE, DONE, {}]), breaks(/none of its tasks failed/));
    assert.throws(ends('canceled', [DONE, DONE, DONE, {}]), breaks(/which nobody wanted/));
  });
});
