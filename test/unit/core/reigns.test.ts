import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Epoch } from '@cuadro/protocol';
import { REIGNS_KEPT } from '../../../node/src/core/options.ts';
import { BELEN, CARMEN, DOLORES, Farm, framesPlan, SELF } from './farm.ts';
import { beaconOf, farmOf, following, meeting, pulseOf, rowOf, sentTo } from './members.ts';

const BELENS: Epoch = { term: 5, peer: BELEN };
const lastOf = (farm: Farm) => farm.core.farm().coordinators.at(-1);

describe('R44: a starting node', () => {
  it('leads at once where its farm has no other member, and not where it has one', () => {
    const alone = new Farm(farmOf()).start();
    assert.ok(alone.core.isCoordinator);
    assert.equal(lastOf(alone)?.cause, 'first');
    const farm = new Farm(farmOf(BELEN)).start();
    farm.advance(4_999);
    assert.equal(farm.core.epoch, undefined);
    farm.advance(1);
    assert.ok(farm.core.isCoordinator);
    assert.equal(lastOf(farm)?.cause, 'first');
  });

  it('waits for the members that it reaches and that come before it, 150 ms for each, and for no others', () => {
    const early = '12D3KooW111111111111';
    const farm = new Farm(farmOf(early, BELEN)).start();
    for (const peer of [early, BELEN]) farm.step({ kind: 'peer', peer, state: 'reachable' });
    farm.advance(3_149);
    assert.equal(farm.core.epoch, undefined);
    farm.advance(1);
    assert.ok(farm.core.isCoordinator);
  });
});

describe('a new reign', () => {
  it('R42: counts its pulses from 1, the first at once', () => {
    const farm = meeting(BELEN);
    const sequences = (effects: ReturnType<Farm['advance']>) =>
      sentTo(BELEN, 'pulse', effects).map(({ sequence }) => sequence);
    assert.deepEqual(sequences(farm.advance(3_000)), [1]);
    assert.deepEqual(sequences(farm.advance(499)), []);
    assert.deepEqual(sequences(farm.advance(1)), [2]);
  });
});

describe('a member that follows', () => {
  for (const [stored, followed, next] of [
    [9, 5, 10],
    [2, 5, 7],
  ] as const)
    it(`R40: begins its own reign above ${stored}, which it has stored, and ${followed}, which it followed`, () => {
      const farm = new Farm(farmOf(BELEN), {}, stored).start();
      farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
      farm.message(BELEN, pulseOf({ term: followed, peer: BELEN }));
      // The same reign goes on in a higher term.
      farm.message(BELEN, pulseOf({ term: followed + 1, peer: BELEN }, { sequence: 2 }));
      farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
      assert.deepEqual(farm.core.epoch, { term: next, peer: SELF });
    });

  /** Whether a pulse of this sequence is taken: its row says that Carmen's load is this. */
  function takes(farm: Farm, epoch: Epoch, sequence: number, load: number): boolean {
    const rows = [{ ...rowOf(CARMEN, []), load }];
    farm.message(epoch.peer, pulseOf(epoch, { sequence, rows }));
    return farm.core.nodes().find(({ peer }) => peer === CARMEN)?.live.load === load;
  }

  it('R42: takes no pulse that came before the one by which it began to follow', () => {
    const farm = meeting(BELEN, CARMEN);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 7 }));
    assert.deepEqual(
      [6, 7, 8].map((sequence) => takes(farm, BELENS, sequence, sequence / 10)),
      [false, false, true],
    );
  });

  it('R42: takes no pulse that another sends in its name, nor its own', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    const rows = [{ ...rowOf(CARMEN, []), load: 0.9 }];
    const pulse = pulseOf({ term: 9, peer: BELEN }, { sequence: 9, rows });
    farm.message(DOLORES, pulse);
    farm.message(SELF, { ...pulse, epoch: { term: 9, peer: SELF } });
    assert.deepEqual(farm.core.epoch, BELENS);
    assert.notEqual(farm.core.nodes().find(({ peer }) => peer === CARMEN)?.live.load, 0.9);
    assert.deepEqual(farm.core.ignored(), { 'foreign-sender': 2 });
  });

  it('R44: has the successors of the reign before until it hears of others, but for who leads now', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2, successors: [DOLORES, SELF] }));
    farm.message(BELEN, { kind: 'yield', epoch: BELENS, to: { term: 6, peer: DOLORES } });
    farm.step({ kind: 'peer', peer: DOLORES, state: 'refused' });
    assert.ok(farm.core.isCoordinator, 'the first of those that are left');
  });

  it('R42: takes the first pulse of whom it was told to follow', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    const dolores = { term: 6, peer: DOLORES };
    farm.message(BELEN, { kind: 'yield', epoch: BELENS, to: dolores });
    assert.ok(takes(farm, dolores, 1, 0.7));
  });
});

