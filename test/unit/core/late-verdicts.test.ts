import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptKey, emptyTask, type Failure, type Grant, type TaskRecord } from '@cuadro/protocol';
import { leadingIdle, lose, pass, resultOf } from './away.ts';
import { BELEN, CARMEN, DOLORES, Farm, framesPlan, grantsTo, jobIdOf, SELF, withRequest } from './farm.ts';
import { following, grantOf, learn } from './members.ts';

const JOB = jobIdOf(1);

/** Attempts of another reign, told by records. */
const failuresOf = (count: number, changes: Partial<Failure> = {}): TaskRecord['failures'] =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const attempt = { epoch: { term: 7, peer: DOLORES }, sequence: index + 1 };
      const failure: Failure = {
        attempt,
        peer: DOLORES,
        cause: 'failed',
        code: 'told',
        message: 'It broke there.',
        lines: [],
        wallTime: 1,
        ...changes,
      };
      return [attemptKey(attempt), failure];
    }),
  );

/** Belén runs the only task of a job. */
function running(): { farm: Farm; grant: Grant; record: ReturnType<Farm['submit']> } {
  const farm = new Farm();
  farm.step({ kind: 'start' });
  farm.claim(BELEN, { wants: 1 });
  const record = farm.submit(framesPlan('1'));
  const [grant] = grantsTo(BELEN, farm.effects);
  assert.ok(grant);
  farm.beacon(BELEN, [grant]);
  return { farm, grant, record };
}

const taskOf = (farm: Farm): TaskRecord => farm.core.taskRecord(JOB, 0) ?? emptyTask(JOB, 0);

describe('a task that has ended by records', () => {
  it('R54: keeps the verdict that it has, whatever failures come to be known later', () => {
    const { farm } = running();
    farm.records({ ...emptyTask(JOB, 0), failures: failuresOf(3) });
    const { failed } = taskOf(farm);
    assert.deepEqual([failed?.code, failed?.peer], ['told', SELF]);
    farm.records({ ...emptyTask(JOB, 0), failures: failuresOf(5, { code: 'later', cause: 'failed' }) });
    assert.ok(Object.keys(taskOf(farm).failures).length > 3);
    assert.deepEqual(taskOf(farm).failed, failed);
  });

  it('R54: is judged by who leads when its job comes, where its failures came before that', () => {
    const early = { ...emptyTask(JOB, 0), failures: failuresOf(3) };
    const farm = new Farm();
    farm.step({ kind: 'start' });
    farm.claim(BELEN, { wants: 1 });
    farm.records(early);
    farm.submit(framesPlan('1'));
    assert.deepEqual(grantsTo(BELEN, farm.effects), []);
    assert.deepEqual([taskOf(farm).failed?.code, taskOf(farm).failed?.peer], ['told', SELF]);
    const other = following({ term: 8, peer: BELEN }, CARMEN);
    other.records(early);
    assert.equal(learn(other, framesPlan('1'), BELEN), JOB);
    assert.equal(taskOf(other).failed, undefined, 'the verdict is the coordinator’s');
  });

  it('R54: is not judged where it has a result', () => {
    const { farm } = running();
    farm.records(resultOf(JOB, 0, BELEN, CARMEN));
    farm.records({ ...emptyTask(JOB, 0), failures: failuresOf(3) });
    assert.equal(farm.core.taskState(JOB, 0), 'done');
    assert.equal(taskOf(farm).failed, undefined);
  });

  it('R53: is not lost by the machine that still ran it', () => {
    const { farm } = running();
    farm.records({ ...emptyTask(JOB, 0), failures: failuresOf(3) });
    assert.equal(farm.core.taskState(JOB, 0), 'failed');
    farm.advance(4_000);
    assert.equal(Object.keys(taskOf(farm).failures).length, 3);
  });
});

