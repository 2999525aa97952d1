import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { Cluster } from './cluster.ts';
import { BELEN, CARMEN, Farm, framesPlan, grantsTo, SELF } from './farm.ts';
import { beaconOf, farmOf, following, leading, pulseOf } from './members.ts';

const EPOCH = { term: 3, peer: BELEN };

const relayedIn = (effects: readonly CoreEffect[]): number =>
  effects.filter((effect) => effect.kind === 'gossip' && effect.message.kind === 'beacon').length;

describe('R104: a beacon by way of others', () => {
  it('keeps what a machine renders, though its link to the coordinator is sick, and grants it nothing new', () => {
    const cluster = new Cluster(3).startAll();
    cluster.taskMs = 15_000;
    cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
    cluster.run(3_000);
    const leader = cluster.leader() as number;
    const far = (leader + 1) % 3;
    const job = cluster.submit(leader, framesPlan('1-12'));
    cluster.run(1_000);
    const held = [...cluster.node(far).running.keys()];
    assert.ok(held.length > 0);
    cluster.cut(leader, far);
    cluster.run(12_000);
    assert.deepEqual([...cluster.node(far).running.keys()], held, 'nothing is taken back, nothing comes');
    const { core } = cluster.node(leader);
    const machine = core.nodes().find(({ peer }) => peer === cluster.node(far).peer);
    assert.equal(machine?.live.running.length, 1);
    assert.equal(machine?.live.reachable, false);
    cluster.until('all frames', () => core.job(job)?.counts.rendered === 12, 200_000);
    const attempts = Array.from({ length: 12 }, (_, index) => core.task(job, index)?.attempts.length);
    assert.deepEqual(attempts, Array(12).fill(1), 'no frame was rendered twice, and none counts as lost');
  });

  it('R106: is said at once by whom the pulse names stale', () => {
    const farm = following(EPOCH);
    farm.advance(100);
    const effects = farm.message(BELEN, pulseOf(EPOCH, { sequence: 2, stale: [SELF] }));
    assert.equal(relayedIn(effects), 1);
    assert.equal(relayedIn(farm.message(BELEN, pulseOf(EPOCH, { sequence: 3, stale: [SELF] }))), 0);
  });

  it('R106: is taken although a connection seems to stand, once that was silent for 2.5 s', () => {
    const leader = leading(BELEN);
    const load = (): number | undefined => leader.core.nodes().find(({ peer }) => peer === BELEN)?.live.load;
    const relay = (value: number): void => {
      const message = { ...beaconOf(BELEN, []), load: value };
      leader.step({ kind: 'message', from: BELEN, message, gossiped: true });
    };
    leader.advance(2_499);
    relay(7);
    assert.equal(load(), 0.5);
    leader.advance(1);
    relay(8);
    assert.equal(load(), 8);
    leader.advance(1_000);
    relay(9);
    assert.equal(load(), 9, 'the next one as well');
    leader.beacon(BELEN, []);
    relay(7);
    assert.equal(load(), 0.5, 'until the stream tells again');
  });

  it('R106: a connection that brought no beacon for 2.5 s counts as none: nothing is granted until one comes', () => {
    for (const [silentMs, granted] of [
      [2_499, 2],
      [2_500, 0],
    ] as const) {
      const leader = leading(BELEN);
      leader.advance(silentMs);
      leader.submit(framesPlan('1-9'));
      assert.equal(grantsTo(BELEN, leader.effects).length, granted, `after ${silentMs} ms`);
    }
    const silent = leading(BELEN);
    silent.advance(2_500);
    silent.submit(framesPlan('1-9'));
    assert.equal(grantsTo(BELEN, silent.beacon(BELEN, [])).length, 2, 'it had found nothing for that alone');
    const leader = leading(BELEN);
    const idle = (): string | undefined =>
      leader.core.nodes().find(({ peer }) => peer === BELEN)?.live.idleReason;
    leader.advance(2_500);
    leader.submit(framesPlan('1-9'));
    assert.equal(idle(), 'Nothing was heard of it for some seconds.');
    const message = beaconOf(BELEN, []);
    const relayed = leader.step({ kind: 'message', from: BELEN, message, gossiped: true });
    assert.deepEqual(grantsTo(BELEN, relayed), [], 'it lives, and no grant would reach it');
    assert.match(idle() ?? '', /hears it only by way of others/);
    assert.equal(grantsTo(BELEN, leader.beacon(BELEN, [])).length, 2);
  });

  it('keeps what it lists, though its machine is connected and the stream holds up all but older ones', () => {
    for (const isRelayed of [true, false]) {
      const leader = leading(BELEN);
      leader.submit(framesPlan('1'));
      const [grant] = grantsTo(BELEN, leader.effects);
      assert.ok(grant);
      const held = [{ ...grant, running: true, fraction: 0 }];
      const listing = { ...beaconOf(BELEN, []), sequence: 9, held };
      for (const sequence of [7, 8]) {
        leader.advance(1_000);
        const effects = leader.message(BELEN, { ...beaconOf(BELEN, []), sequence });
        const isFreed = sequence === 8 && !isRelayed;
        assert.equal(grantsTo(BELEN, effects).length, isFreed ? 1 : 0, `${sequence}, relayed: ${isRelayed}`);
        if (isRelayed) leader.step({ kind: 'message', from: BELEN, message: listing, gossiped: true });
      }
    }
  });

  it('is said once pulses come although the connection is lost, and not before', () => {
    const farm = following(EPOCH, CARMEN);
    const pulse = (sequence: number): readonly CoreEffect[] =>
      farm.step({ kind: 'message', from: BELEN, message: pulseOf(EPOCH, { sequence }), gossiped: true });
    farm.advance(1_000);
    pulse(2);
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    assert.equal(relayedIn(farm.advance(1_000)), 0, 'what came before the cut tells nothing of it');
    assert.equal(relayedIn(pulse(3)), 1);
    assert.equal(relayedIn(pulse(4)), 0, 'once a second');
    assert.equal(relayedIn(farm.advance(1_000)), 1);
  });

  it('has its machine named stale for as long as nothing else is heard of it', () => {
    const leader = leading(BELEN);
    const relay = (): void =>
      void leader.step({ kind: 'message', from: BELEN, message: beaconOf(BELEN, []), gossiped: true });
    const stale = (): string[] | undefined =>
      leader
        .advance(500)
        .flatMap((effect) =>
          effect.kind === 'gossip' && effect.message.kind === 'pulse' ? effect.message : [],
        )
        .at(-1)?.stale;
    leader.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    relay();
    assert.deepEqual(stale(), [BELEN]);
    relay();
    assert.deepEqual(stale(), [BELEN]);
    leader.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
    leader.beacon(BELEN, []);
    assert.deepEqual(stale(), []);
  });

  it('is said while the pulse names the machine stale, and no longer', () => {
    const farm = following(EPOCH);
    farm.message(BELEN, pulseOf(EPOCH, { sequence: 2, stale: [SELF] }));
    assert.equal(relayedIn(farm.advance(1_000)), 1);
    farm.message(BELEN, pulseOf(EPOCH, { sequence: 3 }));
    assert.equal(relayedIn(farm.advance(1_000)), 0);
  });

  it('is said by whoever came to follow without ever having had a connection, until there is one', () => {
    const farm = new Farm(farmOf(BELEN, CARMEN)).start();
    farm.step({ kind: 'peer', peer: CARMEN, state: 'reachable' });
    const message = pulseOf(EPOCH);
    assert.equal(relayedIn(farm.step({ kind: 'message', from: BELEN, message, gossiped: true })), 1);
    assert.deepEqual(farm.core.epoch, EPOCH);
    assert.equal(relayedIn(farm.advance(1_000)), 1);
    farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
    farm.message(BELEN, pulseOf(EPOCH, { sequence: 2 }));
    assert.equal(relayedIn(farm.advance(1_000)), 0);
  });

  it('is not taken from whom the coordinator is connected to, and is no fault where nobody leads', () => {
    const relayed = {
      kind: 'message',
      from: BELEN,
      message: { ...beaconOf(BELEN, []), load: 9 },
      gossiped: true,
    } as const;
    const leader = leading(BELEN);
    const load = (): number | undefined => leader.core.nodes().find(({ peer }) => peer === BELEN)?.live.load;
    leader.step(relayed);
    assert.equal(load(), 0.5, 'as the stream told it');
    leader.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    leader.step(relayed);
    assert.equal(load(), 9);
    const follower = following(EPOCH);
    follower.step(relayed);
    assert.deepEqual(follower.core.ignored(), {});
  });
});
