import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, DOLORES, type Farm, framesPlan, grantsTo } from './farm.ts';
import { beaconOf, following, grantOf, leading, learn, meeting, pulseOf, rowOf, sentTo } from './members.ts';

const followersTold = (effects: readonly CoreEffect[]): number | undefined =>
  effects
    .flatMap((effect) => (effect.kind === 'gossip' && effect.message.kind === 'pulse' ? effect.message : []))
    .at(-1)?.followers;

function standing(): Farm {
  const farm = meeting(BELEN, CARMEN).work({ accepting: false });
  farm.advance(3_000);
  assert.ok(farm.core.isCoordinator);
  return farm;
}

describe('R43: who answers a collection', () => {
  it('and stays with another coordinator is none of the followers that decide who stays', () => {
    const farm = standing();
    const follows = { term: 9, peer: DOLORES };
    farm.message(BELEN, { ...beaconOf(BELEN, []), follows });
    farm.message(CARMEN, { ...beaconOf(CARMEN, []), follows: farm.core.epoch as never });
    assert.equal(followersTold(farm.advance(500)), 1);
  });

  it('and stays with another keeps what it listed until two of its beacons leave that out (R52)', () => {
    const farm = standing();
    const job = learn(farm, framesPlan('1'), BELEN);
    const follows = { term: 9, peer: DOLORES };
    const grant = grantOf({ term: 0, peer: DOLORES }, 1, job, 0);
    const runs: number[] = [];
    for (const listed of [[grant], [], []]) {
      farm.message(BELEN, { ...beaconOf(BELEN, listed), follows });
      runs.push(farm.core.task(job, 0)?.attempts.length ?? 0);
      farm.advance(1_000);
    }
    assert.deepEqual(runs, [1, 1, 0]);
  });

  it('counts as a follower again once it is heard on its new connection (R112)', () => {
    const farm = standing();
    const follows = farm.core.epoch as never;
    for (const peer of [BELEN, CARMEN]) farm.message(peer, { ...beaconOf(peer, []), follows });
    assert.equal(followersTold(farm.advance(500)), 2);
    farm.step({ kind: 'peer', peer: CARMEN, state: 'lost' });
    farm.step({ kind: 'peer', peer: CARMEN, state: 'reachable' });
    assert.equal(followersTold(farm.advance(500)), 1);
    farm.message(CARMEN, { ...beaconOf(CARMEN, []), follows });
    assert.equal(followersTold(farm.advance(500)), 2);
  });

  it('counts no more where two coordinators meet, once its connection is lost (R112)', () => {
    const farm = standing();
    const follows = farm.core.epoch as never;
    for (const peer of [BELEN, CARMEN]) farm.message(peer, { ...beaconOf(peer, []), follows });
    assert.equal(followersTold(farm.advance(500)), 2);
    // The machine was suspended: its clock stood as well, so that nothing but the connections tells of it.
    for (const peer of [BELEN, CARMEN]) {
      farm.step({ kind: 'peer', peer, state: 'lost' });
      farm.step({ kind: 'peer', peer, state: 'reachable' });
    }
    farm.message(CARMEN, pulseOf({ term: 9, peer: CARMEN }, { followers: 1 }));
    assert.deepEqual(farm.core.epoch, { term: 9, peer: CARMEN });
  });

  it('counts no more where two coordinators meet, once its beacon is too old, though the latest pulse counted it', () => {
    const farm = leading(BELEN, CARMEN);
    const begunAt = farm.now;
    farm.advance(100);
    farm.beacon(BELEN, []);
    farm.advance(50);
    farm.beacon(CARMEN, []);
    assert.equal(followersTold(farm.advance(begunAt + 3_500 - farm.now)), 2);
    farm.advance(120);
    const other = { term: 9, peer: DOLORES };
    farm.message(DOLORES, pulseOf(other, { followers: 1, sequence: 1_000 }));
    assert.deepEqual(farm.core.epoch, other, 'one follower each: the longer reign stays');
  });

  it('says whom it follows', () => {
    const epoch = { term: 3, peer: BELEN };
    const farm = following(epoch, CARMEN);
    const effects = farm.message(CARMEN, { kind: 'collect', epoch: { term: 4, peer: CARMEN } });
    const beacons = effects.flatMap((effect) =>
      effect.kind === 'send' && effect.message.kind === 'beacon' ? effect.message : [],
    );
    assert.deepEqual(
      beacons.map(({ follows }) => follows),
      [epoch],
    );
  });
});