describe('a lost attempt', () => {
  for (const kind of ['retry', 'redo'] as const) {
    it(`R53: is none of the level that a ${kind} has raised meanwhile`, () => {
      const { farm, record } = running();
      farm.records(withRequest(record, kind, [0], 1));
      farm.advance(4_000);
      assert.deepEqual(taskOf(farm).failures, {});
      assert.equal(farm.core.taskState(JOB, 0), 'open');
    });
  }

  it('R54: the fifth ends the task with its own words', () => {
    const { farm } = running();
    const lost = failuresOf(5, { cause: 'lost', code: 'machine-lost', message: 'The machine vanished.' });
    farm.records({ ...emptyTask(JOB, 0), failures: lost });
    const { failed } = taskOf(farm);
    assert.equal(
      failed?.message,
      '5 machines vanished while they ran it, so no further one is risked.',
      'and not with those of one of them',
    );
    assert.equal(failed?.code, 'machine-lost');
  });

  it('R59: of a substitute says nothing against the result, and the next is tried a minute later', () => {
    const farm = leadingIdle();
    const { id: job } = farm.submit(framesPlan('1-2'));
    farm.step({
      kind: 'records',
      from: BELEN,
      records: [resultOf(job, 0, BELEN), resultOf(job, 1, SELF, CARMEN)],
    });
    lose(farm, BELEN);
    pass(farm, 61_000);
    farm.beacon(CARMEN, []);
    const [grant] = grantsTo(CARMEN, farm.claim(CARMEN, { wants: 1, sequence: 3 }));
    assert.equal(grant?.substitute, true);
    farm.beacon(CARMEN, [grant]);
    lose(farm, CARMEN);
    const before = farm.effects.length;
    pass(farm, 4_000);
    farm.step({ kind: 'peer', peer: CARMEN, state: 'reachable' });
    pass(farm, 50_000);
    farm.beacon(CARMEN, []);
    assert.deepEqual(grantsTo(CARMEN, farm.effects.slice(before)), []);
    assert.deepEqual(farm.core.task(job, 0)?.failures, 0);
    pass(farm, 20_000);
    farm.beacon(CARMEN, []);
    assert.deepEqual(
      grantsTo(CARMEN, farm.effects.slice(before)).map(({ task }) => task),
      [0],
    );
  });
});

describe('a member', () => {
  const BELENS = { term: 5, peer: BELEN };

  it('R50: shows what it was granted as begun with nothing done', () => {
    const farm = following(BELENS, CARMEN);
    learn(farm, framesPlan('1-2'), BELEN);
    farm.message(BELEN, { kind: 'grants', epoch: BELENS, grants: [grantOf(BELENS, 1, JOB, 0)] });
    const here = farm.core.nodes().find(({ here: isHere }) => isHere);
    assert.deepEqual(
      here?.live.running.map(({ task, fraction }) => [task, fraction]),
      [[0, 0]],
    );
  });

  it('R53: tells the version of the engine also of what was granted before its plan came', () => {
    const farm = following(BELENS, CARMEN);
    const plan = framesPlan('1', { film: true });
    farm.message(BELEN, { kind: 'grants', epoch: BELENS, grants: [grantOf(BELENS, 1, JOB, 0)] });
    learn(farm, plan, BELEN);
    const [run] = farm.held();
    assert.ok(run);
    farm.finish(run.grant.attempt);
    const [result] = Object.values(taskOf(farm).results);
    assert.equal(result?.engineVersion, '3.4.1');
  });
});

describe('a machine that is to be set aside', () => {
  it('R54: goes on with what it said that it has begun, though nothing of it is done yet', () => {
    const farm = leadingIdle();
    farm.work();
    const { id: job } = farm.submit(framesPlan('1-9'));
    for (let task = 0; task < 3; task++) {
      const [run] = farm.held();
      assert.equal(run?.task.index, task);
      assert.ok(run);
      farm.fail(run.grant.attempt);
    }
    const [begun, ahead] = farm.held();
    assert.ok(begun && ahead);
    farm.step({ kind: 'progress', attempt: begun.grant.attempt, fraction: 0 });
    const effects = farm.step({
      kind: 'records',
      from: BELEN,
      records: [0, 1, 2].map((index) => resultOf(job, index, BELEN, CARMEN)),
    });
    const stops = effects.flatMap((effect) =>
      effect.kind === 'stop-attempt' ? effect.attempt.sequence : [],
    );
    assert.deepEqual(stops, [ahead.grant.attempt.sequence]);
  });
});
