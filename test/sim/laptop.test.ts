import assert from 'node:assert/strict';
import { it } from 'node:test';
import { blind } from './blind.ts';
import { SimFarm } from './farm.ts';
import { profileOf } from './profile.ts';

const TURNS = 20;

for (const seed of [1n, 2n, 3n]) {
  it(`R44: a laptop that is cut off and comes back ${TURNS} times unseats nobody, seed ${seed}`, async () => {
    const calm = { machines: 5, isFounded: true, clockSkew: 0.0001, wallSkewMs: 0, slots: 1 };
    const farm = new SimFarm(seed, { ...profileOf(seed), ...calm }, blind);
    const { timeline, wire, machines } = farm;
    for (const machine of machines) machine.start();
    await timeline.run(10_000);
    const leader = farm.leader();
    assert.ok(leader !== undefined, 'somebody leads');
    const laptop = machines.find((machine) => machine !== leader) ?? leader;
    const others = machines.filter((machine) => machine !== laptop);
    for (let turn = 0; turn < TURNS; turn++) {
      for (const other of others) {
        wire.cut(laptop.peer, other.peer);
        wire.cut(other.peer, laptop.peer);
      }
      // Long enough, now and then, for it to lead a farm of its own.
      await timeline.run(timeline.now + farm.dice.between(500, 15_000));
      for (const other of others) {
        wire.heal(laptop.peer, other.peer);
        wire.heal(other.peer, laptop.peer);
      }
      await timeline.run(timeline.now + farm.dice.between(500, 12_000));
      for (const other of others) assert.equal(other.queries?.epoch?.peer, leader.peer, `after turn ${turn}`);
    }
    await timeline.run(timeline.now + 15_000);
    assert.equal(farm.leader(), leader, 'the laptop follows as well');
  });
}
