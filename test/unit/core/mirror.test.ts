import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, DOLORES, type Farm, framesPlan, SELF } from './farm.ts';
import { following, grantOf, learn, pulseOf, rowOf } from './members.ts';

const EPOCH = { term: 5, peer: BELEN };

const liveOf = (farm: Farm, peer: string) => farm.core.nodes().find((node) => node.peer === peer)?.live;

/** Whether the farm's view was told to have changed. */
const isFarmTold = (effects: readonly CoreEffect[]): boolean =>
  effects.some((effect) => effect.kind === 'changed' && effect.changes.farm);

describe("R42: the coordinator's rows", () => {
  it('say who can be reached, but of this machine, which knows itself; their sender can', () => {
    const farm = following(EPOCH, CARMEN, DOLORES);
    const reachable = (): (boolean | undefined)[] =>
      [SELF, BELEN, CARMEN, DOLORES].map((peer) => liveOf(farm, peer)?.reachable);
    const rows = [SELF, BELEN, CARMEN, DOLORES].map((peer) => ({
      ...rowOf(peer, []),
      reachable: peer === DOLORES,
      load: 0.5,
      freeDiskBytes: 7,
    }));
    const effects = farm.message(BELEN, pulseOf(EPOCH, { sequence: 2, rows }));
    assert.deepEqual(reachable(), [true, true, false, true]);
    assert.ok(isFarmTold(effects));
    assert.equal(liveOf(farm, SELF)?.load, 0);
    const { load, freeDiskBytes } = liveOf(farm, CARMEN) ?? {};
    assert.deepEqual({ load, freeDiskBytes }, { load: 0.5, freeDiskBytes: 7 });
    const back = farm.message(BELEN, pulseOf(EPOCH, { sequence: 3, rows: [rowOf(CARMEN, [])] }));
    assert.deepEqual(reachable(), [true, true, true, true]);
    assert.ok(isFarmTold(back));
    const same = farm.message(BELEN, pulseOf(EPOCH, { sequence: 4, rows: [rowOf(CARMEN, [])] }));
    assert.equal(isFarmTold(same), false, 'what is as before is not told');
  });

  it('say what machines hold: renewed, new, and ended where it is left out', () => {
    const farm = following(EPOCH, CARMEN);
    const job = learn(farm, framesPlan('1-4'), BELEN);
    const [first, second] = [grantOf(EPOCH, 1, job, 0), grantOf(EPOCH, 2, job, 1)];
    const tell = (sequence: number, ...grants: (typeof first)[]): unknown[] => {
      farm.claim(CARMEN, { slots: 2, sequence });
      farm.message(BELEN, pulseOf(EPOCH, { sequence, rows: [rowOf(CARMEN, grants)] }));
      return liveOf(farm, CARMEN)?.running.map(({ task, fraction }) => [task, fraction]) ?? [];
    };
    assert.deepEqual(tell(2, first), [[0, 0.5]]);
    assert.deepEqual(tell(3, first, second), [
      [0, 0.5],
      [1, 0.5],
    ]);
    assert.deepEqual(tell(4, second), [[1, 0.5]]);
    assert.deepEqual(tell(5), []);
  });
});
