import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  attemptKey,
  emptyTask,
  mergeRecords,
  ownState,
  type AttemptId,
  type FailedOutcome,
  type Grant,
  type JobRecord,
  type TaskRecord,
} from '@cuadro/protocol';
import { BELEN, CARMEN, DOLORES, Farm, framesPlan, grantsTo, jobIdOf, SELF, withRequest } from './farm.ts';

const OTHERS = [BELEN, CARMEN, DOLORES];

/** Each of these machines has one place, and there is one job. */
function farmOf(machines: readonly string[], frames = '1'): { farm: Farm; record: JobRecord } {
  const farm = new Farm();
  farm.step({ kind: 'start' });
  for (const peer of machines) farm.claim(peer, { wants: 1 });
  return { farm, record: farm.submit(framesPlan(frames)) };
}

/** Who holds the task now, and its grant: the latest that was sent. */
function holder(farm: Farm, task: number): { peer: string; grant: Grant } | undefined {
  const sent = farm.effects.flatMap((effect) =>
    effect.kind === 'send' && effect.message.kind === 'grants'
      ? effect.message.grants.map((grant) => ({ peer: effect.to, grant }))
      : [],
  );
  return sent.filter(({ grant }) => grant.task === task).at(-1);
}

/** Fails the task wherever it is granted, with these codes, and tells where. */
function failWith(farm: Farm, codes: readonly string[], task = 0): string[] {
  return codes.map((code) => {
    const held = holder(farm, task);
    assert.ok(held);
    farm.ended(held.peer, held.grant, 'failure', code);
    return held.peer;
  });
}

const recordOf = (farm: Farm, task = 0): TaskRecord | undefined => farm.core.taskRecord(jobIdOf(1), task);

describe('a failed attempt', () => {
  it('R54: goes to a machine on which the task has not failed, and the third ends the task', () => {
    const { farm, record } = farmOf(OTHERS);
    assert.deepEqual(failWith(farm, ['a', 'b', 'c']).sort(), OTHERS);
    assert.equal(farm.core.taskState(record.id, 0), 'failed');
    assert.deepEqual(farm.core.tasksWithFailure(record.id), [0]);
    assert.equal(recordOf(farm)?.failed?.peer, SELF, "it is the coordinator's word");
    assert.equal(holder(farm, 0)?.grant.attempt.sequence, 3, 'nothing is granted any more');
  });

  for (const [codes, told, attempt] of [
    [['a', 'b', 'b'], 'b', 3],
    [['b', 'b', 'a'], 'b', 2],
    [['a', 'b', 'a'], 'a', 3],
    [['a', 'b', 'c'], 'c', 3],
  ] as const) {
    it(`R54: the verdict after ${codes.join(', ')} tells of the last ${told}`, () => {
      const { farm } = farmOf(OTHERS);
      failWith(farm, codes);
      const failed = recordOf(farm)?.failed;
      assert.deepEqual([failed?.code, failed?.message], [told, `It broke: ${told}.`]);
      assert.equal(failed?.attempt.sequence, attempt);
    });
  }

  it('R54: where there is no other machine is tried again after a pause that grows', () => {
    const { farm, record } = farmOf([BELEN]);
    for (const pauseMs of [1_000, 5_000]) {
      const before = farm.effects.length;
      failWith(farm, ['a']);
      assert.equal(farm.wakeAt, farm.now + pauseMs);
      for (let left = pauseMs - 1; left > 0; left -= 999) {
        farm.advance(Math.min(left, 999));
        farm.beacon(BELEN, []);
      }
      assert.deepEqual(grantsTo(BELEN, farm.effects.slice(before)), []);
      assert.equal(grantsTo(BELEN, farm.advance(1)).length, 1);
    }
    failWith(farm, ['a']);
    assert.equal(farm.core.taskState(record.id, 0), 'failed');
  });

  it('R54: has each task tried again at the end of its own pause, whichever began first', () => {
    const { farm } = farmOf([BELEN], '1-2');
    failWith(farm, ['a']);
    const other = holder(farm, 1);
    assert.ok(other);
    farm.advance(1_000);
    farm.ended(BELEN, other.grant, 'stopped');
    assert.equal(holder(farm, 0)?.grant.attempt.sequence, 3);
    failWith(farm, ['a']);
    failWith(farm, ['a'], 1);
    const before = farm.effects.length;
    farm.advance(999);
    farm.beacon(BELEN, []);
    assert.deepEqual(grantsTo(BELEN, farm.effects.slice(before)), []);
    const tasks = grantsTo(BELEN, farm.advance(1)).map(({ task }) => task);
    assert.deepEqual(tasks, [1], 'the first waits for 5 s');
  });

  it('R54: waits for no pause where another machine is capable, or becomes so', () => {
    const { farm } = farmOf([BELEN]);
    failWith(farm, ['a']);
    assert.equal(grantsTo(CARMEN, farm.claim(CARMEN, { wants: 1 })).length, 1);
  });

  it('R54: is not tried again where it failed while another machine that is busy is capable', () => {
    const { farm } = farmOf([BELEN, CARMEN], '1-2');
    const before = farm.effects.length;
    failWith(farm, ['a']);
    farm.advance(1_500);
    farm.beacon(BELEN, []);
    farm.beacon(CARMEN, [holder(farm, 1)?.grant as Grant]);
    assert.deepEqual(grantsTo(BELEN, farm.effects.slice(before)), []);
    farm.ended(CARMEN, holder(farm, 1)?.grant as Grant, 'result');
    assert.equal(holder(farm, 0)?.peer, CARMEN);
  });
});

