import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptKey, compareText, recordKey, type Epoch, type Grant, type Message } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, framesPlan, jobIdOf, jobRecord, stopsTo, SELF, type Farm } from './farm.ts';
import { doneTask } from '../replicas/records.ts';
import { following, grantOf, learn, meeting, pulseOf, sentTo } from './members.ts';

const BELENS: Epoch = { term: 5, peer: BELEN };
const JOB = jobIdOf(1);
const plan = framesPlan('1-9');

const grants = (epoch: Epoch, ...tasks: number[]): Message => ({
  kind: 'grants',
  epoch,
  grants: tasks.map((task) => grantOf(epoch, task + 1, JOB, task)),
});
const stop = (epoch: Epoch, ...attempts: Grant['attempt'][]): Message => ({
  kind: 'stop',
  epoch,
  attempts,
  reason: 'x',
});

/** A worker that follows Belén and knows the job. */
function worker(): Farm {
  const farm = following(BELENS, CARMEN);
  learn(farm, plan, BELEN);
  return farm;
}

describe('a worker', () => {
  it('R40: carries out the grants of the coordinator that it follows', () => {
    const farm = worker();
    farm.message(BELEN, grants(BELENS, 0, 1));
    assert.deepEqual(farm.heldIndices(), [0, 1]);
  });

  const refused: Record<string, { from: string; message: Message; reason?: string }> = {
    'of an older epoch of its coordinator': {
      from: BELEN,
      message: grants({ term: 4, peer: BELEN }, 0),
      reason: 'stale-epoch',
    },
    'of a newer epoch that no pulse told': {
      from: BELEN,
      message: grants({ term: 6, peer: BELEN }, 0),
      reason: 'stale-epoch',
    },
    'of a coordinator that it does not follow, whatever its term': {
      from: CARMEN,
      message: grants({ term: 99, peer: CARMEN }, 0),
      reason: 'foreign-coordinator',
    },
    'in the name of its coordinator': {
      from: CARMEN,
      message: grants(BELENS, 0),
      reason: 'foreign-coordinator',
    },
    'with an attempt of another epoch': {
      from: BELEN,
      message: { kind: 'grants', epoch: BELENS, grants: [grantOf({ term: 4, peer: CARMEN }, 1, JOB, 0)] },
    },
  };
  for (const [what, { from, message, reason }] of Object.entries(refused)) {
    it(`R40: ignores grants ${what}`, () => {
      const farm = worker();
      farm.message(from, message);
      assert.deepEqual(farm.heldIndices(), []);
      assert.deepEqual(farm.core.ignored(), reason === undefined ? {} : { [reason]: 1 });
    });
  }

  it('R113: gives back what it knows to have ended, and tells the coordinator how it knows', () => {
    const farm = worker();
    const ended = doneTask(JOB, 0);
    farm.step({ kind: 'records', from: CARMEN, records: [ended] });
    const effects = farm.message(BELEN, grants(BELENS, 0, 1));
    assert.deepEqual(farm.heldIndices(), [1]);
    const [result] = sentTo(BELEN, 'result', effects);
    assert.deepEqual(result?.outcome.kind, 'stopped');
    const told = effects.flatMap((effect) => (effect.kind === 'publish' ? effect.records : []));
    assert.deepEqual(told.map(recordKey).toSorted(compareText), [`job/${JOB}`, recordKey(ended)]);
    const stored = effects.flatMap((effect) => (effect.kind === 'persist' ? effect.records : []));
    assert.deepEqual(
      told.filter((record) => !stored.includes(record)),
      [],
      'nothing is told that is not durable',
    );
  });

  it('R40: ignores all grants while it looks for a coordinator', () => {
    const farm = meeting(BELEN, CARMEN);
    learn(farm, plan, BELEN);
    farm.message(BELEN, grants(BELENS, 0));
    assert.deepEqual(farm.heldIndices(), []);
  });

  it('R40: ignores stops of others, and obeys its own', () => {
    const farm = worker();
    farm.message(BELEN, grants(BELENS, 0));
    const [held] = farm.held();
    assert.ok(held);
    const { attempt } = held.grant;
    for (const [from, epoch] of [
      [CARMEN, { term: 99, peer: CARMEN }],
      [CARMEN, BELENS],
      [BELEN, { term: 4, peer: BELEN }],
    ] as const) {
      assert.deepEqual(stopsTo(SELF, farm.message(from, stop(epoch, attempt))), []);
    }
    assert.deepEqual(stopsTo(SELF, farm.message(BELEN, stop(BELENS, attempt))), [attempt]);
  });

  it('R40: goes on under a higher term of its coordinator, and never back', () => {
    const farm = worker();
    farm.message(BELEN, grants(BELENS, 0));
    const risen = { term: 7, peer: BELEN };
    farm.message(BELEN, pulseOf(risen));
    farm.message(BELEN, grants(BELENS, 1));
    assert.deepEqual(farm.heldIndices(), [0], 'what it was granted before goes on');
    farm.message(BELEN, pulseOf(BELENS, { sequence: 50 }));
    assert.deepEqual(farm.core.epoch, risen);
    farm.message(BELEN, grants(risen, 1));
    assert.deepEqual(farm.heldIndices(), [0, 1]);
  });

  it('R40: keeps what it runs when it comes to follow another', () => {
    const farm = worker();
    farm.message(BELEN, grants(BELENS, 0));
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    const next = { term: 6, peer: CARMEN };
    const effects = farm.message(CARMEN, pulseOf(next));
    assert.deepEqual(stopsTo(SELF, effects), []);
    assert.deepEqual(
      sentTo(CARMEN, 'beacon', effects)[0]?.held.map(({ task }) => task),
      [0],
    );
    farm.message(BELEN, grants(BELENS, 1));
    assert.deepEqual(farm.heldIndices(), [0], 'and takes nothing more of the one before');
  });
});

