import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { House, type MachineInit } from './house.ts';

let house: House;
afterEach(() => house.stop());

async function startFive(seed: number): Promise<void> {
  house = new House(seed);
  for (let i = 0; i < 5; i++) {
    await house.machine(`machine-${i}`).start();
    await house.pass(Math.floor(house.random.float() * 200));
  }
}

/** Five that don't hear each other at first found a farm each; then they do, each pair after a time of its own. */
async function foundFive(seed: number, init: (i: number) => MachineInit = () => ({})): Promise<void> {
  house = new House(seed);
  house.network.multicast(false);
  for (let i = 0; i < 5; i++) await house.machine(`machine-${i}`).start(init(i));
  await house.pass(3_500);
  for (const one of house.machines) {
    for (const other of house.machines) {
      if (one.peer < other.peer)
        house.network.delay(one.peer, other.peer, Math.floor(house.random.float() * 200));
    }
  }
  house.network.multicast(true);
}

/** One farm, which all of them know alike once their records are the same. */
async function endsInOne(withinMs: number): Promise<void> {
  await house.until(() => house.isOne(), withinMs);
  await house.sync();
  const [first, ...others] = house.machines.map(({ farmId, members }) => ({ farmId, members }));
  assert.equal(first?.members.length, 5);
  for (const other of others) assert.deepEqual(other, first);
  for (const { disk, farmId } of house.machines) {
    const farms = [...disk.records.keys()].filter((key) => key.startsWith('farm/'));
    assert.deepEqual(farms, [`farm/${farmId}`]);
  }
}

describe('first starts (R69)', () => {
  for (let seed = 1; seed <= 8; seed++) {
    test(`five nodes started within a second end in one farm, seed ${seed}`, async () => {
      await startFive(seed);
      await endsInOne(20_000);
    });
  }

  for (let seed = 1; seed <= 12; seed++) {
    test(`five farms founded at once become one, whatever finds what first, seed ${seed} (R66)`, async () => {
      await foundFive(seed);
      assert.equal(new Set(house.machines.map(({ farmId }) => farmId)).size, 5);
      await endsInOne(10_000);
    });
  }

  for (let seed = 1; seed <= 12; seed++) {
    test(`also where a third of all lobby messages is lost, seed ${seed} (R66, R68)`, async () => {
      if (seed % 2 === 0) await foundFive(seed);
      else await startFive(seed);
      house.loss = 0.33;
      await endsInOne(300_000);
    });
  }

  test('a node that stays alone founds a farm, open for 15 minutes', async () => {
    house = new House();
    const machine = house.machine('studio');
    await machine.start();
    await house.pass(1_900);
    assert.equal(machine.farm.door().state, 'looking');
    await house.pass(1_300);
    const door = machine.farm.door();
    assert.equal(door.state, 'member');
    assert.equal(door.farm?.name, "studio's farm");
    assert.ok((door.open?.leftMs ?? 0) > 14.9 * 60_000);
    await house.pass(15 * 60_000, 1_000);
    assert.equal(machine.farm.door().open, undefined);
    assert.equal(machine.views.at(-1)?.open, undefined);
  });

  test('a restart ends the opening, and keeps the farm', async () => {
    house = new House();
    const machine = house.machine('studio');
    await machine.start();
    await house.pass(3_100);
    const { farmId } = machine;
    await machine.stop();
    await machine.start();
    await house.pass(5_000);
    assert.equal(machine.farmId, farmId);
    assert.equal(machine.farm.door().open, undefined);
  });

  test('without discovery a node founds a farm of one at once, closed', async () => {
    house = new House();
    const machine = house.machine('studio');
    await machine.start({ discovery: false });
    const door = machine.farm.door();
    assert.deepEqual([door.state, door.members.length, door.open], ['member', 1, undefined]);
    await house.pass(60_000, 1_000);
    assert.equal(machine.farm.door().alone, undefined);
  });

  test('alone for 20 s, it says where it looked and what to do', async () => {
    house = new House();
    const machine = house.machine('studio');
    await machine.start();
    await house.pass(19_900);
    assert.equal(machine.farm.door().alone, undefined);
    await house.pass(300);
    const { alone } = machine.views.at(-1) ?? {};
    assert.match(alone?.message ?? '', /Looked on memory \(127\.0\.0\.1\).*cuadro join ADDRESS/);
    await house.machine('laptop').start();
    await house.until(() => house.isOne());
    assert.equal(machine.farm.door().alone, undefined);
  });
});

describe('a node killed at any durable step of founding, joining and merging (R66, R69)', () => {
  /** After the steps themselves only addresses are noted. */
  const WRITES_MAX = 12;

  /** Runs five nodes of which one dies at its nth write and is started again; tells whether it came to that. */
  async function withDeath(
    begin: (init: (i: number) => MachineInit) => Promise<void>,
    dieAt: NonNullable<MachineInit['dieAt']>,
    victim: number,
  ): Promise<boolean> {
    await begin((i) => (i === victim ? { dieAt } : {}));
    const machine = house.machines[victim];
    if (machine === undefined) throw new Error('There is no such machine.');
    for (let passed = 0; passed < 20_000 && !machine.isDead; passed += 100) await house.pass(100);
    if (!machine.isDead) return false;
    await machine.stop();
    await machine.start();
    await endsInOne(120_000);
    return true;
  }

  const ways: Record<string, (init: (i: number) => MachineInit) => Promise<void>> = {
    joining: async (init) => {
      house = new House(7);
      for (let i = 0; i < 5; i++) await house.machine(`machine-${i}`).start(init(i));
    },
    merging: (init) => foundFive(7, init),
  };
  for (const [name, begin] of Object.entries(ways)) {
    for (const victim of [0, 2, 4]) {
      test(`${name}, machine ${victim}`, async () => {
        let deaths = 0;
        for (let write = 1, died = true; died && write <= WRITES_MAX; write++) {
          for (const when of ['before', 'after'] as const) {
            died = await withDeath(begin, { write, when }, victim);
            if (died) deaths++;
            await house.stop();
          }
        }
        assert.ok(deaths >= 6, `died ${deaths} times`);
      });
    }
  }
});
