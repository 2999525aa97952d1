import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Beacon } from '@cuadro/protocol';
import { BELEN, CARMEN, type Farm, SELF } from './farm.ts';
import { beaconOf, grantOf, leading, meeting, sentTo } from './members.ts';

describe('R42: the row of a machine', () => {
  /** Whether Belén's beacon makes something of what is shown of her, and told in the next pulse. */
  const isTold = (farm: Farm, change: Partial<Beacon>): boolean =>
    farm
      .message(BELEN, { ...beaconOf(BELEN, []), load: 0.5, freeDiskBytes: 1e9, ...change })
      .some((effect) => effect.kind === 'changed' && effect.changes.nodes.includes(BELEN));

  it('is told again where its beacon says something new, and not while it rests', () => {
    const farm = leading(BELEN);
    assert.equal(isTold(farm, {}), false);
    assert.equal(isTold(farm, { load: 0.6 }), true);
    assert.equal(isTold(farm, { load: 0.6 }), false);
    assert.equal(isTold(farm, { freeDiskBytes: 2e9, load: 0.6 }), true);
    assert.equal(isTold(farm, { freeDiskBytes: 2e9, load: 0.6 }), false);
  });

  it('says whether it is reached, as this machine always is', () => {
    const farm = leading(BELEN, CARMEN);
    const reached = (): Record<string, boolean> => {
      const rows = [0, 500, 500, 500].flatMap((ms) => sentTo(CARMEN, 'pulse', farm.advance(ms)));
      return Object.fromEntries(
        rows.flatMap((pulse) => pulse.rows.map(({ peer, reachable }) => [peer, reachable])),
      );
    };
    assert.deepEqual(reached(), { [SELF]: true, [BELEN]: true, [CARMEN]: true });
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    assert.deepEqual(reached(), { [SELF]: true, [BELEN]: false, [CARMEN]: true });
  });

  it('is told with its first beacon in a reign, and with each that lists something', () => {
    const farm = meeting(BELEN).work({ accepting: false });
    isTold(farm, {});
    farm.advance(3_000);
    assert.ok(farm.core.isCoordinator);
    assert.equal(isTold(farm, {}), true);
    assert.equal(isTold(farm, {}), false);
    const grant = grantOf({ term: 0, peer: CARMEN }, 7, 'j'.repeat(16), 0);
    for (const beacon of [beaconOf(BELEN, [grant]), beaconOf(BELEN, [grant])])
      assert.equal(isTold(farm, { held: beacon.held }), true);
  });
});