describe('a lost attempt', () => {
  it('R54: is one of five that end the task, whatever else failed', () => {
    const { farm, record } = farmOf([BELEN]);
    failWith(farm, ['a']);
    farm.claim(CARMEN, { wants: 1, sequence: 1 });
    for (let lost = 1; lost <= 5; lost++) {
      assert.equal(farm.core.taskState(record.id, 0), 'open', `after ${lost - 1}`);
      const held = holder(farm, 0);
      assert.ok(held);
      farm.advance(4_000);
      const causes = Object.values(recordOf(farm)?.failures ?? {}).map(({ cause }) => cause);
      assert.equal(causes.filter((cause) => cause === 'lost').length, lost);
      farm.step({ kind: 'peer', peer: held.peer, state: 'reachable' });
    }
    assert.equal(farm.core.taskState(record.id, 0), 'failed');
    assert.equal(recordOf(farm)?.failed?.code, 'machine-lost');
  });
});

describe('a machine on which tasks failed that others rendered', () => {
  for (const [spoiled, aside] of [
    [2, false],
    [3, true],
  ] as const) {
    it(`R54: is ${aside ? '' : 'not '}set aside for the job after ${spoiled}`, () => {
      const { farm } = farmOf([BELEN], '1-9');
      for (let task = 0; task < spoiled; task++) failWith(farm, ['a'], task);
      const held = holder(farm, spoiled);
      assert.equal(held?.peer, BELEN);
      farm.claim(CARMEN, { wants: 1 });
      for (let task = 0; task < spoiled; task++) {
        const { peer, grant } = holder(farm, task) as { peer: string; grant: Grant };
        assert.equal(peer, CARMEN);
        farm.ended(CARMEN, grant, 'result');
      }
      const more = farm.ended(BELEN, (held as { grant: Grant }).grant, 'stopped');
      assert.equal(grantsTo(BELEN, more).length, aside ? 0 : 1);
    });
  }

  it('R54: is not set aside for tasks that nobody rendered', () => {
    const { farm } = farmOf([BELEN], '1-9');
    for (let task = 0; task < 4; task++) failWith(farm, ['a'], task);
    assert.equal(holder(farm, 4)?.peer, BELEN);
  });
});

describe('a verdict', () => {
  for (const kind of ['retry', 'redo'] as const) {
    it(`R54: is voided by a ${kind}, and the task is tried anew as often`, () => {
      const { farm, record } = farmOf(OTHERS);
      failWith(farm, ['a', 'a', 'a']);
      farm.records(withRequest(record, kind, [0], 1));
      assert.equal(farm.core.taskState(record.id, 0), 'open');
      assert.deepEqual(failWith(farm, ['a', 'a', 'a']).sort(), OTHERS);
      assert.equal(farm.core.taskState(record.id, 0), 'failed');
    });
  }

  const at = (term: number, sequence: number): AttemptId => ({ epoch: { term, peer: SELF }, sequence });
  const verdict = (attempt: AttemptId, code = 'a'): FailedOutcome => ({
    attempt,
    peer: SELF,
    code,
    message: 'It broke.',
    wallTime: 1,
  });
  const task = (changes: Partial<TaskRecord>): TaskRecord => ({ ...emptyTask(jobIdOf(1), 0), ...changes });

  it('R54: is outranked by any result, whichever came first', () => {
    const attempt = at(9, 9);
    const result = {
      attempt,
      peer: BELEN,
      state: 'rendered' as const,
      files: [],
      holders: { [BELEN]: { held: true, counter: 1 } },
      renderMs: 1,
      wallTime: 1,
    };
    const [rendered, failed] = [
      task({ results: { [attemptKey(attempt)]: result } }),
      task({ failed: verdict(at(1, 1)) }),
    ];
    assert.equal(ownState(mergeRecords(rendered, failed)), 'rendered');
    assert.equal(ownState(mergeRecords(failed, rendered)), 'rendered');
    const { farm, record } = farmOf(OTHERS);
    failWith(farm, ['a', 'a', 'a']);
    farm.records(rendered);
    assert.equal(farm.core.taskState(record.id, 0), 'rendered');
  });

  for (const [older, newer] of [
    [at(1, 2), at(1, 3)],
    [at(1, 9), at(2, 1)],
  ] as const) {
    it(`R54: of ${attemptKey(older)} stands against one of ${attemptKey(newer)}, in any order`, () => {
      const [a, b] = [task({ failed: verdict(older, 'z') }), task({ failed: verdict(newer, 'a') })];
      assert.equal(mergeRecords(a, b).failed?.code, 'z');
      assert.equal(mergeRecords(b, a).failed?.code, 'z');
    });
  }

  it('R54: is given on failures of two halves of a farm once they meet', () => {
    const { farm, record } = farmOf([BELEN]);
    failWith(farm, ['a']);
    const failure = (sequence: number) => ({
      attempt: at(7, sequence),
      peer: DOLORES,
      cause: 'failed' as const,
      code: 'a',
      message: 'It broke.',
      lines: [],
      wallTime: 1,
    });
    const failures = Object.fromEntries([1, 2].map((n) => [attemptKey(at(7, n)), failure(n)]));
    farm.records(task({ failures }));
    assert.equal(farm.core.taskState(record.id, 0), 'failed');
  });
});
