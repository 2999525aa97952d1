import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type KnownRecord, signField, signRemoval } from '@cuadro/protocol';
import { BELEN, CARMEN, Farm, framesPlan, SELF, signer } from './farm.ts';
import { farmRecord, FARM, granted, learn, meeting, memberOf, sentTo } from './members.ts';

/** A farm that Belén founded and that this machine is in. */
const members = (): KnownRecord[] => [
  farmRecord(FARM, { founder: BELEN }),
  memberOf(BELEN, FARM, BELEN),
  memberOf(SELF, FARM, BELEN),
];
const removal = (): KnownRecord => {
  const member = memberOf(SELF, FARM, BELEN);
  const signed = signRemoval(signer(BELEN), SELF, { reason: 'sold', wallTime: 2 });
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

/** A member's last word that it leaves (R160). */
const lastWordOf = (peer: string): KnownRecord => {
  const signed = signRemoval(signer(peer), peer, { reason: 'sold', wallTime: 2 });
  return { ...memberOf(peer), removals: { [peer]: signed } };
};

describe('a machine whose farm a member leaves while nobody leads', () => {
  it('R44, R160: leads at once where that was the only other one, and does not ask what it holds', () => {
    const farm = meeting(BELEN).work({ slots: 1 });
    learn(farm, framesPlan('1-4'), BELEN);
    assert.equal(farm.core.isCoordinator, false, 'it still waits for a pulse of Belén');
    const effects = farm.records(lastWordOf(BELEN));
    assert.ok(farm.core.isCoordinator);
    assert.deepEqual(sentTo(BELEN, 'collect', effects), []);
    assert.deepEqual(granted(effects), [`${SELF} 0`, `${SELF} 1`]);
    const writes = effects.flatMap((effect) => (effect.kind === 'persist' ? effect.records : []));
    assert.ok(
      writes.some((record) => record.kind === 'member' && record.peer === BELEN),
      'what it begins waits for the write of that word',
    );
  });

  it('R43: asks the others that stay where it comes to lead after that', () => {
    const farm = meeting(BELEN, CARMEN).work({ slots: 1 });
    learn(farm, framesPlan('1-4'), BELEN);
    farm.records(lastWordOf(BELEN));
    assert.equal(farm.core.isCoordinator, false);
    const effects = farm.advance(3_000);
    assert.ok(farm.core.isCoordinator);
    assert.equal(sentTo(CARMEN, 'collect', effects).length, 1);
    assert.deepEqual(sentTo(BELEN, 'collect', effects), []);
    assert.deepEqual(granted(effects), [], 'Carmen has not answered');
    farm.beacon(CARMEN, []);
    assert.deepEqual(granted(farm.effects), [`${SELF} 0`, `${SELF} 1`]);
  });
});
