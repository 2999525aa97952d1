import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Epoch } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, DOLORES, Farm, SELF } from './farm.ts';
import { farmOf, following, leading, meeting, memberOf, pulseOf, rowOf, sentTo } from './members.ts';

const EARLY = '12D3KooW111111111111';
const BELENS: Epoch = { term: 5, peer: BELEN };

const loadOf = (farm: Farm, peer: string) => farm.core.nodes().find((node) => node.peer === peer)?.live.load;

/** A row that would be seen if it were taken. */
const rows = [{ ...rowOf(CARMEN, []), load: 0.9 }];

const isFarmTold = (effects: readonly CoreEffect[]): boolean =>
  effects.some((effect) => effect.kind === 'changed' && effect.changes.farm);

describe('R44: two coordinators that meet', () => {
  /** This node's two followers, and how often it has said a pulse. */
  function reigning(): { farm: Farm; own: Epoch; pulses: number } {
    const farm = leading(BELEN, CARMEN);
    const [pulse] = sentTo(BELEN, 'pulse', farm.advance(500));
    assert.equal(pulse?.followers, 2);
    return { farm, own: farm.core.epoch as Epoch, pulses: pulse.sequence };
  }

  for (const [what, peer, followers, longer, isStaying] of [
    ['the other has more followers', DOLORES, 3, -1, false],
    ['the other has fewer followers, though it led longer', DOLORES, 1, 5, true],
    ['both have as many, and the other led longer', DOLORES, 2, 1, false],
    ['both have as many, and the other led shorter', EARLY, 2, -1, true],
    ['both have as many for as long, and the other has the lower id', EARLY, 2, 0, false],
    ['both have as many for as long, and the other has the higher id', DOLORES, 2, 0, true],
  ] as const)
    it(`${isStaying ? 'stays' : 'yields'} where ${what}`, () => {
      const { farm, pulses } = reigning();
      const other = { term: 50, peer };
      const effects = farm.message(peer, pulseOf(other, { followers, sequence: pulses + longer, rows }));
      assert.deepEqual(farm.core.epoch, isStaying ? { term: 51, peer: SELF } : other);
      assert.ok(isFarmTold(effects));
      assert.notEqual(loadOf(farm, CARMEN), 0.9, 'rows are taken from whom it follows');
    });

  it('goes on in its term where that is the higher, and above it where they are equal', () => {
    for (const [step, term] of [
      [-1, 0],
      [0, 1],
    ] as const) {
      const { farm, own } = reigning();
      farm.message(DOLORES, pulseOf({ term: own.term + step, peer: DOLORES }, { followers: 0 }));
      assert.deepEqual(farm.core.epoch, { ...own, term: own.term + term });
    }
  });

  it('yields to no lower epoch: the other rises first; of one term the higher id is the higher epoch', () => {
    const { farm, own } = reigning();
    farm.message(DOLORES, pulseOf({ term: own.term - 1, peer: DOLORES }, { followers: 9 }));
    assert.deepEqual(farm.core.epoch, own);
    farm.message(EARLY, pulseOf({ term: own.term, peer: EARLY }, { followers: 9 }));
    assert.deepEqual(farm.core.epoch, own);
    const other = { term: own.term, peer: DOLORES };
    farm.message(DOLORES, pulseOf(other, { followers: 9 }));
    assert.deepEqual(farm.core.epoch, other);
  });

  it('tells its followers to whom it yields, and nobody else', () => {
    const farm = leading(BELEN, DOLORES);
    const own = farm.core.epoch as Epoch;
    farm.records(memberOf(CARMEN));
    farm.step({ kind: 'peer', peer: CARMEN, state: 'reachable' });
    farm.claim(CARMEN);
    const to = { term: 50, peer: DOLORES };
    const effects = farm.message(DOLORES, pulseOf(to, { followers: 9 }));
    assert.deepEqual(sentTo(BELEN, 'yield', effects), [{ kind: 'yield', epoch: own, to }]);
    for (const peer of [CARMEN, DOLORES]) assert.deepEqual(sentTo(peer, 'yield', effects), []);
  });
});

