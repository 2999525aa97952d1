import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BELEN, CARMEN, DOLORES, framesPlan, jobRecord } from './farm.ts';
import { beaconOf, following, granted, grantOf } from './members.ts';

const BELENS = { term: 5, peer: BELEN };

describe('what a machine listed of a job before its plan came', () => {
  it('R52, R110: is no lease of one that was not heard for so long', () => {
    for (const [silentMs, isTaken] of [
      [3_999, true],
      [4_000, false],
    ] as const) {
      const farm = following(BELENS, CARMEN, DOLORES).work({ accepting: false });
      const plan = framesPlan('1');
      const record = jobRecord(plan, { author: BELEN });
      for (const peer of [CARMEN, DOLORES]) farm.claim(peer);
      farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
      farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
      assert.ok(farm.core.isCoordinator);
      farm.message(CARMEN, beaconOf(CARMEN, []));
      farm.message(DOLORES, beaconOf(DOLORES, [grantOf(BELENS, 1, record.id, 0)]));
      farm.now += silentMs;
      farm.message(CARMEN, beaconOf(CARMEN, []));
      farm.step({ kind: 'records', from: BELEN, records: [record] });
      const effects = farm.step({ kind: 'plan', job: record.id, plan });
      assert.deepEqual(granted(effects), isTaken ? [] : [`${CARMEN} 0`]);
    }
  });
});