describe('R119: who goes to another coordinator', () => {
  const epoch = { term: 3, peer: BELEN };
  const others = { term: 9, peer: CARMEN };

  for (const [what, isCut, told] of [
    ['tells the one that it heard no more, where their connection stands', false, [others]],
    ['tells nothing to one that it is cut off from', true, []],
  ] as const) {
    it(what, () => {
      const farm = following(epoch, CARMEN, DOLORES);
      farm.message(BELEN, pulseOf(epoch, { sequence: 2, successors: [CARMEN] }));
      farm.advance(1_500);
      if (isCut) farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
      const effects = farm.message(CARMEN, { kind: 'collect', epoch: others });
      assert.deepEqual(farm.core.epoch, others);
      assert.deepEqual(
        sentTo(BELEN, 'beacon', effects).map(({ follows }) => follows),
        told,
      );
    });
  }

  it('tells nothing more to one that has sent it there', () => {
    const farm = following(epoch, CARMEN);
    const effects = farm.message(BELEN, { kind: 'yield', epoch, to: others });
    assert.deepEqual(farm.core.epoch, others);
    assert.deepEqual(sentTo(BELEN, 'beacon', effects), []);
  });

  it('is no follower any more, and has lost nothing when its lease ends', () => {
    const farm = leading(BELEN, CARMEN);
    const { id } = farm.submit(framesPlan('1'));
    const [grant] = grantsTo(BELEN, farm.effects);
    assert.ok(grant);
    farm.beacon(BELEN, [grant]);
    assert.equal(followersTold(farm.advance(500)), 2);
    farm.message(BELEN, { ...beaconOf(BELEN, [grant]), follows: { term: 9, peer: DOLORES } });
    assert.equal(followersTold(farm.advance(500)), 1);
    assert.deepEqual(grantsTo(CARMEN, farm.advance(3_000)), []);
    farm.beacon(CARMEN, []);
    assert.equal(grantsTo(CARMEN, farm.advance(500)).length, 1);
    assert.equal(farm.core.task(id, 0)?.failures, 0);
    farm.message(BELEN, { ...beaconOf(BELEN, []), follows: farm.core.epoch as never });
    farm.beacon(CARMEN, []);
    assert.equal(followersTold(farm.advance(500)), 2);
  });

  it('or leads itself is no follower, whatever a beacon said that came late', () => {
    const farm = leading(BELEN, CARMEN);
    assert.equal(followersTold(farm.advance(500)), 2);
    farm.message(BELEN, pulseOf({ term: 1, peer: BELEN }, { followers: 0 }));
    assert.equal(followersTold(farm.advance(500)), 1);
  });

  it('gives way to it where the two of them count one follower each', () => {
    const farm = leading(BELEN, CARMEN);
    farm.advance(3_000);
    farm.beacon(BELEN, []);
    assert.equal(followersTold(farm.advance(500)), 1);
    farm.message(BELEN, pulseOf({ term: 9, peer: BELEN }, { followers: 1 }));
    assert.deepEqual(farm.core.epoch, { term: 9, peer: BELEN });
  });
});

describe('R52: a grant of what the coordinator took from another', () => {
  it('is begun at once, whatever its latest row said of the other', () => {
    const epoch = { term: 3, peer: BELEN };
    const farm = following(epoch, CARMEN);
    const job = learn(farm, framesPlan('1-4'), BELEN);
    farm.message(BELEN, pulseOf(epoch, { sequence: 2, rows: [rowOf(CARMEN, [grantOf(epoch, 1, job, 0)])] }));
    assert.equal(farm.core.task(job, 0)?.live.running, true);
    farm.message(BELEN, { kind: 'grants', epoch, grants: [grantOf(epoch, 2, job, 0)] });
    assert.deepEqual(farm.heldIndices(), [0]);
  });
});
