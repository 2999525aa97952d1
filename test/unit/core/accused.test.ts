import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BELEN, CARMEN, framesPlan, grantsTo } from './farm.ts';
import { beaconOf, following, leading } from './members.ts';

describe('what a brain holds against other machines is counted', () => {
  it('R106: a machine whose beacons come to be late, once until they come again', () => {
    const farm = leading(BELEN, CARMEN);
    for (let i = 0; i < 8; i++) {
      farm.advance(500);
      farm.message(CARMEN, beaconOf(CARMEN, []));
    }
    assert.deepEqual(farm.core.accused(), { late: 1 });
    farm.message(BELEN, beaconOf(BELEN, []));
    farm.advance(500);
    assert.deepEqual(farm.core.accused(), { late: 1 });
    for (let i = 0; i < 6; i++) {
      farm.advance(500);
      farm.message(CARMEN, beaconOf(CARMEN, []));
    }
    assert.deepEqual(farm.core.accused(), { late: 2 });
  });

  it('R52, R53: one whose leases end in silence, and what it ran', () => {
    const farm = leading(BELEN, CARMEN);
    farm.submit(framesPlan('1-4'));
    const [running] = grantsTo(BELEN, farm.effects);
    assert.ok(running);
    farm.message(BELEN, beaconOf(BELEN, [running]));
    for (let i = 0; i < 8; i++) {
      farm.advance(500);
      farm.message(CARMEN, beaconOf(CARMEN, grantsTo(CARMEN, farm.effects)));
    }
    assert.deepEqual(farm.core.accused(), { late: 1, silent: 1, 'lost-attempt': 1 });
  });

  it('R44: a coordinator that is lost', () => {
    const farm = following({ term: 5, peer: BELEN }, CARMEN);
    assert.deepEqual(farm.core.accused(), {});
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    assert.ok(farm.core.isCoordinator);
    assert.deepEqual(farm.core.accused(), { 'lost-coordinator': 1 });
  });
});
