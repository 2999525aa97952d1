import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { signJobSpec, type JobRecord } from '@cuadro/protocol';
import { admit, ownRecord } from '../../../node/src/farm/founding.ts';
import { identityOf } from '../../../node/src/system/identity.ts';
import { code, farmIn, House, type Machine, type MachineInit } from './house.ts';

let house: House;
afterEach(() => house.stop());

/** A founded farm whose door was closed again, and a newcomer that found it. */
async function closedFarm(init: MachineInit = {}): Promise<[Machine, Machine]> {
  house = new House();
  const studio = house.machine('studio');
  await studio.start(init);
  await house.pass(3_100);
  await studio.farm.closeDoor();
  const laptop = house.machine('laptop');
  await laptop.start();
  return [studio, laptop];
}

function farmOf(...names: string[]): Promise<Machine[]> {
  house ??= new House();
  return farmIn(house, ...names);
}

function job(author: Machine, number: number): JobRecord {
  const id = `jobjobjobjobjob${'abcdefg'[number]}`;
  const spec = signJobSpec(author.identity, {
    id,
    name: `job ${number}`,
    type: 'echo-sleep',
    settings: {},
    plan: 'a'.repeat(64),
    tasks: 1,
    order: number,
    after: [],
    outputFolder: '',
    wallTime: 1,
  });
  return {
    kind: 'job',
    id,
    spec,
    control: {},
    requests: {},
    holders: { bundle: {}, plan: {} },
    acknowledged: true,
  };
}

describe('closing a door', () => {
  test("promises nothing of the other members' doors", async () => {
    house = new House();
    const [studio, attic] = (await farmOf('studio', 'attic')) as [Machine, Machine];
    await studio.farm.openDoor(60_000);
    assert.match((await attic.farm.closeDoor()).message, /another member opened stays open/);
    assert.match(attic.farm.door().message, /is closed on this machine/);
    assert.ok(studio.farm.openLeftMs() > 0, 'as it says');
  });
});

