import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type KnownRecord, signField, signRemoval } from '@cuadro/protocol';
import { BELEN, Farm, framesPlan, SELF, signer } from './farm.ts';
import { farmRecord, FARM, granted, memberOf } from './members.ts';

/** A farm that Belén founded and that this machine is in. */
const members = (): KnownRecord[] => [
  farmRecord(FARM, { founder: BELEN }),
  memberOf(BELEN, FARM, BELEN),
  memberOf(SELF, FARM, BELEN),
];
const removal = (): KnownRecord => {
  const member = memberOf(SELF, FARM, BELEN);
  const signed = signRemoval(signer(BELEN), SELF, { reason: 'sold', wallTime: 2, known: 0 });
  return { ...member, removals: { [BELEN]: signed } };
};

describe('a machine that was removed from its farm (R64, R107)', () => {
  it('takes no work of that farm any more, also where it leads itself, and says why', () => {
    const farm = new Farm(members()).start();
    farm.submit(framesPlan('1-9'), { author: BELEN });
    farm.advance(10_000);
    assert.equal(farm.held().length, 2, 'a member that reaches nobody renders on');
    farm.records(removal());
    const before = farm.effects.length;
    for (const { grant } of farm.held()) farm.finish(grant.attempt);
    farm.advance(60_000);
    assert.deepEqual(granted(farm.effects.slice(before)), []);
    const here = farm.core.nodes().find(({ peer }) => peer === SELF);
    assert.equal(here?.live.idleReason, 'It was removed from the farm.');
  });

  it('R160: is leaving until it has left, and not any more then', () => {
    const farm = new Farm(members()).start();
    const value = { wanted: true, reason: '' };
    const field = signField(signer(SELF), 'node-field', `${SELF}/leaving`, value, 1);
    farm.records({ kind: 'node', peer: SELF, fields: { leaving: field } });
    const isLeaving = () => farm.core.nodes().find(({ peer }) => peer === SELF)?.leaving;
    assert.equal(isLeaving(), true);
    farm.records(removal());
    assert.equal(isLeaving(), false);
  });

  it('takes none from its start on', () => {
    const farm = new Farm([...members().slice(0, 2), removal()]).start();
    farm.submit(framesPlan('1-9'), { author: BELEN });
    farm.advance(60_000);
    assert.deepEqual(farm.held(), []);
  });
});
