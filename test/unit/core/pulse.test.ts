import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode, type Grant, type Message, type Pulse } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, DOLORES, Farm, framesPlan, grantsTo, SELF } from './farm.ts';
import { beaconOf, farmOf, following, grantOf, leading, learn, memberOf, pulseOf, rowOf } from './members.ts';

const pulsesIn = (effects: readonly CoreEffect[]): Pulse[] =>
  effects.flatMap((effect) =>
    effect.kind === 'gossip' && effect.message.kind === 'pulse' ? [effect.message] : [],
  );

/** Half a second passes: the next pulse. */
function pulse(farm: Farm): Pulse {
  const [next, ...more] = pulsesIn(farm.advance(500));
  assert.ok(next !== undefined && more.length === 0);
  return next;
}

/** Peers in the order of their ids. */
const peerOf = (number: number): string => {
  const digits = String(number).padStart(3, '0');
  return `12D3KooW${Array.from(digits, (digit) => 'BCDEFGHJKL'[Number(digit)]).join('')}${'m'.repeat(41)}`;
};

const rowsOf = (told: Pulse): string[] => told.rows.map(({ peer }) => peer);

describe('who has to speak', () => {
  it('R42: asks to be woken for its next pulse, or its next beacon', () => {
    const leader = leading(BELEN);
    leader.advance(500);
    assert.equal(leader.wakeAt, leader.now + 500);
    const follower = following({ term: 5, peer: BELEN });
    follower.advance(1_000);
    assert.equal(follower.wakeAt, follower.now + 1_000);
  });

  it('R42: asks for nothing where nobody would hear it', () => {
    const alone = new Farm().start();
    assert.ok(alone.core.isCoordinator);
    assert.ok((alone.wakeAt ?? Number.POSITIVE_INFINITY) >= alone.now + 10_000);
  });
});

describe('a pulse', () => {
  it('R42: counts a member until its beacon is 3.5 s old', () => {
    const farm = leading(BELEN);
    farm.message(BELEN, beaconOf(BELEN, []));
    const heardAt = farm.now;
    const followers: number[] = [];
    while (farm.now < heardAt + 4_000) followers.push(pulse(farm).followers);
    assert.deepEqual(followers, [1, 1, 1, 1, 1, 1, 0, 0]);
  });

  it('R42: goes to every member directly and by gossip, twice a second, and counts on', () => {
    const farm = leading(BELEN, CARMEN);
    const sequences: number[] = [];
    for (let i = 0; i < 4; i++) {
      const effects = farm.advance(500);
      const [told] = pulsesIn(effects);
      assert.ok(told);
      sequences.push(told.sequence);
      const to = effects.flatMap((effect) =>
        effect.kind === 'send' && effect.message.kind === 'pulse' ? [effect.to] : [],
      );
      assert.deepEqual(to, [BELEN, CARMEN]);
      assert.deepEqual(told.epoch, farm.core.epoch);
    }
    const [first = 0] = sequences;
    assert.deepEqual(sequences, [first, first + 1, first + 2, first + 3]);
    assert.deepEqual(pulsesIn(farm.advance(499)), []);
  });

  it('R42: says nothing anew of machines at rest, whose beacons are all alike', () => {
    const peers = Array.from({ length: 40 }, (_, number) => peerOf(number));
    const farm = leading(...peers);
    const beacons = (load: number): void => {
      for (const peer of peers) farm.message(peer, { ...beaconOf(peer, []), load });
    };
    beacons(0.25);
    const first = rowsOf(pulse(farm)).length;
    beacons(0.25);
    const second = rowsOf(pulse(farm)).length;
    beacons(0.5);
    assert.ok(first === 41 && second <= 3, `${first} rows, then ${second}: those whose turn it is`);
    assert.ok(rowsOf(pulse(farm)).length >= 40, 'a load that changed is told at once');
  });

  it('R42: carries the digest of its records once there is one', () => {
    const farm = leading(BELEN);
    assert.equal(pulse(farm).root, undefined);
    const root = '0a'.repeat(16);
    farm.step({ kind: 'root', root });
    assert.equal(pulse(farm).root, root);
  });

  it('R42: names as successors those that followed longest, five at most', () => {
    const peers = [5, 3, 6, 1, 4, 2].map(peerOf);
    const farm = leading(...[1, 2, 3, 4, 5, 6].map(peerOf));
    // All are here; they begin to follow the next reign one after the other.
    const restarted = new Farm(farmOf(...peers)).start();
    for (const peer of peers) restarted.step({ kind: 'peer', peer, state: 'reachable' });
    restarted.advance(3_000);
    for (const peer of peers) {
      restarted.advance(20);
      restarted.message(peer, beaconOf(peer, []));
    }
    assert.deepEqual(pulse(restarted).successors, peers.slice(0, 5));
    assert.deepEqual(
      pulse(farm).successors,
      [1, 2, 3, 4, 5].map(peerOf),
      'and those that came at once by their ids',
    );
  });

  it('R42: names as successor nobody whose beacons have ended before those whose beacons arrive', () => {
    const farm = leading(BELEN, CARMEN);
    for (let i = 0; i < 4; i++) {
      farm.advance(1_000);
      farm.message(CARMEN, beaconOf(CARMEN, []));
    }
    assert.equal(pulse(farm).successors[0], CARMEN);
  });

  it('R42: counts the members whose beacons arrive, and names those whose beacons are stale', () => {
    const farm = leading(BELEN, CARMEN, DOLORES);
    assert.deepEqual([pulse(farm).followers, pulse(farm).stale], [3, []]);
    for (let i = 0; i < 3; i++) {
      farm.advance(1_000);
      for (const peer of [BELEN, CARMEN]) farm.message(peer, beaconOf(peer, []));
    }
    const told = pulse(farm);
    assert.deepEqual([told.followers, told.stale], [2, [DOLORES]]);
    farm.message(DOLORES, beaconOf(DOLORES, []));
    const again = pulse(farm);
    assert.deepEqual([again.followers, again.stale], [3, []]);
  });

  it('R42: does not count members that never sent a beacon, nor the coordinator itself', () => {
    const farm = leading(BELEN);
    farm.records(memberOf(DOLORES));
    const told = pulse(farm);
    assert.deepEqual([told.followers, told.stale], [1, []]);
  });

  it('R42: has the row of a machine that changed in the very next one, mirroring its grants', () => {
    const farm = leading(BELEN, CARMEN);
    for (let i = 0; i < 30; i++) {
      pulse(farm);
      for (const peer of [BELEN, CARMEN]) farm.message(peer, beaconOf(peer, []));
    }
    pulse(farm);
    farm.submit(framesPlan('1-2'));
    const told = pulse(farm);
    const [running] = grantsTo(CARMEN, farm.effects);
    assert.ok(running);
    assert.deepEqual(
      told.rows
        .find(({ peer }) => peer === CARMEN)
        ?.held.map(({ attempt, task, running: runs }) => [attempt, task, runs]),
      [[running.attempt, running.task, true]],
    );
    farm.ended(CARMEN, running, 'result');
    assert.deepEqual(pulse(farm).rows.find(({ peer }) => peer === CARMEN)?.held, []);
  });

  it('R42: has every row within 10 s although nothing changes', () => {
    const peers = Array.from({ length: 40 }, (_, i) => peerOf(i));
    const farm = leading(...peers);
    for (let i = 0; i < 8; i++) pulse(farm);
    const told = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const rows = rowsOf(pulse(farm));
      assert.ok(rows.length < 40, 'not all at once');
      for (const peer of rows) told.add(peer);
    }
    assert.equal(told.size, 41);
  });
});

