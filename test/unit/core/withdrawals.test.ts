import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  attemptKey,
  recordKey,
  signRemoval,
  type Failure,
  type Holders,
  type JobRecord,
  type KnownRecord,
  type TaskRecord,
} from '@cuadro/protocol';
import { withoutRemovedJob, withoutRemovedTask } from '../../../node/src/core/withdrawals.ts';
import { BELEN, CARMEN, Farm, framesPlan, grantsTo, jobRecord, SELF, signer, stopsTo } from './farm.ts';
import { farmOf, leading, memberOf } from './members.ts';

const plan = framesPlan('1-3');
const job = jobRecord(plan, { author: BELEN });

function resultOf(index: number, counter: number, ...holders: string[]): TaskRecord {
  const attempt = { epoch: { term: 1, peer: BELEN }, sequence: index + 1 };
  const result = {
    attempt,
    peer: BELEN,
    state: 'rendered' as const,
    files: [],
    holders: Object.fromEntries(holders.map((peer) => [peer, { held: true, counter }])),
    renderMs: 500,
    wallTime: 1,
  };
  const results = { [attemptKey(attempt)]: result };
  return { kind: 'task', job: job.id, index, redo: 0, retry: 0, results, failures: {} };
}

const removal: KnownRecord = {
  ...memberOf(BELEN),
  removals: { [SELF]: signRemoval(signer(SELF), BELEN, { reason: 'sold', wallTime: 1 }) },
};
const tasks = [resultOf(0, 1, BELEN), resultOf(1, 1, BELEN, CARMEN)];

function farmWith(...records: KnownRecord[]): Farm {
  const farm = new Farm(records).start();
  farm.step({ kind: 'plan', job: job.id, plan });
  return farm;
}

const statesIn = (farm: Farm): (string | undefined)[] =>
  [0, 1, 2].map((index) => farm.core.taskState(job.id, index));

describe('R24: a removal', () => {
  it("withdraws the removed machine's entries among the holders, durably, and frees what it alone held", () => {
    const farm = farmWith(...farmOf(BELEN, CARMEN), job, ...tasks);
    assert.deepEqual(statesIn(farm), ['rendered', 'rendered', 'open']);
    farm.records(removal);
    assert.deepEqual(statesIn(farm), ['open', 'rendered', 'open']);
    const stored = farm.stored.get(recordKey(resultOf(0, 1))) as TaskRecord;
    assert.deepEqual(Object.values(stored.results)[0]?.holders, { [BELEN]: { held: false, counter: 2 } });
    assert.deepEqual(farm.core.jobRecord(job.id)?.holders.plan, { [BELEN]: { held: false, counter: 2 } });
  });

  it('leaves every other result and holder as it is, and what it does not concern the same object', () => {
    const [only, shared, other] = [
      resultOf(0, 1, BELEN),
      resultOf(1, 1, BELEN, CARMEN),
      resultOf(2, 1, CARMEN),
    ];
    const results = { ...only.results, ...other.results, ...shared.results };
    const task = withoutRemovedTask({ ...only, results }, new Set([BELEN]));
    const gone = { [BELEN]: { held: false, counter: 2 } };
    const kept = { [CARMEN]: { held: true, counter: 1 } };
    assert.deepEqual(
      Object.values(task.results).map(({ holders }) => holders),
      [gone, kept, { ...gone, ...kept }],
    );
    assert.equal(withoutRemovedTask(task, new Set([BELEN])), task, 'nothing is withdrawn twice');
    assert.equal(withoutRemovedTask(other, new Set([BELEN])), other);
  });

  it('R132: withdraws what it held of logs, and leaves failures without any as they are', () => {
    const held = { [BELEN]: { held: true, counter: 3 }, [CARMEN]: { held: true, counter: 1 } };
    const failure = (sequence: number): Failure => ({
      attempt: { epoch: { term: 1, peer: BELEN }, sequence },
      ...{ peer: BELEN, cause: 'failed', code: 'broken', message: 'It broke.', lines: [], wallTime: 1 },
    });
    const logged = { ...failure(1), log: 'a'.repeat(64), holders: held };
    const task: TaskRecord = { ...resultOf(0, 1, CARMEN), failures: { one: logged, two: failure(2) } };
    const without = withoutRemovedTask(task, new Set([BELEN]));
    assert.deepEqual(without.failures['one'], {
      ...logged,
      holders: { ...held, [BELEN]: { held: false, counter: 4 } },
    });
    assert.equal(without.failures['two'], task.failures['two']);
    assert.equal(without.results, task.results);
    assert.equal(withoutRemovedTask(without, new Set([BELEN])), without);
  });

  it('withdraws what a job says of its scene, or of its plan, alone', () => {
    const held = { [BELEN]: { held: true, counter: 1 } };
    const gone = { [BELEN]: { held: false, counter: 2 } };
    const of = (bundle: Holders, plan: Holders): JobRecord => ({ ...job, holders: { bundle, plan } });
    const removed = new Set([BELEN]);
    assert.deepEqual(withoutRemovedJob(of(held, {}), removed), of(gone, {}));
    assert.deepEqual(withoutRemovedJob(of({}, held), removed), of({}, gone));
    const untouched = of({}, gone);
    assert.equal(withoutRemovedJob(untouched, removed), untouched);
  });

  it('takes back what the machine runs, and grants it nothing more', () => {
    const farm = leading(BELEN, CARMEN);
    const id = farm.submit(framesPlan('1-9')).id;
    const held = () => farm.core.nodes().find(({ peer }) => peer === BELEN)?.live;
    assert.equal(held()?.running.length, 1);
    const effects = farm.records(removal);
    assert.equal(stopsTo(BELEN, effects).length, 2, 'what it runs, and what it keeps ahead');
    assert.equal(held(), undefined, 'and it is no longer listed');
    const grants = farm.advance(10_000).concat(farm.claim(BELEN, { sequence: 2 }));
    assert.deepEqual(grantsTo(BELEN, grants), []);
    assert.equal(farm.core.job(id)?.counts.failed, 0);
  });

  it('withdraws what arrives later as well, with whatever counter', () => {
    const farm = farmWith(...farmOf(BELEN, CARMEN), removal, job);
    farm.step({ kind: 'records', from: CARMEN, records: [...tasks, resultOf(2, 7, BELEN)] });
    assert.deepEqual(statesIn(farm), ['open', 'rendered', 'open']);
  });

  it('gives the same replicas in whatever order it is met, and also where a crash came between', () => {
    const orders = [
      [removal, job, ...tasks],
      [job, ...tasks, removal],
      [tasks[1] as TaskRecord, removal, tasks[0] as TaskRecord, job],
    ];
    const replicas = orders.map((records) => {
      const farm = farmWith(...farmOf(BELEN, CARMEN));
      for (const record of records) farm.step({ kind: 'records', from: CARMEN, records: [record] });
      return farm;
    });
    replicas.push(farmWith(...farmOf(BELEN, CARMEN), job, ...tasks, removal));
    const [first, ...others] = replicas.map(({ core }) =>
      [job.id, undefined].flatMap((id) => [...core.recordKeys(id)].sort().map((key) => core.record(key))),
    );
    for (const other of others) assert.deepEqual(other, first);
  });
});