describe('newcomers (R67, R69)', () => {
  test('one that starts late joins through the open door by itself', async () => {
    house = new House();
    const studio = house.machine('studio');
    await studio.start();
    await house.pass(10 * 60_000, 1_000);
    const laptop = house.machine('laptop');
    await laptop.start();
    await house.pass(500);
    assert.equal(laptop.farmId, studio.farmId);
    assert.ok(house.isOne());
    assert.equal(laptop.farm.door().open, undefined, 'only the node that opened it is open');
    const member = studio.farm.door().members.find(({ name }) => name === 'laptop');
    assert.deepEqual([member?.admittedBy, member?.role, member?.reachable], ['studio', 'artist', true]);
  });

  test('at a closed door both sides show the same three words, and one click lets it in', async () => {
    const [studio, laptop] = await closedFarm();
    await house.until(() => laptop.farm.door().state === 'waiting', 10_000);
    const [newcomer] = studio.farm.door().newcomers;
    const [asked] = laptop.farm.door().asked;
    assert.match(newcomer?.words ?? '', /^[a-z]+ [a-z]+ [a-z]+$/);
    assert.equal(newcomer?.words, asked?.words);
    assert.deepEqual([newcomer?.name, asked?.machine, asked?.state], ['laptop', 'studio', 'waiting']);
    await house.pass(150);
    assert.equal(studio.views.at(-1)?.newcomers.length, 1, 'the click is there without asking');
    const words = newcomer?.words.toUpperCase().replaceAll(' ', '-') ?? '';
    await studio.farm.admit(words);
    await house.until(() => house.isOne(), 3_000);
    assert.deepEqual(studio.farm.door().newcomers, []);
    assert.equal(laptop.farm.door().state, 'member');
  });

  test('one that another member admitted is no newcomer any more at once', async () => {
    const [studio, attic] = (await farmOf('studio', 'attic')) as [Machine, Machine];
    for (const machine of [studio, attic]) await machine.farm.closeDoor();
    const laptop = house.machine('laptop');
    await laptop.start();
    await house.until(() => attic.farm.door().newcomers.length === 1, 10_000);
    await house.until(() => studio.farm.door().newcomers.length === 1, 10_000);
    await attic.farm.admit('laptop');
    await house.until(() => studio.members.length === 3, 3_000);
    assert.deepEqual(studio.farm.door().newcomers, []);
  });

  test('nothing lets it in but a person, however long it waits', async () => {
    const [studio, laptop] = await closedFarm();
    await house.pass(5 * 60_000, 1_000);
    assert.equal(laptop.farmId, undefined);
    assert.equal(studio.members.length, 1);
    assert.equal(studio.farm.door().newcomers.length, 1);
  });

  test('opening the door for a while lets it in', async () => {
    const [studio, laptop] = await closedFarm();
    await house.until(() => laptop.farm.door().state === 'waiting', 10_000);
    const { message } = await studio.farm.openDoor(600_000);
    assert.match(message, /open for 10 min/);
    await house.until(() => house.isOne(), 5_000);
    await house.pass(590_000, 1_000);
    assert.ok((studio.farm.door().open?.leftMs ?? 0) > 0);
    await house.pass(11_000, 1_000);
    assert.equal(studio.farm.door().open, undefined);
  });

  test('one that a person refuses stays out, and may found its own farm', async () => {
    const [studio, laptop] = await closedFarm();
    await house.until(() => laptop.farm.door().state === 'waiting', 10_000);
    await studio.farm.refuse('laptop');
    await house.pass(5_000);
    assert.deepEqual(studio.farm.door().newcomers, []);
    assert.equal(laptop.farm.door().asked[0]?.state, 'refused');
    assert.match(laptop.farm.door().message, /refused to let this machine in/);
    await laptop.farm.foundFarm();
    const door = laptop.farm.door();
    assert.deepEqual([door.state, door.members.length, door.open], ['member', 1, undefined]);
    await assert.rejects(laptop.farm.foundFarm(), code('door-refused'));
  });

  test('one that goes away leaves the door', async () => {
    const [studio, laptop] = await closedFarm();
    await house.until(() => studio.farm.door().newcomers.length === 1, 10_000);
    await laptop.stop();
    await house.pass(17_000);
    assert.deepEqual(studio.farm.door().newcomers, []);
  });

  test('a newcomer must be named where several wait', async () => {
    const [studio] = await closedFarm();
    await house.machine('tablet').start();
    await house.until(() => studio.farm.door().newcomers.length === 2, 10_000);
    await assert.rejects(studio.farm.admit(undefined), code('newcomer-ambiguous'));
    await assert.rejects(studio.farm.admit('able able able'), code('newcomer-not-found'));
    await studio.farm.admit('tablet');
    await studio.farm.admit(undefined);
    await assert.rejects(studio.farm.admit(undefined), code('door-empty'));
    await house.until(() => house.isOne(), 5_000);
  });

  test('a waiting newcomer that restarts asks again by itself', async () => {
    const [studio, laptop] = await closedFarm();
    await house.until(() => laptop.farm.door().state === 'waiting', 10_000);
    await laptop.stop();
    await laptop.start();
    await house.until(() => laptop.farm.door().state === 'waiting', 10_000);
    await studio.farm.admit('laptop');
    await house.until(() => house.isOne(), 5_000);
  });

  test('where announcements are blocked, an address is enough, also after restarts', async () => {
    house = new House();
    const studio = house.machine('studio');
    await studio.start();
    await house.pass(3_100);
    await studio.farm.closeDoor();
    house.network.multicast(false);
    const laptop = house.machine('laptop');
    await laptop.start();
    const [address = ''] = studio.farm.door().addresses;
    assert.match(address, /^127\.0\.0\.1:\d+$/);
    await assert.rejects(laptop.farm.joinAddress('not an address'), code('address-invalid'));
    await assert.rejects(laptop.farm.joinAddress('127.0.0.1:9'), code('lobby-unreachable'));
    assert.match((await laptop.farm.joinAddress(address)).message, /Asking studio/);
    await house.until(() => laptop.farm.door().state === 'waiting', 5_000);
    await laptop.stop();
    await laptop.start();
    await house.until(() => studio.farm.door().newcomers.length === 1, 20_000);
    await studio.farm.admit(undefined);
    await house.until(() => house.isOne() && laptop.parts.mesh.reachable().length === 1, 5_000);
    await house.pass(1_000);
    for (const machine of [studio, laptop]) await machine.stop();
    await studio.start();
    await laptop.start();
    await house.until(() => laptop.parts.mesh.reachable().includes(studio.peer), 10_000);
    assert.equal(laptop.farm.door().alone, undefined);
  });
});

