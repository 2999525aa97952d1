import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Failure, Grant, TaskRecord } from '@cuadro/protocol';
import { BELEN, CARMEN, DOLORES, type Farm, framesPlan, grantsTo, jobRecord, SELF, stopsTo } from './farm.ts';
import {
  beaconOf,
  following,
  grantOf,
  leading,
  learn,
  meeting,
  memberOf,
  pulseOf,
  rowOf,
  sentTo,
} from './members.ts';

/** The reign before this node's. */
const BEFORE = { term: 0, peer: CARMEN };

/** Belén follows and was granted two tasks, which no beacon has listed yet. */
function granted(): { farm: Farm; job: string; running: Grant; ahead: Grant } {
  const farm = leading(BELEN);
  const { id } = farm.submit(framesPlan('1-4'));
  const [running, ahead] = grantsTo(BELEN, farm.effects);
  assert.ok(running && ahead);
  return { farm, job: id, running, ahead };
}

/** Belén follows, and lists an attempt that the coordinator before granted, to go on with it or as a substitute. */
function adopted(isSubstitute = false): { farm: Farm; job: string; grant: Grant } {
  const farm = leading(BELEN);
  farm.claim(BELEN, { wants: 0, sequence: 2 });
  const { id } = farm.submit(framesPlan('1-4'));
  const grant = grantOf(BEFORE, 7, id, 0);
  if (isSubstitute) {
    farm.ended(CARMEN, grantOf(BEFORE, 1, id, 0), 'result');
    assert.equal(farm.core.taskState(id, 0), 'rendered');
  }
  return { farm, job: id, grant };
}

/** After a second, Belén lists these. */
function beaconLater(farm: Farm, running: readonly Grant[], ahead: readonly Grant[] = []) {
  return [...farm.advance(1_000), ...farm.message(BELEN, beaconOf(BELEN, running, ahead))];
}

const failuresOf = (farm: Farm, job: string, task: number): Failure[] =>
  Object.values(farm.core.taskRecord(job, task)?.failures ?? {});

/** Belén's beacon with a sequence of its own, on either way. */
function numbered(farm: Farm, sequence: number, running: readonly Grant[], gossiped = false) {
  const message = { ...beaconOf(BELEN, running), sequence };
  return farm.step({ kind: 'message', from: BELEN, message, ...(gossiped && { gossiped }) });
}

describe('R117: a beacon that a later one overtook', () => {
  it('frees nothing and renews nothing', () => {
    const { farm, running, ahead } = granted();
    numbered(farm, 9, [running, ahead]);
    for (const sequence of [7, 8, 9]) {
      farm.advance(600);
      assert.deepEqual(grantsTo(BELEN, numbered(farm, sequence, [])), []);
    }
    farm.advance(600);
    numbered(farm, 10, []);
    farm.advance(600);
    assert.equal(grantsTo(BELEN, numbered(farm, 11, [])).length, 2, 'two that came in order leave both out');
  });

  it('is no sign of life by way of others', () => {
    const { farm, job, running, ahead } = granted();
    numbered(farm, 9, [running, ahead]);
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    farm.advance(3_900);
    numbered(farm, 8, [running, ahead], true);
    farm.advance(100);
    assert.deepEqual(
      failuresOf(farm, job, 0).map(({ cause }) => cause),
      ['lost'],
    );
  });

  it('still shows that its connection stands', () => {
    const { farm, running, ahead } = granted();
    farm.advance(2_500);
    numbered(farm, 9, [running, ahead], true);
    farm.claim(BELEN, { wants: 3, sequence: 2 });
    assert.deepEqual(grantsTo(BELEN, farm.effects.slice(-4)), []);
    assert.equal(grantsTo(BELEN, numbered(farm, 8, [running])).length, 1);
  });

  it('is told from the first ones of a node that was started again', () => {
    for (const [sequence, freed] of [
      [1, true],
      [2, false],
      [4, false],
    ] as const) {
      const { farm, running, ahead } = granted();
      numbered(farm, 18, [running, ahead]);
      farm.advance(600);
      numbered(farm, sequence, []);
      farm.advance(600);
      const given = grantsTo(BELEN, numbered(farm, sequence + 1, []));
      assert.equal(given.length > 0, freed, `${sequence} after 18`);
    }
    const { farm, running, ahead } = granted();
    numbered(farm, 5, [running, ahead]);
    farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
    farm.advance(600);
    numbered(farm, 1, []);
    farm.advance(600);
    assert.equal(grantsTo(BELEN, numbered(farm, 2, [])).length, 2, 'it came anew');
  });
});

