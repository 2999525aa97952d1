import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, DOLORES, type Farm, framesPlan } from './farm.ts';
import { beaconOf, following, grantOf, learn, meeting, pulseOf, rowOf } from './members.ts';

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
