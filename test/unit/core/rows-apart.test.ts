import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pulse } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, DOLORES, type Farm } from './farm.ts';
import { following, leading, pulseOf, rowOf } from './members.ts';

/** As many members as R121 tells everything directly. */
const ROWS_DIRECT_MAX = 16;

/** Peers in the order of their ids. */
const peersOf = (count: number): string[] =>
  Array.from({ length: count }, (_, place) => `12D3KooWE${String.fromCharCode(97 + place).repeat(11)}`);

interface Told {
  gossiped: Pulse;
  direct: Map<string, Pulse>;
}

function told(effects: readonly CoreEffect[]): Told {
  const direct = new Map<string, Pulse>();
  const gossiped: Pulse[] = [];
  for (const effect of effects) {
    if (effect.kind === 'send' && effect.message.kind === 'pulse') direct.set(effect.to, effect.message);
    if (effect.kind === 'gossip' && effect.message.kind === 'pulse') gossiped.push(effect.message);
  }
  const [first, ...more] = gossiped;
  assert.ok(first !== undefined && more.length === 0);
  return { gossiped: first, direct };
}

describe('R121: the rows of a pulse', () => {
  it('go directly to all members of a farm that is not large', () => {
    const peers = peersOf(ROWS_DIRECT_MAX);
    const { gossiped, direct } = told(leading(...peers).advance(500));
    assert.ok(gossiped.rows.length > 0);
    assert.deepEqual([...direct.keys()].sort(), peers);
    for (const message of direct.values()) assert.deepEqual(message, gossiped);
  });

  it('go in a large farm to the successors, and to all by gossip; all else goes to all directly', () => {
    const peers = peersOf(ROWS_DIRECT_MAX + 1);
    const { gossiped, direct } = told(leading(...peers).advance(500));
    assert.ok(gossiped.rows.length > 0 && gossiped.rowsApart === undefined);
    assert.equal(gossiped.successors.length, 5);
    assert.deepEqual([...direct.keys()].sort(), peers, 'each has the pulse once');
    for (const [peer, message] of direct) {
      const isSuccessor = gossiped.successors.includes(peer);
      assert.deepEqual(message, isSuccessor ? gossiped : { ...gossiped, rows: [], rowsApart: true });
    }
  });

  it('are said in one go to those that have them, and so is the rest to the others: each is encoded once', () => {
    const effects = leading(...peersOf(40)).advance(500);
    const said = effects.flatMap((effect) =>
      (effect.kind === 'send' || effect.kind === 'gossip') && effect.message.kind === 'pulse'
        ? [effect.message]
        : [],
    );
    assert.equal(said.length, 41);
    const changes = said.filter((message, place) => place > 0 && message !== said[place - 1]);
    assert.equal(changes.length, 1);
  });
});

describe('R121: a member', () => {
  const EPOCH = { term: 5, peer: BELEN };
  const rows = (load: number) => [{ ...rowOf(CARMEN, []), load }];
  const loadOf = (farm: Farm) => farm.core.nodes().find(({ peer }) => peer === CARMEN)?.live.load;
  const direct = (farm: Farm, sequence: number) =>
    farm.message(BELEN, pulseOf(EPOCH, { sequence, rowsApart: true }));
  const gossiped = (farm: Farm, sequence: number, load = sequence / 100) => {
    const message = pulseOf(EPOCH, { sequence, rows: rows(load) });
    farm.step({ kind: 'message', from: BELEN, gossiped: true, message });
    return loadOf(farm) === load;
  };

  it('takes them by gossip after the rest, once', () => {
    const farm = following(EPOCH, CARMEN, DOLORES);
    direct(farm, 2);
    assert.equal(loadOf(farm), 0);
    assert.ok(gossiped(farm, 2, 0.2));
    assert.equal(gossiped(farm, 2, 0.3), false, 'a pulse that came twice is one');
  });

  it('takes them before the rest, which then changes nothing', () => {
    const farm = following(EPOCH, CARMEN, DOLORES);
    assert.ok(gossiped(farm, 2));
    direct(farm, 2);
    assert.equal(loadOf(farm), 0.02);
    assert.equal(gossiped(farm, 2, 0.5), false);
  });

  it('takes them late, where gossip is slower than pulses are, but none after those of a later one', () => {
    const farm = following(EPOCH, CARMEN, DOLORES);
    for (const sequence of [2, 3, 4, 5]) direct(farm, sequence);
    assert.deepEqual(
      [2, 4, 3, 5].map((sequence) => gossiped(farm, sequence)),
      [true, true, false, true],
    );
  });

  it('takes them of the pulse by which it began to follow', () => {
    const farm = following({ term: 4, peer: DOLORES }, BELEN, CARMEN);
    farm.step({ kind: 'peer', peer: DOLORES, state: 'lost' });
    direct(farm, 7);
    assert.deepEqual(farm.core.epoch, EPOCH);
    assert.deepEqual(
      [6, 7].map((sequence) => gossiped(farm, sequence)),
      [false, true],
    );
  });

  it('has heard the coordinator by the rest alone: rows that come late say nothing of now', () => {
    const farm = following(EPOCH, CARMEN, DOLORES);
    direct(farm, 2);
    direct(farm, 3);
    farm.advance(2_600);
    assert.ok(gossiped(farm, 2));
    farm.message(CARMEN, { kind: 'doubt', epoch: EPOCH });
    const answers = farm.effects.flatMap((effect) =>
      effect.kind === 'send' && effect.message.kind === 'doubt-answer' ? [effect.message.lost] : [],
    );
    assert.deepEqual(answers, [true]);
  });
});

describe('R123: a member that comes to be reached', () => {
  const pulsesOf = (effects: readonly CoreEffect[]): [string, Pulse][] =>
    effects.flatMap((effect): [string, Pulse][] => {
      if (effect.kind === 'send' && effect.message.kind === 'pulse') return [[effect.to, effect.message]];
      if (effect.kind === 'gossip' && effect.message.kind === 'pulse') return [['all', effect.message]];
      return [];
    });

  it('hears the pulse with all others where they are few, before its time', () => {
    const peers = peersOf(ROWS_DIRECT_MAX);
    const farm = leading(...peers);
    const { gossiped } = told(farm.advance(500));
    const [last = ''] = peers.slice(-1);
    farm.step({ kind: 'peer', peer: last, state: 'lost' });
    const said = pulsesOf(farm.step({ kind: 'peer', peer: last, state: 'reachable' }));
    assert.deepEqual(said.map(([to]) => to).sort(), [...peers, 'all'].sort());
    for (const [, message] of said) assert.equal(message.sequence, gossiped.sequence + 1);
  });

  it('hears in a large farm what the latest pulse said, alone and once', () => {
    const peers = peersOf(ROWS_DIRECT_MAX + 2);
    const farm = leading(...peers);
    const { gossiped } = told(farm.advance(500));
    const [last = ''] = peers.slice(-1);
    farm.step({ kind: 'peer', peer: last, state: 'lost' });
    const said = pulsesOf(farm.step({ kind: 'peer', peer: last, state: 'reachable' }));
    assert.deepEqual(said, [[last, { ...gossiped, rows: [], rowsApart: true }]]);
    assert.deepEqual(pulsesOf(farm.advance(499)), []);
    const next = told(farm.advance(1));
    assert.equal(next.gossiped.sequence, gossiped.sequence + 1);
    assert.equal(next.direct.size, peers.length);
    assert.deepEqual(pulsesOf(farm.advance(1)), []);
  });
});