describe('128 machines that hold 8 attempts each', () => {
  const PEERS = Array.from({ length: 127 }, (_, i) => peerOf(i));

  /** All are at work, and their progress changes with each beacon, once a second. */
  function busy(): { farm: Farm; second: (fraction: number) => Pulse[] } {
    const farm = new Farm(farmOf(...PEERS)).start(4);
    for (const peer of PEERS) {
      farm.step({ kind: 'peer', peer, state: 'reachable' });
      farm.claim(peer, { slots: 4 });
    }
    farm.submit(framesPlan('1-2000'));
    farm.advance(3_000);
    for (const peer of PEERS) farm.message(peer, beaconOf(peer, []));
    const grants = new Map<string, Grant[]>(PEERS.map((peer) => [peer, grantsTo(peer, farm.effects)]));
    assert.ok([...grants.values()].every((held) => held.length === 8));
    const beacon = (peer: string, fraction: number): Message => {
      const held = grants.get(peer) as Grant[];
      const told = beaconOf(peer, held.slice(0, 4), held.slice(4));
      const text = 'Sample 128/4096, tile 3 of 12';
      return {
        ...told,
        held: told.held.map((one) => (one.running ? { ...one, fraction, remainingMs: 61_234.5, text } : one)),
      };
    };
    const second = (fraction: number): Pulse[] => {
      const pulses: Pulse[] = [];
      for (const half of [0, 1]) {
        for (const [i, peer] of PEERS.entries()) {
          if (i % 2 === half) farm.message(peer, beacon(peer, fraction));
        }
        pulses.push(...pulsesIn(farm.advance(500)));
      }
      return pulses;
    };
    return { farm, second };
  }

  it('R42: are told in pulses under 16 KB, each row within 10 s, although all change all the time', () => {
    const { second } = busy();
    const seen = new Map<string, number>();
    let count = 0;
    for (let time = 0; time < 30; time++) {
      for (const told of second(0.1 + time / 100)) {
        count++;
        const bytes = encode(told).length;
        assert.ok(bytes < 16_384, `${bytes} bytes`);
        for (const { peer, held } of told.rows) {
          seen.set(peer, count);
          assert.equal(held.length, peer === SELF ? held.length : 8);
        }
        if (count < 20) continue;
        const late = [SELF, ...PEERS].filter((peer) => count - (seen.get(peer) ?? 0) > 20);
        assert.deepEqual(late, [], `after ${count} pulses`);
      }
    }
    assert.equal(count, 60);
  });
});

describe('a member', () => {
  const BELENS = { term: 5, peer: BELEN };

  it('R42: takes rows only from the coordinator that it follows', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    const job = learn(farm, framesPlan('1-6'), BELEN);
    const running = () => farm.core.job(job)?.live.running;
    farm.claim(DOLORES);
    const row = rowOf(DOLORES, [grantOf(BELENS, 1, job, 0)]);
    farm.message(CARMEN, pulseOf({ term: 9, peer: CARMEN }, { rows: [row] }));
    assert.equal(running(), 0, 'of another coordinator');
    farm.message(CARMEN, pulseOf(BELENS, { sequence: 9, rows: [row] }));
    assert.equal(running(), 0, "in its coordinator's name");
    farm.message(BELEN, pulseOf({ term: 4, peer: BELEN }, { sequence: 9, rows: [row] }));
    assert.equal(running(), 0, 'of an older reign');
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2, rows: [row] }));
    assert.equal(running(), 1);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2, rows: [rowOf(DOLORES, [])] }));
    assert.equal(running(), 1, 'a pulse that came twice is one');
    farm.message(BELEN, pulseOf(BELENS, { sequence: 3, rows: [rowOf(DOLORES, [])] }));
    assert.equal(running(), 0);
  });
});