describe('a grant that no beacon has listed', () => {
  it('R52: stands when the first leaves it out, which may have crossed it on its way', () => {
    const { farm, running, ahead } = granted();
    assert.deepEqual(grantsTo(BELEN, beaconLater(farm, [])), []);
    assert.deepEqual(stopsTo(BELEN, beaconLater(farm, [running], [ahead])), [], 'it was on its way');
  });

  it('R53: is free after the second, and no lost attempt: it never began', () => {
    const { farm, job, running } = granted();
    beaconLater(farm, []);
    const again = grantsTo(BELEN, beaconLater(farm, []));
    assert.deepEqual(
      again.map(({ task }) => task),
      [0, 1],
    );
    assert.deepEqual(failuresOf(farm, job, running.task), []);
  });

  it("R43: stands when a member's first beacon in a reign leaves it out, for that too may have crossed it", () => {
    const farm = meeting(BELEN).work({ accepting: false });
    farm.claim(BELEN);
    farm.advance(3_000);
    farm.advance(100);
    const { id } = farm.submit(framesPlan('1-4'));
    const [running] = grantsTo(BELEN, farm.effects);
    assert.equal(running?.task, 0, 'granted before it has said what it holds');
    assert.deepEqual(grantsTo(BELEN, farm.message(BELEN, beaconOf(BELEN, []))), []);
    const again = grantsTo(BELEN, beaconLater(farm, []));
    assert.deepEqual(
      again.map(({ task }) => task),
      [0, 1],
    );
    assert.deepEqual(failuresOf(farm, id, 0), []);
  });

  it('R122: stands whatever is heard while it waits for a write, and is free by two beacons after that', () => {
    const farm = leading(BELEN);
    const grantedAt = farm.now;
    farm.submit(framesPlan('1-4'));
    const beacon = (unsaidSince?: number) => {
      farm.advance(1_000);
      const message = beaconOf(BELEN, []);
      const waits = unsaidSince !== undefined && { unsaidSince };
      return grantsTo(BELEN, farm.step({ kind: 'message', from: BELEN, message, ...waits }));
    };
    for (const heard of [beacon(grantedAt), beacon(grantedAt), beacon(grantedAt - 5)])
      assert.deepEqual(heard, []);
    assert.deepEqual(beacon(grantedAt + 1), [], 'said by then: only what came after it waits');
    assert.equal(beacon().length, 2);
  });

  for (const [ms, isFree] of [
    [499, false],
    [500, true],
  ] as const) {
    it(`R52: is ${isFree ? 'free' : 'not free'} when beacons that are ${ms} ms apart leave it out`, () => {
      const { farm } = granted();
      beaconLater(farm, []);
      farm.advance(ms);
      assert.equal(grantsTo(BELEN, farm.message(BELEN, beaconOf(BELEN, []))).length > 0, isFree);
    });
  }
});

describe('what a beacon tells of an attempt', () => {
  it('R42: shows, and stays where a later one does not tell it', () => {
    const { farm, job, running, ahead } = granted();
    const listed = beaconOf(BELEN, [running], [ahead]);
    const [first, second] = listed.held;
    assert.ok(first && second);
    const told = { ...first, remainingMs: 7_000, text: 'Sample 3 of 8' };
    farm.message(BELEN, { ...listed, held: [told, second] });
    farm.advance(500);
    farm.message(BELEN, listed);
    const effects = farm.advance(500);
    assert.equal(farm.core.task(job, 0)?.live.remainingMs, 7_000);
    const rows = sentTo(BELEN, 'pulse', effects).flatMap(({ rows: all }) => all);
    assert.deepEqual(rows.find(({ peer }) => peer === BELEN)?.held, [told, second]);
  });
});