describe('R44: a word that a coordinator yields', () => {
  const to = { term: 9, peer: CARMEN };
  for (const [what, from, epoch, target, reason] of [
    ['by whom it does not follow', DOLORES, { ...BELENS, peer: DOLORES }, to, 'foreign-coordinator'],
    ["by another in its coordinator's name", DOLORES, BELENS, to, 'foreign-coordinator'],
    ["by its coordinator in another's name", BELEN, { ...BELENS, peer: DOLORES }, to, 'foreign-coordinator'],
    ['to an older epoch', BELEN, BELENS, { term: 4, peer: CARMEN }, 'stale-epoch'],
    ['to the very epoch that yields', BELEN, BELENS, BELENS, 'stale-epoch'],
  ] as const)
    it(`is ignored and counted where it is said ${what}`, () => {
      const farm = following(BELENS, CARMEN, DOLORES);
      farm.message(from, { kind: 'yield', epoch, to: target });
      assert.deepEqual(farm.core.epoch, BELENS);
      assert.deepEqual(farm.core.ignored(), { [reason]: 1 });
    });

  it('is followed, and stood up for where it names this node', () => {
    const farm = following(BELENS, CARMEN);
    assert.ok(isFarmTold(farm.message(BELEN, { kind: 'yield', epoch: BELENS, to })));
    assert.deepEqual(farm.core.epoch, to);
    farm.message(CARMEN, { kind: 'yield', epoch: to, to: { term: 9, peer: SELF } });
    assert.equal(farm.core.epoch?.peer, CARMEN, 'an older epoch, by its id');
    farm.message(CARMEN, { kind: 'yield', epoch: to, to: { term: 10, peer: SELF } });
    assert.ok(farm.core.isCoordinator);
  });
});

describe("R44: another coordinator's pulse", () => {
  const other = { term: 9, peer: DOLORES };

  it('is not followed while its own is there, and is once that is lost', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2, successors: [CARMEN] }));
    farm.advance(1_499);
    farm.message(DOLORES, pulseOf(other, { rows }));
    assert.deepEqual(farm.core.epoch, BELENS);
    assert.notEqual(loadOf(farm, CARMEN), 0.9);
    assert.deepEqual(farm.core.ignored(), { 'foreign-coordinator': 1 });
    farm.advance(1);
    farm.message(DOLORES, pulseOf({ ...other, term: 4 }, { rows }));
    assert.deepEqual(farm.core.epoch, BELENS, 'never an older one');
    farm.message(DOLORES, pulseOf(other, { rows }));
    assert.deepEqual(farm.core.epoch, other);
    assert.equal(loadOf(farm, CARMEN), 0.9, 'its rows count from then on');
  });

  it('counts from the first where none was followed', () => {
    const farm = meeting(BELEN, CARMEN);
    farm.message(BELEN, pulseOf(BELENS, { rows }));
    assert.equal(loadOf(farm, CARMEN), 0.9);
  });
});

describe('R42: a pulse of its coordinator', () => {
  it('in a higher term is the same reign, told and remembered; in a lower it is counted', () => {
    const farm = following(BELENS, CARMEN);
    const raised = { ...BELENS, term: 6 };
    assert.ok(isFarmTold(farm.message(BELEN, pulseOf(raised, { sequence: 2 }))));
    assert.deepEqual(farm.core.epoch, raised);
    assert.deepEqual(farm.core.ignored(), {});
    farm.message(BELEN, pulseOf(BELENS, { sequence: 3, rows }));
    assert.deepEqual(farm.core.ignored(), { 'stale-epoch': 1 });
    farm.message(BELEN, pulseOf(raised, { sequence: 2, rows }));
    assert.deepEqual(farm.core.ignored(), { 'stale-epoch': 1 }, 'one that came twice is no fault');
    assert.notEqual(loadOf(farm, CARMEN), 0.9);
    farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    assert.deepEqual(farm.core.epoch, { term: 7, peer: SELF });
  });

  it('is the first to count of one that it came to follow by its question', () => {
    const farm = meeting(BELEN, CARMEN);
    farm.message(BELEN, { kind: 'collect', epoch: BELENS });
    assert.deepEqual(farm.core.epoch, BELENS);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 1, successors: [SELF] }));
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    assert.ok(farm.core.isCoordinator, 'it names who is to lead after it');
  });
});

