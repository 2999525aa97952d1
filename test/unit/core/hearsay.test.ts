import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pulse } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { leadingIdle, lose, pass, resultOf } from './away.ts';
import { BELEN, capabilities, CARMEN, DOLORES, type Farm, framesPlan, SELF } from './farm.ts';
import { beaconOf, following, memberOf, pulseOf } from './members.ts';

/** Dolores is a member that never had a connection, and claims by way of others. */
function heardOf(farm: Farm): void {
  const claim = { kind: 'claim' as const, peer: DOLORES, sequence: 1, wants: 0, slots: 1, bundles: [] };
  const message = { ...claim, capabilities: capabilities() };
  farm.step({ kind: 'message', from: DOLORES, message, gossiped: true });
}

const relay = (farm: Farm, peer: string): void =>
  void farm.step({ kind: 'message', from: peer, message: beaconOf(peer, []), gossiped: true });

describe('R44: a pulse that comes by gossip', () => {
  const epoch = { term: 5, peer: BELEN };
  const hear = (farm: Farm, from: string, message: Pulse): readonly CoreEffect[] =>
    farm.step({ kind: 'message', from, message, gossiped: true });

  it("is another coordinator's, however many it said, and is followed once its own is lost", () => {
    const farm = following(epoch, CARMEN);
    farm.message(BELEN, pulseOf(epoch, { sequence: 100 }));
    const other = { term: 6, peer: CARMEN };
    hear(farm, CARMEN, pulseOf(other));
    assert.deepEqual([farm.core.epoch, farm.core.ignored()], [epoch, { 'foreign-coordinator': 1 }]);
    lose(farm, BELEN);
    hear(farm, CARMEN, pulseOf(other));
    assert.deepEqual(farm.core.epoch, other);
  });

  it("is of no use in another's name, and counted", () => {
    const farm = following(epoch, CARMEN);
    hear(farm, CARMEN, pulseOf(epoch));
    assert.deepEqual(farm.core.ignored(), { 'foreign-sender': 1 });
  });

  it('tells that its coordinator goes on under a higher term', () => {
    const farm = following(epoch, CARMEN);
    hear(farm, BELEN, pulseOf({ ...epoch, term: 6 }));
    assert.deepEqual(farm.core.epoch, { ...epoch, term: 6 });
  });

  it('is heard without its rows, too', () => {
    const farm = following(epoch, CARMEN);
    const effects = hear(farm, BELEN, pulseOf(epoch, { sequence: 2, rowsApart: true, stale: [SELF] }));
    const said = effects.filter((effect) => effect.kind === 'gossip' && effect.message.kind === 'beacon');
    assert.equal(said.length, 1, 'it is named stale, and says so at once');
  });

  it('is no sign of life where it is said again, on either way', () => {
    const farm = following(epoch, CARMEN);
    const heardAt = farm.now;
    lose(farm, BELEN);
    farm.advance(1_400);
    farm.message(BELEN, pulseOf(epoch));
    hear(farm, BELEN, pulseOf(epoch));
    farm.advance(heardAt + 1_500 - farm.now);
    assert.ok(farm.core.isCoordinator, 'three pulses are missed');
  });
});

describe('a result that a machine alone holds which is known by hearsay', () => {
  it('R59: is made again a minute after it was heard of, however long the reign lasts', () => {
    const farm = leadingIdle();
    farm.records(memberOf(DOLORES));
    pass(farm, 50_000);
    heardOf(farm);
    const { id } = farm.submit(framesPlan('1'));
    farm.step({ kind: 'records', from: BELEN, records: [resultOf(id, 0, DOLORES)] });
    farm.work();
    pass(farm, 59_000);
    assert.deepEqual(farm.heldIndices(), []);
    pass(farm, 6_000);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it('R59, R104: is made again a minute after its last beacon by way of others, and not before', () => {
    const farm = leadingIdle();
    const { id } = farm.submit(framesPlan('1-2'));
    const results = [resultOf(id, 0, CARMEN), resultOf(id, 1, SELF, BELEN)];
    farm.step({ kind: 'records', from: BELEN, records: results });
    farm.work();
    lose(farm, CARMEN);
    for (let second = 0; second < 120; second++) {
      relay(farm, CARMEN);
      pass(farm, 1_000);
    }
    assert.deepEqual(farm.heldIndices(), [], 'she is heard all the time');
    assert.equal(farm.core.task(id, 0)?.why, 'It is rendered; one machine holds it.');
    pass(farm, 2_499);
    assert.equal(farm.core.task(id, 0)?.why, 'It is rendered; one machine holds it.');
    farm.advance(1);
    assert.match(farm.core.task(id, 0)?.why ?? '', /can't be reached/);
    pass(farm, 56_000);
    assert.deepEqual(farm.heldIndices(), []);
    pass(farm, 6_000);
    assert.deepEqual(farm.heldIndices(), [0]);
    relay(farm, CARMEN);
    farm.advance(5_000);
    assert.equal(farm.core.resultAtHand(id, 0)?.peer, CARMEN);
  });
});
