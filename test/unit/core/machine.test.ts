import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leadingIdle, lose, pass, resultOf } from './away.ts';
import { BELEN, CARMEN, type Farm, framesPlan, grantsTo, SELF } from './farm.ts';
import { beaconOf, following, leading, learn, meeting, pulseOf, rowOf } from './members.ts';

const running = (farm: Farm, peer: string): number[] =>
  farm.core
    .nodes()
    .find((node) => node.peer === peer)
    ?.live.running.map(({ task }) => task) ?? [];

describe('what a machine runs', () => {
  it('R52: is the first of its leases, as many as it has slots, and all of which something is done', () => {
    const farm = leading(BELEN);
    farm.claim(BELEN, { slots: 1, wants: 3, sequence: 2 });
    farm.submit(framesPlan('1-9'));
    const grants = grantsTo(BELEN, farm.effects);
    assert.equal(grants.length, 3);
    farm.message(BELEN, beaconOf(BELEN, [], grants));
    assert.deepEqual(running(farm, BELEN), [0]);
    const [first, second, third] = grants;
    assert.ok(first && second && third);
    farm.message(BELEN, beaconOf(BELEN, [third], [first, second]));
    assert.deepEqual(running(farm, BELEN), [0, 2]);
  });

  it('R52: is nothing of one that has not claimed yet, before something of it is done', () => {
    const farm = meeting(BELEN, CARMEN).work({ accepting: false });
    farm.claim(CARMEN);
    const job = learn(farm, framesPlan('1-3'), CARMEN);
    farm.advance(3_000);
    assert.ok(farm.core.isCoordinator);
    const grant = {
      attempt: { epoch: { term: 0, peer: CARMEN }, sequence: 1 },
      job,
      task: 2,
      redo: 0,
      retry: 0,
      leaseMs: 4_000,
    };
    farm.message(BELEN, beaconOf(BELEN, [], [grant]));
    assert.deepEqual(running(farm, BELEN), []);
    farm.message(BELEN, beaconOf(BELEN, [grant]));
    assert.deepEqual(running(farm, BELEN), [2]);
  });
});

describe('the time since which a machine is away', () => {
  it('R59: begins with its loss, also where this node came to lead only later', () => {
    const epoch = { term: 5, peer: CARMEN };
    const farm = following(epoch, BELEN);
    const job = learn(farm, framesPlan('1'), BELEN);
    farm.step({ kind: 'records', from: CARMEN, records: [resultOf(job, 0, BELEN)] });
    lose(farm, BELEN);
    for (let sequence = 2; sequence < 52; sequence++) {
      farm.advance(1_000);
      farm.message(CARMEN, pulseOf(epoch, { sequence }));
    }
    lose(farm, CARMEN);
    farm.step({ kind: 'peer', peer: CARMEN, state: 'refused' });
    assert.ok(farm.core.isCoordinator);
    pass(farm, 8_000);
    assert.deepEqual(farm.heldIndices(), []);
    pass(farm, 10_000);
    assert.deepEqual(farm.heldIndices(), [0]);
  });
});

describe('a new coordinator', () => {
  it('R59: makes nothing again in its first 10 s, in which it may reach a holder, whatever it is told', () => {
    const epoch = { term: 5, peer: CARMEN };
    const farm = following(epoch, BELEN);
    const job = learn(farm, framesPlan('1-2'), BELEN);
    const records = [resultOf(job, 0, BELEN), resultOf(job, 1, BELEN)];
    farm.step({ kind: 'records', from: CARMEN, records });
    lose(farm, BELEN);
    for (let sequence = 2; sequence < 92; sequence++) {
      farm.advance(1_000);
      farm.message(CARMEN, pulseOf(epoch, { sequence }));
    }
    lose(farm, CARMEN);
    farm.step({ kind: 'peer', peer: CARMEN, state: 'refused' });
    assert.ok(farm.core.isCoordinator);
    const [first, other] = [resultOf(job, 0, BELEN), resultOf(job, 7, BELEN)];
    const results = { ...first.results, ...other.results };
    farm.step({ kind: 'records', from: CARMEN, records: [{ ...first, results }] });
    pass(farm, 9_000);
    farm.advance(999);
    assert.deepEqual(farm.heldIndices(), []);
    farm.advance(1);
    assert.deepEqual(farm.heldIndices(), [0, 1]);
  });
});

describe('a machine that a member is connected to', () => {
  it('R59: is within its reach, whatever the coordinator says of it', () => {
    const epoch = { term: 5, peer: CARMEN };
    const farm = following(epoch, BELEN);
    const job = learn(farm, framesPlan('1'), BELEN);
    const [theirs, own] = [resultOf(job, 0, BELEN, CARMEN), resultOf(job, 8, SELF)];
    const results = { ...theirs.results, ...own.results };
    farm.step({ kind: 'records', from: CARMEN, records: [{ ...theirs, results }] });
    const rows = [{ ...rowOf(BELEN, []), reachable: false }];
    farm.message(CARMEN, pulseOf(epoch, { sequence: 2, rows }));
    lose(farm, CARMEN);
    assert.equal(farm.core.resultAtHand(job, 0)?.peer, BELEN);
    lose(farm, BELEN);
    assert.equal(farm.core.resultAtHand(job, 0)?.peer, SELF);
  });
});

describe('substitutes that fail', () => {
  it('R59: are tried again at distances that double, up to an hour', () => {
    const farm = leadingIdle();
    const { id: job } = farm.submit(framesPlan('1-2'));
    const results = [resultOf(job, 0, BELEN), resultOf(job, 1, SELF, CARMEN)];
    farm.step({ kind: 'records', from: BELEN, records: results });
    farm.work();
    lose(farm, BELEN);
    pass(farm, 60_000);
    const pauses: number[] = [];
    for (let time = 0; time < 8; time++) {
      const [run] = farm.held();
      assert.ok(run);
      farm.fail(run.grant.attempt);
      const failedAt = farm.now;
      while (farm.held().length === 0 && farm.now < failedAt + 8_000_000) farm.advance(5_000);
      pauses.push((farm.now - failedAt) / 60_000);
    }
    assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
  });
});

describe('a member that is asked by a new coordinator what it holds', () => {
  const causes = (farm: Farm): unknown[] =>
    farm.core.farm().coordinators.map(({ peer, cause }) => [peer, cause]);

  it('R43: has found it where it looked for one, and follows it for one that is lost', () => {
    const farm = meeting(BELEN, CARMEN);
    farm.message(BELEN, { kind: 'collect', epoch: { term: 3, peer: BELEN } });
    assert.deepEqual(causes(farm), [[BELEN, 'found']]);
    farm.message(CARMEN, { kind: 'collect', epoch: { term: 4, peer: CARMEN } });
    assert.deepEqual(causes(farm), [[BELEN, 'found']], 'its own is there');
    lose(farm, BELEN);
    farm.message(CARMEN, { kind: 'collect', epoch: { term: 2, peer: CARMEN } });
    assert.deepEqual(causes(farm), [[BELEN, 'found']], 'an older one is not followed');
    farm.message(CARMEN, { kind: 'collect', epoch: { term: 5, peer: CARMEN } });
    assert.deepEqual(causes(farm), [
      [BELEN, 'found'],
      [CARMEN, 'lost'],
    ]);
  });
});