describe('the history of reigns', () => {
  it('tells of each why it began, and for how long nobody was heard before', () => {
    const farm = following(BELENS, CARMEN);
    assert.equal(lastOf(farm)?.cause, 'found');
    farm.advance(700);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2 }));
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    farm.advance(400);
    farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    assert.ok(farm.core.isCoordinator);
    const { cause, leaderlessMs, peer } = lastOf(farm) ?? {};
    assert.deepEqual({ cause, leaderlessMs, peer }, { cause: 'lost', leaderlessMs: 400, peer: SELF });
  });

  it('tells of the latest when all were heard and when it first granted, and of none before', () => {
    const farm = following(BELENS, CARMEN, DOLORES).work({ accepting: false });
    const dolores = { term: 6, peer: DOLORES };
    farm.message(BELEN, { kind: 'yield', epoch: BELENS, to: dolores });
    farm.message(DOLORES, pulseOf(dolores));
    farm.step({ kind: 'peer', peer: DOLORES, state: 'refused' });
    assert.ok(farm.core.isCoordinator);
    farm.claim(CARMEN);
    farm.step({ kind: 'wake', wallTime: 7_000 });
    for (const peer of [BELEN, CARMEN]) farm.message(peer, beaconOf(peer, []));
    farm.step({ kind: 'wake', wallTime: 8_000 });
    farm.submit(framesPlan('1-4'));
    const told = farm.core.farm().coordinators.map(({ peer, collectedAt, firstGrantAt }) => {
      return { peer, collectedAt, firstGrantAt };
    });
    const none = { collectedAt: undefined, firstGrantAt: undefined };
    assert.deepEqual(told, [
      { peer: BELEN, ...none },
      { peer: DOLORES, ...none },
      { peer: SELF, collectedAt: 7_000, firstGrantAt: 8_000 },
    ]);
  });

  it('keeps when all were heard, though members that come later are asked as well', () => {
    const farm = meeting(BELEN).work({ accepting: false });
    farm.advance(3_000);
    farm.step({ kind: 'wake', wallTime: 7_000 });
    farm.advance(100);
    farm.step({ kind: 'wake', wallTime: 9_000 });
    assert.equal(lastOf(farm)?.collectedAt, 7_000);
  });

  it('goes back so many reigns and no further', () => {
    const farm = meeting(BELEN, CARMEN);
    const reign = (term: number): Epoch => ({ term, peer: term % 2 === 0 ? BELEN : CARMEN });
    farm.message(CARMEN, pulseOf(reign(1)));
    for (let term = 2; term <= REIGNS_KEPT + 1; term++) {
      farm.message(reign(term - 1).peer, { kind: 'yield', epoch: reign(term - 1), to: reign(term) });
      farm.message(reign(term).peer, pulseOf(reign(term)));
      if (term === REIGNS_KEPT) assert.equal(farm.core.farm().coordinators[0]?.term, 1);
    }
    const terms = farm.core.farm().coordinators.map(({ term }) => term);
    assert.deepEqual([terms.length, terms[0], terms.at(-1)], [REIGNS_KEPT, 2, REIGNS_KEPT + 1]);
  });
});

describe('a wake', () => {
  it('R105: is asked for when a successor is to ask about a silence', () => {
    const farm = following(BELENS, CARMEN);
    const heardAt = farm.now;
    farm.advance(1_900);
    assert.equal(farm.wakeAt, heardAt + 2_000);
  });

  it('is asked for by nothing that has to wait until a member was heard', () => {
    const farm = following(BELENS, CARMEN);
    farm.step({ kind: 'gap', ms: 50 });
    farm.advance(20_000);
    assert.deepEqual(farm.core.epoch, BELENS, 'it doubts itself first');
    assert.ok(farm.wakeAt === undefined || farm.wakeAt > farm.now);
    assert.deepEqual(sentTo(CARMEN, 'doubt', farm.effects), []);
  });
});