describe('an attempt that is known from a beacon', () => {
  it('R43: stands when one beacon leaves it out, and is lost when the second does', () => {
    const { farm, job, grant } = adopted();
    beaconLater(farm, [grant]);
    beaconLater(farm, []);
    assert.deepEqual(failuresOf(farm, job, 0), []);
    beaconLater(farm, []);
    assert.deepEqual(
      failuresOf(farm, job, 0).map(({ cause, attempt }) => ({ cause, attempt })),
      [{ cause: 'lost', attempt: grant.attempt }],
    );
  });

  it('R52: is stopped where its task has its result', () => {
    const { farm, grant } = adopted(true);
    assert.deepEqual(stopsTo(BELEN, beaconLater(farm, [grant])), [grant.attempt]);
  });

  it('R43: goes on where its job is not known here yet, or has no plan, and is its lease once it has', () => {
    const farm = leading(BELEN);
    const record = jobRecord(framesPlan('1-4'), { author: BELEN });
    const grant = grantOf(BEFORE, 7, record.id, 0);
    assert.deepEqual(stopsTo(BELEN, beaconLater(farm, [grant])), []);
    farm.step({ kind: 'records', from: BELEN, records: [record] });
    assert.deepEqual(stopsTo(BELEN, beaconLater(farm, [grant])), []);
    farm.step({ kind: 'plan', job: record.id, plan: framesPlan('1-4') });
    const effects = [...beaconLater(farm, [grant]), ...farm.advance(500)];
    assert.deepEqual(stopsTo(BELEN, effects), []);
    const rows = sentTo(BELEN, 'pulse', effects).flatMap(({ rows: all }) => all);
    const held = rows.find(({ peer }) => peer === BELEN)?.held ?? [];
    assert.deepEqual(
      held.filter(({ task }) => task === grant.task).map(({ attempt }) => attempt),
      [grant.attempt],
    );
  });

  it('R59: goes on as a substitute, is told as one, and fails no task when it is lost', () => {
    const { farm, job, grant } = adopted(true);
    const listed = beaconOf(BELEN, [grant]);
    const substitutes = listed.held.map((held) => ({ ...held, substitute: true as const }));
    const effects = [...farm.message(BELEN, { ...listed, held: substitutes }), ...farm.advance(500)];
    assert.deepEqual(stopsTo(BELEN, effects), []);
    const rows = sentTo(BELEN, 'pulse', effects).flatMap(({ rows: told }) => told);
    const [row] = rows.filter(({ peer }) => peer === BELEN);
    assert.deepEqual(
      row?.held,
      substitutes.map((held) => ({ ...held, running: true })),
    );
    beaconLater(farm, []);
    beaconLater(farm, []);
    assert.deepEqual(failuresOf(farm, job, 0), []);
  });

  it('R59: is told as none where it is none', () => {
    const { farm, grant } = adopted();
    const effects = [...beaconLater(farm, [grant]), ...farm.advance(500)];
    const rows = sentTo(BELEN, 'pulse', effects).flatMap(({ rows: told }) => told);
    const held = rows.filter(({ peer }) => peer === BELEN).at(-1)?.held;
    assert.deepEqual(held, rowOf(BELEN, [grant]).held);
  });
});

describe('a record that comes before the word of the machine that made it', () => {
  for (const how of ['result', 'failure'] as const)
    it(`R53: ends the lease with its ${how}, and the place is free at once`, () => {
      const { farm, job, running, ahead } = granted();
      beaconLater(farm, [running], [ahead]);
      const other = leading(BELEN);
      learn(other, framesPlan('1-4'), SELF);
      other.ended(BELEN, running, how);
      const record = other.core.taskRecord(job, running.task);
      assert.ok(record);
      const effects = farm.step({ kind: 'records', from: CARMEN, records: [record] });
      assert.equal(grantsTo(BELEN, effects).length, 1);
      assert.deepEqual(stopsTo(BELEN, effects), [], 'it has ended');
    });
});

describe('a follower that comes to lead', () => {
  const epoch = { term: 5, peer: CARMEN };

  it('R52: gives what it only mirrored the time of a lease from then on', () => {
    const farm = following(epoch, BELEN).work({ accepting: false });
    const job = learn(farm, framesPlan('1'), CARMEN);
    farm.message(CARMEN, pulseOf(epoch, { sequence: 2, rows: [rowOf(BELEN, [grantOf(epoch, 1, job, 0)])] }));
    farm.claim(BELEN, { wants: 1 });
    farm.advance(1_400);
    farm.step({ kind: 'peer', peer: CARMEN, state: 'refused' });
    assert.ok(farm.core.isCoordinator);
    farm.advance(3_999);
    assert.deepEqual(failuresOf(farm, job, 0), []);
    farm.advance(1);
    assert.equal(failuresOf(farm, job, 0).length, 1);
  });

  it('R54: judges what had failed often enough before', () => {
    const farm = following(epoch, BELEN);
    const job = learn(farm, framesPlan('1-9'), CARMEN);
    const other = leading(BELEN);
    learn(other, framesPlan('1-9'), CARMEN);
    for (const sequence of [1, 2, 3]) other.ended(BELEN, grantOf(BEFORE, sequence, job, 0), 'failure');
    const { failed, ...record } = other.core.taskRecord(job, 0) ?? {};
    assert.ok(failed !== undefined);
    farm.step({ kind: 'records', from: BELEN, records: [record as TaskRecord] });
    assert.equal(farm.core.taskState(job, 0), 'open', 'the verdict is not for a follower');
    farm.step({ kind: 'peer', peer: CARMEN, state: 'refused' });
    assert.equal(farm.core.taskState(job, 0), 'failed');
  });
});

