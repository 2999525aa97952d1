import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode, type Pulse } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { PULSE_BYTES } from '../../../node/src/core/options.ts';
import { BELEN, CARMEN, framesPlan, SELF } from './farm.ts';
import { leading, sentTo } from './members.ts';

const pulseIn = (effects: readonly CoreEffect[]): Pulse => {
  const [pulse] = sentTo(BELEN, 'pulse', effects);
  assert.ok(pulse);
  return pulse;
};

describe('a machine whose row alone is larger than a pulse', () => {
  it('R42: is told in a pulse of its own, and no other one is larger than it may be', () => {
    const farm = leading(BELEN, CARMEN);
    farm.claim(BELEN, { slots: 200, sequence: 2 });
    farm.submit(framesPlan('1-900'));
    const pulses = Array.from({ length: 6 }, () => {
      farm.beacon(CARMEN, []);
      return pulseIn(farm.advance(500));
    });
    const told = pulses.map(({ rows }) => rows.map(({ peer }) => peer));
    const alone = told.filter((peers) => peers.includes(BELEN));
    assert.ok(alone.length > 0, 'it is told');
    assert.ok(alone.every(([first, ...more]) => first === BELEN && more.length === 0));
    for (const pulse of pulses) {
      if (pulse.rows.some(({ peer }) => peer === BELEN)) continue;
      assert.ok(encode(pulse).length <= PULSE_BYTES);
      assert.ok(pulse.rows.some(({ peer }) => peer === SELF || peer === CARMEN));
    }
  });
});