test('members that joined by address learn from another where the rest is', async () => {
  house = new House();
  house.network.multicast(false);
  const machines = ['studio', 'laptop', 'tower'].map((name) => house.machine(name));
  for (const machine of machines) await machine.start();
  await house.pass(3_100);
  const [studio, ...others] = machines as [Machine, ...Machine[]];
  const [address = ''] = studio.farm.door().addresses;
  house.hidesAddresses = true;
  for (const machine of others) await machine.farm.joinAddress(address);
  await house.until(() => machines.every((machine) => machine.farmId === studio.farmId), 10_000);
  await house.pass(1_000);
  house.hidesAddresses = false;
  assert.deepEqual(others[0]?.parts.mesh.reachable(), [studio.peer]);
  await house.sync();
  await house.until(() => machines.every(({ parts }) => parts.mesh.reachable().length === 2), 20_000);
});

test('a machine that joined by address knows all addresses of the one that let it in, however many', async () => {
  house = new House(6);
  house.network.multicast(false);
  const [studio, laptop] = ['studio', 'laptop'].map((name) => house.machine(name)) as [Machine, Machine];
  for (const machine of [studio, laptop]) await machine.start();
  await house.pass(3_100);
  const { mesh } = studio.parts;
  const status = mesh.status();
  const meshAddresses = [2, 3, 4, 5, 6].map((index) => `/ip4/10.0.0.${index}/tcp/7701`);
  mesh.status = () => ({ ...status, meshAddresses: [...meshAddresses, ...status.meshAddresses] });
  await laptop.farm.joinAddress(studio.farm.door().addresses[0] ?? '');
  await house.until(() => house.isOne(), 10_000);
  const known = laptop.parts.mesh.knownAddresses(studio.peer);
  assert.deepEqual(
    meshAddresses.filter((address) => !known.includes(address)),
    [],
  );
});