describe('a coordinator that meets another with fewer followers', () => {
  it('R44: goes on above both terms, counts its attempts anew, and tells the farm', () => {
    const farm = leading(BELEN, DOLORES);
    const other = { term: 50, peer: CARMEN };
    farm.advance(500);
    const record = memberOf(CARMEN);
    farm.records(record);
    const effects = farm.message(CARMEN, pulseOf(other, { followers: 0 }));
    assert.deepEqual(farm.core.epoch, { term: 51, peer: SELF });
    assert.ok(effects.some((effect) => effect.kind === 'persist' && effect.term === 51));
    assert.ok(effects.some((effect) => effect.kind === 'changed' && effect.changes.farm));
    farm.submit(framesPlan('1-4'));
    const [first] = grantsTo(BELEN, farm.effects);
    assert.deepEqual(first?.attempt, { epoch: { term: 51, peer: SELF }, sequence: 1 });
  });
});

describe('an answer to a collection', () => {
  it('R43: frees at once what it leaves out of an earlier reign: that had ended, and is no lost attempt', () => {
    const epoch = { term: 5, peer: CARMEN };
    const farm = following(epoch, BELEN).work({ accepting: false });
    const job = learn(farm, framesPlan('1-4'), CARMEN);
    farm.claim(BELEN, { wants: 1 });
    farm.message(CARMEN, pulseOf(epoch, { sequence: 2, rows: [rowOf(BELEN, [grantOf(epoch, 1, job, 0)])] }));
    farm.step({ kind: 'peer', peer: CARMEN, state: 'refused' });
    assert.ok(farm.core.isCoordinator);
    const [again] = grantsTo(BELEN, farm.message(BELEN, beaconOf(BELEN, [])));
    assert.equal(again?.task, 0);
    assert.deepEqual(failuresOf(farm, job, 0), []);
  });
});

describe('a claim', () => {
  it('R50: of a machine that was restarted counts anew, once its connection is there again', () => {
    const farm = leading(BELEN);
    const wants = () => farm.core.nodes().find(({ peer }) => peer === BELEN)?.slots;
    farm.claim(BELEN, { slots: 3, sequence: 5 });
    farm.claim(BELEN, { slots: 2, sequence: 1 });
    assert.equal(wants(), 3, 'an older one is late');
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
    farm.claim(BELEN, { slots: 2, sequence: 1 });
    assert.equal(wants(), 2);
    farm.claim(BELEN, { slots: 4, sequence: 1 });
    assert.equal(wants(), 2, 'once');
  });
});

describe('a reign', () => {
  it('R42: names those first that followed it longest, however lately they were heard', () => {
    const farm = meeting(BELEN, CARMEN).work({ accepting: false });
    farm.advance(3_000);
    farm.message(CARMEN, beaconOf(CARMEN, []));
    farm.advance(500);
    farm.message(BELEN, beaconOf(BELEN, []));
    farm.advance(500);
    farm.message(CARMEN, beaconOf(CARMEN, []));
    const [pulse] = sentTo(BELEN, 'pulse', farm.advance(500));
    assert.deepEqual(pulse?.successors, [CARMEN, BELEN]);
  });

  it('R44: tells when it granted for the first time, and no later time', () => {
    const farm = leading(BELEN);
    const reign = () => farm.core.farm().coordinators.at(-1);
    farm.step({ kind: 'wake', wallTime: 5_000 });
    assert.equal(reign()?.firstGrantAt, undefined);
    const { id } = farm.submit(framesPlan('1-4'));
    assert.equal(reign()?.firstGrantAt, 5_000);
    farm.step({ kind: 'wake', wallTime: 6_000 });
    const [running] = grantsTo(BELEN, farm.effects);
    assert.ok(running);
    assert.equal(grantsTo(BELEN, farm.ended(BELEN, running, 'result')).length, 1);
    assert.equal(reign()?.firstGrantAt, 5_000);
    assert.equal(farm.core.taskState(id, 0), 'rendered');
  });
});