describe('R44: a question whether a coordinator is lost', () => {
  const ask = (farm: Farm, epoch: Epoch) =>
    sentTo(CARMEN, 'doubt-answer', farm.message(CARMEN, { kind: 'doubt', epoch })).map(({ lost }) => lost);

  it('is answered by what is known of that one', () => {
    assert.deepEqual(ask(meeting(BELEN, CARMEN), BELENS), [true], 'it looks for one itself');
    assert.deepEqual(ask(leading(BELEN, CARMEN), BELENS), [false], 'it leads');
    const farm = following(BELENS, CARMEN, DOLORES);
    assert.deepEqual(ask(farm, BELENS), [false]);
    farm.step({ kind: 'peer', peer: BELEN, state: 'silent' });
    assert.deepEqual(ask(farm, BELENS), [true]);
    assert.deepEqual(ask(farm, { term: 5, peer: DOLORES }), [false], 'it never followed that one');
  });

  it('counts only those answers that it asked for', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.message(CARMEN, { kind: 'doubt-answer', epoch: BELENS, lost: true });
    assert.deepEqual(farm.core.ignored(), { 'foreign-sender': 1 });
    farm.advance(2_000);
    farm.message(CARMEN, { kind: 'doubt-answer', epoch: { ...BELENS, term: 4 }, lost: true });
    assert.deepEqual(farm.core.ignored(), { 'foreign-sender': 2 });
    farm.advance(600);
    assert.deepEqual(farm.core.epoch, BELENS);
    const alone = leading(CARMEN);
    alone.message(CARMEN, { kind: 'doubt-answer', epoch: BELENS, lost: true });
    assert.deepEqual(alone.core.ignored(), { 'foreign-sender': 1 });
  });
});

describe('R44: connections', () => {
  it('begin the wait of a starting node with the first', () => {
    const farm = meeting(BELEN);
    farm.records(memberOf(CARMEN));
    farm.advance(2_000);
    farm.step({ kind: 'peer', peer: CARMEN, state: 'reachable' });
    farm.advance(999);
    assert.equal(farm.core.epoch, undefined);
    farm.advance(1);
    assert.ok(farm.core.isCoordinator);
  });

  it('bring a pulse at once to whom a coordinator comes to reach', () => {
    const farm = leading(BELEN, CARMEN);
    farm.advance(500);
    const lost = farm.step({ kind: 'peer', peer: CARMEN, state: 'lost' });
    assert.deepEqual(sentTo(BELEN, 'pulse', lost), []);
    const back = farm.step({ kind: 'peer', peer: CARMEN, state: 'reachable' });
    const [pulse] = sentTo(CARMEN, 'pulse', back);
    assert.ok(
      pulse?.rows.some(({ peer }) => peer === CARMEN),
      'with its own row',
    );
  });

  it('make no difference to how long nobody led: that is from the start to the first reign', () => {
    const leaderless = (farm: Farm) => farm.core.farm().coordinators.at(-1)?.leaderlessMs;
    assert.equal(leaderless(new Farm(farmOf()).start()), 0);
    const farm = new Farm(farmOf(BELEN)).start();
    farm.advance(5_000);
    assert.equal(leaderless(farm), 5_000);
  });
});