describe('farms that merge (R66)', () => {
  /** Two farms that found each other: the one of the lower id, and the other. */
  async function twoFarms(prepare: (machines: Machine[]) => Promise<void>): Promise<[Machine, Machine]> {
    house = new House(3);
    house.network.multicast(false);
    const machines = [house.machine('attic'), house.machine('studio')];
    for (const machine of machines) await machine.start();
    await house.pass(3_500);
    await prepare(machines);
    house.network.multicast(true);
    await house.pass(12_000);
    machines.sort((a, b) => ((a.farmId ?? '') < (b.farmId ?? '') ? -1 : 1));
    return machines as [Machine, Machine];
  }
  const withJobs = async (machines: Machine[]): Promise<void> => {
    for (const [i, machine] of machines.entries()) await machine.merge([job(machine, i + 1)]);
  };
  const close = async (machines: Machine[]): Promise<void> => {
    for (const machine of machines) await machine.farm.closeDoor();
  };

  test('farms with jobs wait until a person wants it, and then the jobs of both are there', async () => {
    const [lower, higher] = await twoFarms(withJobs);
    await house.pass(60_000, 1_000);
    const into = lower.farmId;
    assert.notEqual(into, higher.farmId);
    const [found] = higher.farm.door().found;
    assert.deepEqual([found?.farm.id, found?.jobs, found?.open, found?.wantedHere], [into, 1, true, false]);
    await higher.farm.mergeFarm(undefined);
    await house.until(() => house.isOne(), 10_000);
    await house.sync();
    for (const machine of [lower, higher]) {
      assert.equal(machine.farmId, into);
      assert.deepEqual(machine.parts.core.jobIds(), ['jobjobjobjobjobb', 'jobjobjobjobjobc']);
    }
  });

  test('it is enough that a person of the farm that stays wants it, while the other is open', async () => {
    const [lower, higher] = await twoFarms(withJobs);
    const into = lower.farmId;
    await lower.farm.mergeFarm(undefined);
    await house.until(() => house.isOne(), 20_000);
    assert.equal(higher.farmId, into);
  });

  test('farms whose doors are closed need a person on each side', async () => {
    const [lower, higher] = await twoFarms(close);
    await house.pass(60_000, 1_000);
    assert.notEqual(lower.farmId, higher.farmId);
    await lower.farm.mergeFarm(undefined);
    await house.pass(20_000);
    assert.notEqual(lower.farmId, higher.farmId);
    assert.equal(higher.farm.door().found[0]?.wantedThere, true);
    await higher.farm.mergeFarm(undefined);
    await house.until(() => house.isOne(), 10_000);
  });

  test('a farm that asks at a closed door is shown with its words, and admitted with one click', async () => {
    const [lower, higher] = await twoFarms(close);
    await higher.farm.mergeFarm(lower.farm.door().farm?.name);
    await house.until(() => lower.farm.door().newcomers.length === 1, 10_000);
    const [newcomer] = lower.farm.door().newcomers;
    assert.equal(newcomer?.farm?.id, higher.farmId);
    assert.equal(newcomer?.words, higher.farm.door().asked[0]?.words);
    await lower.farm.admit(undefined);
    await house.until(() => house.isOne(), 10_000);
  });

  test('a farm of a hundred machines moves whole, in parts that fit the lobby (R68)', async () => {
    const [lower, higher] = await twoFarms(async (machines) => {
      await close(machines);
      const [crowded] = machines.toSorted((a, b) => ((a.farmId ?? '') > (b.farmId ?? '') ? -1 : 1));
      assert.ok(crowded);
      const farm = crowded.parts.core.farmRecord();
      assert.ok(farm);
      const { clock, random } = house;
      const crowd = Array.from({ length: 99 }, (_, i) =>
        ownRecord(identityOf(random.bytes(32)), `machine ${i} ${'x'.repeat(80)}`),
      );
      const signer = crowded.identity;
      await crowded.merge(crowd.map((record) => admit({ clock, signer }, farm, record)));
      assert.equal(crowded.members.length, 100);
    });
    await assert.rejects(higher.farm.mergeFarm('nowhere'), code('farm-not-found'));
    await lower.farm.mergeFarm(undefined);
    await higher.farm.mergeFarm(undefined);
    await house.until(() => house.isOne(), 20_000);
    assert.equal(lower.members.length, 101);
    await house.until(() => higher.parts.mesh.reachable().length === 1, 5_000);
    await house.sync();
    assert.deepEqual(higher.members, lower.members);
  });

  test('a farm of one joins the one that its person names, whichever id is lower', async () => {
    const [lower, higher] = await twoFarms(close);
    const into = higher.farmId;
    await lower.farm.joinAddress(higher.farm.door().addresses[0] ?? '');
    await house.until(() => higher.farm.door().newcomers.length === 1, 10_000);
    await higher.farm.admit(undefined);
    await house.until(() => house.isOne(), 10_000);
    assert.equal(lower.farmId, into);
  });

  test('members that were off when their farm dissolved follow when they are back', async () => {
    const [lower, higher] = await twoFarms(async ([, studio]) => {
      house.network.multicast(true);
      house.network.multicast(false);
      await withJobs([studio as Machine]);
    });
    assert.notEqual(lower.farmId, higher.farmId);
    const laptop = house.machine('laptop');
    await higher.farm.closeDoor();
    await lower.farm.closeDoor();
    await laptop.start();
    await house.until(() => higher.farm.door().newcomers.length === 1, 10_000);
    await higher.farm.admit('laptop');
    await house.until(() => laptop.farmId === higher.farmId, 5_000);
    await laptop.merge([job(laptop, 3)]);
    await laptop.stop();
    await lower.farm.mergeFarm(undefined);
    await higher.farm.mergeFarm(undefined);
    await house.until(() => house.isOne(), 20_000);
    await laptop.start();
    await house.until(() => house.isOne(), 20_000);
    await house.sync();
    assert.equal(house.machines.length, 3);
    assert.ok(lower.parts.core.jobIds().includes('jobjobjobjobjobd'));
  });
});
