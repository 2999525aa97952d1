import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Changes, CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, DOLORES, framesPlan, grantsTo } from './farm.ts';
import { leading, learn, memberOf } from './members.ts';

const changesOf = (effects: readonly CoreEffect[]): Changes[] =>
  effects.flatMap((effect) => (effect.kind === 'changed' ? [effect.changes] : []));

describe('what a step tells has changed', () => {
  it('names the members where a record of them changed, and not with each grant', () => {
    const farm = leading(BELEN, CARMEN);
    const before = farm.effects.length;
    learn(farm, framesPlan('1-10'), BELEN);
    const effects = farm.effects.slice(before);
    assert.ok(grantsTo(CARMEN, effects).length > 0);
    assert.ok(changesOf(effects).some((changes) => changes.farm));
    assert.ok(changesOf(effects).every(({ members }) => members === undefined));
    const joined = farm.step({ kind: 'records', from: BELEN, records: [memberOf(DOLORES)] });
    assert.ok(changesOf(joined).some(({ members }) => members === true));
  });
});
