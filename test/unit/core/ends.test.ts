import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptKey, type Failure, type Grant, type JobRecord, type TaskRecord } from '@cuadro/protocol';
import { BELEN, CARMEN, Farm, framesPlan, grantsTo, stopsTo, withDesired, withRequest } from './farm.ts';
import { beaconOf } from './members.ts';

interface Working {
  farm: Farm;
  record: JobRecord;
  running: Grant;
  ahead: Grant;
}

/** Belén runs one task and keeps one ahead. */
function working(frames = '1-9'): Working {
  const farm = new Farm();
  farm.step({ kind: 'start' });
  farm.claim(BELEN);
  const record = farm.submit(framesPlan(frames));
  const [running, ahead] = grantsTo(BELEN, farm.effects);
  assert.ok(running && ahead);
  farm.message(BELEN, beaconOf(BELEN, [running], [ahead]));
  return { farm, record, running, ahead };
}

const taskOf = ({ farm, record }: Working, index: number): TaskRecord | undefined =>
  farm.core.taskRecord(record.id, index);
const failuresOf = (made: Working, index: number): Failure[] =>
  Object.values(taskOf(made, index)?.failures ?? {});

describe('a result', () => {
  it('R46: of another machine is made durable and not gossiped, as whoever made it does that', () => {
    const { farm, running } = working();
    const kinds = farm.ended(BELEN, running, 'result').map(({ kind }) => kind);
    assert.deepEqual([kinds.includes('persist'), kinds.includes('publish')], [true, false]);
  });

  it('R53: of a lease that was lost is still one, and the copy that came after it stops', () => {
    const made = working();
    const { farm, record, running } = made;
    farm.advance(4_000);
    assert.equal(failuresOf(made, 0)[0]?.cause, 'lost');
    const again = grantsTo(CARMEN, farm.claim(CARMEN)).find(({ task }) => task === running.task);
    assert.ok(again, 'it was granted to Carmen');
    const effects = farm.ended(BELEN, running, 'result');
    assert.equal(farm.core.taskState(record.id, 0), 'rendered');
    assert.deepEqual(Object.keys(taskOf(made, 0)?.results ?? {}), [attemptKey(running.attempt)]);
    assert.deepEqual(stopsTo(CARMEN, effects), [again.attempt]);
    farm.ended(CARMEN, again, 'stopped');
    assert.equal(failuresOf(made, 0).length, 1, 'a losing copy is no failure');
  });

  it('R53: of an older retry level is one; of an older redo level it is none, and counted', () => {
    const made = working();
    const { farm, record, running, ahead } = made;
    farm.records(withRequest(withRequest(record, 'retry', [0], 1), 'redo', [1], 2));
    farm.ended(BELEN, running, 'result');
    assert.equal(farm.core.taskState(record.id, 0), 'rendered');
    farm.ended(BELEN, ahead, 'result');
    assert.equal(farm.core.taskState(record.id, 1), 'open');
    assert.deepEqual(farm.core.ignored(), { 'stale-level': 1 });
  });

  it('R53: that comes twice is one', () => {
    const made = working();
    made.farm.ended(BELEN, made.running, 'result');
    const before = taskOf(made, 0);
    made.farm.ended(BELEN, made.running, 'result');
    assert.equal(taskOf(made, 0), before);
  });
});

describe('a failure', () => {
  for (const [what, kind, level] of [
    ['an older retry level', 'retry', 1],
    ['an older redo level', 'redo', 1],
  ] as const) {
    it(`R53: of ${what} is none, and counted`, () => {
      const made = working();
      const { farm, record, running } = made;
      farm.records(withRequest(record, kind, [0], level));
      farm.ended(BELEN, running, 'failure');
      assert.deepEqual(failuresOf(made, 0), []);
      assert.deepEqual(farm.core.ignored(), { 'stale-level': 1 });
    });
  }

  it('R53: of a task that has ended is none, and counted', () => {
    const made = working();
    const { farm, running } = made;
    farm.advance(4_000);
    const again = grantsTo(CARMEN, farm.claim(CARMEN)).find(({ task }) => task === 0);
    assert.ok(again);
    farm.ended(CARMEN, again, 'result');
    farm.ended(BELEN, running, 'failure');
    assert.deepEqual(
      failuresOf(made, 0).map(({ cause }) => cause),
      ['lost'],
    );
    assert.deepEqual(farm.core.ignored(), { 'task-ended': 1 });
  });

  it('R53: of its level, while the task is open, is one', () => {
    const made = working();
    made.farm.ended(BELEN, made.running, 'failure', 'blender-crashed');
    const [failure, ...more] = failuresOf(made, 0);
    assert.deepEqual([failure?.cause, failure?.code, failure?.peer], ['failed', 'blender-crashed', BELEN]);
    assert.deepEqual(more, []);
  });
});