describe('a grant that arrives before its job', () => {
  /** Granted before anything of the job is here. */
  function early(): Farm {
    const farm = following(BELENS, CARMEN);
    farm.message(BELEN, grants(BELENS, 0));
    assert.deepEqual(farm.heldIndices(), []);
    return farm;
  }
  const record = jobRecord(plan, { author: BELEN });
  const takeRecord = (farm: Farm): CoreEffect[] =>
    farm.step({ kind: 'records', from: BELEN, records: [record] });
  const takePlan = (farm: Farm): CoreEffect[] => farm.step({ kind: 'plan', job: record.id, plan });
  const listed = (farm: Farm) => sentTo(BELEN, 'beacon', farm.advance(1_000)).at(-1)?.held ?? [];

  it('R52: is listed in beacons, as not running, so that it stays', () => {
    const farm = early();
    assert.deepEqual(
      listed(farm).map(({ task, running }) => [task, running]),
      [[0, false]],
    );
  });

  it('R52: is begun when the record and the plan are here, once', () => {
    const farm = early();
    takeRecord(farm);
    assert.deepEqual(farm.heldIndices(), []);
    const begun = takePlan(farm).filter(({ kind }) => kind === 'run');
    assert.equal(begun.length, 1);
    assert.deepEqual(
      listed(farm).map(({ running }) => running),
      [true],
    );
    const again = [...takeRecord(farm), ...takePlan(farm), ...farm.advance(15_000)];
    assert.deepEqual(
      again.filter(({ kind }) => kind === 'run'),
      [],
    );
    assert.deepEqual(sentTo(BELEN, 'result', again), [], 'and is not given back');
  });

  it('R52: is given back after 15 s, and that is no failure', () => {
    const farm = early();
    const given: CoreEffect[] = [];
    for (let ms = 0; ms < 14_999; ms += 999) {
      given.push(
        ...farm.advance(Math.min(999, 14_999 - ms)),
        ...farm.message(BELEN, pulseOf(BELENS, { sequence: ms + 2 })),
      );
    }
    assert.deepEqual(sentTo(BELEN, 'result', given), []);
    assert.equal(farm.wakeAt, farm.now + 1);
    const [end] = sentTo(BELEN, 'result', farm.advance(1));
    assert.deepEqual([end?.outcome.kind, end?.task], ['stopped', 0]);
    assert.deepEqual(listed(farm), []);
    takeRecord(farm);
    takePlan(farm);
    assert.deepEqual(farm.heldIndices(), []);
  });

  it('R52: is given back at once when it is taken back', () => {
    const farm = early();
    const effects = farm.message(BELEN, stop(BELENS, grantOf(BELENS, 1, JOB, 0).attempt));
    assert.equal(sentTo(BELEN, 'result', effects)[0]?.outcome.kind, 'stopped');
    assert.deepEqual(stopsTo(SELF, effects), [], 'nothing runs that could be stopped');
  });

  it('R53: whose task has ended meanwhile is given back', () => {
    const farm = early();
    const attempt = grantOf(BELENS, 90, JOB, 0).attempt;
    const result = {
      attempt,
      peer: CARMEN,
      state: 'rendered' as const,
      files: [],
      holders: { [CARMEN]: { held: true, counter: 1 } },
      renderMs: 1,
      wallTime: 1,
    };
    const task = { kind: 'task' as const, job: JOB, index: 0, redo: 0, retry: 0, failures: {} };
    farm.step({
      kind: 'records',
      from: CARMEN,
      records: [{ ...task, results: { [attemptKey(attempt)]: result } }],
    });
    takeRecord(farm);
    const [end] = sentTo(BELEN, 'result', takePlan(farm));
    assert.equal(end?.outcome.kind, 'stopped');
    assert.deepEqual(farm.heldIndices(), []);
  });
});