/** What nobody can have told. */
const MADE_UP: Record<string, { from: string; change: Partial<Grant>; reason: string }> = {
  'of a task that there is not': { from: BELEN, change: { task: 99 }, reason: 'unknown-attempt' },
  'of a task that there is not, by a machine that holds none': {
    from: CARMEN,
    change: { task: 99 },
    reason: 'unknown-task',
  },
  'of the attempt that would be granted next': {
    from: CARMEN,
    change: { attempt: { epoch: { term: 1, peer: '12D3KooWAaaaaaaaaaaa' }, sequence: 3 } },
    reason: 'unknown-attempt',
  },
  'of a job that there is not': { from: CARMEN, change: { job: 'zzzzzzzzzzzzzzzz' }, reason: 'unknown-job' },
  'of an attempt that was never granted': {
    from: BELEN,
    change: { attempt: { epoch: { term: 1, peer: '12D3KooWAaaaaaaaaaaa' }, sequence: 99 } },
    reason: 'unknown-attempt',
  },
};

describe('an end that is made up', () => {
  for (const [what, { from, change, reason }] of Object.entries(MADE_UP)) {
    for (const how of ['result', 'failure'] as const) {
      it(`R53: a ${how} ${what} is ignored and counted`, () => {
        const { farm, record, running } = working();
        farm.ended(from, { ...running, ...change }, how);
        assert.equal(farm.core.job(record.id)?.counts.open, 9);
        assert.deepEqual(farm.core.ignored(), { [reason]: 1 });
      });
    }
  }

  it('R53: told in the name of another machine is ignored and counted', () => {
    const made = working();
    const { attempt, job, task, redo, retry } = made.running;
    const failure: Failure = {
      attempt,
      peer: BELEN,
      cause: 'failed',
      code: 'x',
      message: 'x',
      lines: [],
      wallTime: 1,
    };
    const outcome = { kind: 'failure' as const, failure };
    made.farm.message(CARMEN, { kind: 'result', job, task, redo, retry, attempt, outcome });
    assert.deepEqual(failuresOf(made, 0), []);
    assert.deepEqual(made.farm.core.ignored(), { 'foreign-sender': 1 });
  });
});

describe('a stop', () => {
  for (const [what, stop] of Object.entries<(made: Working) => void>({
    'by its owner': () => undefined,
    'by a cancel': ({ farm, record }) => void farm.records(withDesired(record, 'canceled')),
    'by a redo': ({ farm, record }) => void farm.records(withRequest(record, 'redo', [0], 1)),
  })) {
    it(`R53: ${what} is no failure`, () => {
      const made = working();
      stop(made);
      made.farm.ended(BELEN, made.running, 'stopped');
      assert.deepEqual(failuresOf(made, 0), []);
    });
  }

  it('R53: any number of times ends no task', () => {
    const made = working('1-2');
    for (let time = 0; time < 10; time++) {
      const grant = grantsTo(BELEN, made.farm.effects).findLast(({ task }) => task === 0);
      assert.ok(grant);
      made.farm.ended(BELEN, grant, 'stopped');
    }
    assert.equal(made.farm.core.taskState(made.record.id, 0), 'open');
  });
});

describe('a machine that vanishes', () => {
  for (const [what, vanish] of Object.entries<(made: Working) => void>({
    'by its silence': ({ farm }) => void farm.advance(4_000),
    'by a refused redial': ({ farm }) => {
      farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
      farm.advance(2_000);
    },
    // It was restarted within its leases and holds nothing any more.
    'and comes back empty': ({ farm }) => {
      farm.claim(BELEN, { wants: 0, sequence: 2 });
      for (let beacon = 0; beacon < 2; beacon++) {
        farm.message(BELEN, beaconOf(BELEN, []));
        farm.advance(1_000);
      }
    },
  })) {
    it(`R53: ${what}, has lost the attempt that it ran, and what it kept ahead is granted again without a failure`, () => {
      const made = working();
      vanish(made);
      const [lost, ...more] = failuresOf(made, 0);
      assert.deepEqual([lost?.cause, lost?.peer, lost?.code], ['lost', BELEN, 'machine-lost']);
      assert.deepEqual(lost?.attempt, made.running.attempt);
      assert.deepEqual(more, []);
      assert.deepEqual(failuresOf(made, 1), []);
      const tasks = grantsTo(CARMEN, made.farm.claim(CARMEN)).map(({ task }) => task);
      assert.deepEqual(tasks, [0, 1]);
    });
  }
});
