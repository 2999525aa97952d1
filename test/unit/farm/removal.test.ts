import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { signJobSpec, type JobRecord } from '@cuadro/protocol';
import { framesPlan, jobRecord } from '../core/farm.ts';
import { code, farmIn, House, type Machine } from './house.ts';

let house: House;
afterEach(() => house.stop());

/** A job that a machine submitted. */
function jobOf({ identity }: Machine, id: number): JobRecord {
  const record = jobRecord(framesPlan('1-2'), { id });
  const { author: _author, signature: _signature, ...spec } = record.spec;
  return { ...record, spec: signJobSpec(identity, spec) };
}

const stateAt = (machine: Machine, job: JobRecord) => machine.parts.core.job(job.id)?.state;

function farmOf(...names: string[]): Promise<Machine[]> {
  return farmIn(house, ...names);
}

describe('removal (R64, R107)', () => {
  for (const announced of [true, false]) {
    const how = announced ? '' : ', where nothing is announced';
    test(`a machine that was off when it was removed learns it at its next start${how}`, async () => {
      house = new House();
      const [studio, laptop] = (await farmOf('studio', 'laptop', 'tower')) as [Machine, Machine];
      // Where the others' lobbies are is noted as they are met.
      await house.pass(10_000);
      await laptop.stop();
      await studio.farm.removeMember('laptop', 'sold');
      house.network.multicast(announced);
      await laptop.start();
      assert.equal(laptop.farm.door().state, 'member', 'it knows nothing of it yet');
      await house.until(() => laptop.farm.door().state === 'removed', 60_000);
      const { message } = laptop.farm.door();
      assert.match(message, /was removed from .* by studio \(sold\)/);
      assert.match(message, /new data folder.*cuadro up --data FOLDER/);
      assert.deepEqual(laptop.parts.mesh.reachable(), []);
    });
  }

  test('a removed machine learns it, says so plainly, and is let in no more', async () => {
    house = new House();
    const [studio, laptop] = (await farmOf('studio', 'laptop', 'tower')) as [Machine, Machine];
    const { message } = await studio.farm.removeMember('laptop', 'lent to a friend');
    assert.match(message, /laptop is no member any more/);
    await house.until(() => laptop.farm.door().state === 'removed', 20_000);
    await house.sync();
    const door = laptop.farm.door();
    assert.match(door.message, /was removed from .* by studio \(lent to a friend\)/);
    const others = house.running().filter((machine) => machine !== laptop);
    assert.ok(others.every((machine) => !machine.members.includes(laptop.peer)));
    assert.deepEqual(
      studio.farm.door().removed.map(({ name, by, reason }) => [name, by, reason]),
      [['laptop', 'studio', 'lent to a friend']],
    );
    assert.deepEqual(laptop.parts.mesh.reachable(), []);
    await laptop.stop();
    await laptop.start();
    await studio.farm.openDoor(60_000);
    await house.pass(30_000);
    assert.equal(laptop.farm.door().state, 'removed');
    assert.equal(studio.members.length, 2);
    assert.deepEqual(studio.farm.door().newcomers, []);
  });

  test('R143: a removal names the jobs of its machine that are known; one that comes to light later is paused', async () => {
    house = new House();
    const [studio, laptop, tower] = (await farmOf('studio', 'laptop', 'tower')) as [
      Machine,
      Machine,
      Machine,
    ];
    const [known, later] = [jobOf(laptop, 1), jobOf(laptop, 2)];
    await laptop.merge([known]);
    await house.sync();
    await studio.stop();
    await laptop.merge([later]);
    await house.sync();
    assert.deepEqual([stateAt(tower, known), stateAt(tower, later)], ['queued', 'queued']);
    await tower.stop();
    await laptop.stop();
    await studio.start();
    await studio.farm.removeMember('laptop', 'sold');
    await tower.start();
    await house.until(() => tower.parts.mesh.reachable().includes(studio.peer), 60_000);
    await house.sync();
    for (const machine of [studio, tower])
      assert.deepEqual([stateAt(machine, known), stateAt(machine, later)], ['queued', 'paused']);
  });

  test('R129: a machine that was let in by one that is removed learns it, and is let in again', async () => {
    house = new House();
    const [studio, laptop, tower] = (await farmOf('studio', 'laptop', 'tower')) as [
      Machine,
      Machine,
      Machine,
    ];
    for (const machine of [studio, tower]) await machine.stop();
    await laptop.farm.openDoor(600_000);
    const visitor = house.machine('visitor');
    await visitor.start();
    await house.until(() => visitor.members.length === 4, 60_000);
    await laptop.stop();
    // It knows nothing of whom the laptop let in.
    await studio.start();
    await studio.farm.removeMember('laptop', 'sold');
    await house.until(() => visitor.farm.door().state === 'waiting', 120_000);
    assert.match(visitor.farm.door().message, /waits to be let into/);
    assert.ok(!studio.members.includes(visitor.peer));
    await studio.farm.admit('visitor');
    await house.until(() => visitor.farm.door().state === 'member', 60_000);
    await house.sync();
    assert.deepEqual(visitor.members, studio.members);
    assert.ok(studio.members.includes(visitor.peer) && !studio.members.includes(laptop.peer));
  });

  describe('R190: while the disk of a machine that comes to know of a removal hangs', () => {
    let studio: Machine;
    let laptop: Machine;
    let tower: Machine;
    let attic: Machine;
    beforeEach(async () => {
      house = new House();
      const machines = await farmOf('studio', 'laptop', 'tower', 'attic');
      [studio, laptop, tower, attic] = machines as [Machine, Machine, Machine, Machine];
      tower.hang();
    });
    afterEach(() => tower.goOn());

    /** The tower hears of a removal, and is the only one that can tell of it. */
    const hear = async (name: string): Promise<void> => {
      await studio.farm.removeMember(name, 'sold');
      const records = studio.parts.core.memberRecords();
      await studio.stop();
      merged = tower.merge(records);
    };
    let merged: Promise<void>;

    test('it ends its connections with the removed one at once, and with nobody else', async () => {
      const opened = await laptop.parts.mesh.open(tower.peer, 'blobs').catch((error: unknown) => error);
      assert.equal((opened as { code?: string }).code, 'protocol-refused', 'so far it is connected');
      await hear('laptop');
      await house.until(() => !tower.parts.mesh.reachable().includes(laptop.peer), 1_000);
      await house.pass(5_000);
      assert.deepEqual(tower.parts.mesh.reachable(), [attic.peer], 'nor is it let in anew');
      assert.ok(!laptop.parts.mesh.reachable().includes(tower.peer));
      tower.goOn();
      await merged;
      await house.pass(5_000);
      assert.deepEqual(tower.parts.mesh.reachable(), [attic.peer]);
    });

    test('R186: it tells the removed one in the lobby that it is removed once that is durable', async () => {
      await hear('laptop');
      await house.until(() => !laptop.parts.mesh.reachable().includes(tower.peer), 1_000);
      await house.pass(20_000);
      assert.equal(laptop.farm.door().state, 'member', 'it would be the only one to know');
      tower.goOn();
      await merged;
      await house.until(() => laptop.farm.door().state === 'removed', 60_000);
      assert.match(laptop.farm.door().message, /was removed from .* by studio \(sold\)/);
    });

    test('R186: one that was told nothing since that was never written comes back', async () => {
      await hear('laptop');
      await house.until(() => !laptop.parts.mesh.reachable().includes(tower.peer), 1_000);
      await house.pass(5_000);
      tower.kill();
      tower.goOn();
      await assert.rejects(merged);
      await tower.stop();
      await tower.start();
      await house.until(() => laptop.parts.mesh.reachable().includes(tower.peer), 60_000);
      assert.equal(laptop.farm.door().state, 'member');
      assert.ok(tower.members.includes(laptop.peer));
    });

    test('it lets nobody in before that is durable', async () => {
      const visitor = house.machine('visitor');
      await visitor.start();
      const others = [studio.peer, laptop.peer, attic.peer].sort();
      await house.until(() => visitor.parts.mesh.reachable().toSorted().join() === others.join(), 60_000);
      merged = tower.merge(studio.parts.core.memberRecords());
      await house.pass(5_000);
      assert.ok(!tower.parts.mesh.reachable().includes(visitor.peer));
      tower.goOn();
      await merged;
      await house.until(() => tower.parts.mesh.reachable().includes(visitor.peer), 60_000);
    });

    test('its own end waits for the disk', async () => {
      await hear('tower');
      await house.pass(5_000);
      assert.deepEqual(tower.parts.mesh.reachable().toSorted(), [attic.peer, laptop.peer].sort());
      tower.goOn();
      await merged;
      await house.until(() => tower.parts.mesh.reachable().length === 0, 20_000);
    });
  });

  test('nobody is removed by a name that several have', async () => {
    house = new House();
    const [studio, tower] = (await farmOf('studio', 'tower', 'tower')) as [Machine, Machine];
    await assert.rejects(studio.farm.removeMember('tower', ''), code('node-ambiguous'));
    assert.match((await studio.farm.removeMember(tower.peer, '')).message, /^tower is no member/);
  });

  test('nobody removes itself or a stranger', async () => {
    house = new House();
    const [studio] = (await farmOf('studio', 'laptop')) as [Machine];
    await assert.rejects(studio.farm.removeMember('studio', ''), code('door-refused'));
    await assert.rejects(studio.farm.removeMember('nobody', ''), code('node-not-found'));
  });

  for (const answers of [true, false]) {
    const how = answers ? '' : ', also where it lives to hear no answer but in the lobby';
    test(`R160: a machine that leaves is gone everywhere, and says so itself${how}`, async () => {
      house = new House();
      const [studio, laptop, tower] = (await farmOf('studio', 'laptop', 'tower')) as [
        Machine,
        Machine,
        Machine,
      ];
      await house.pass(10_000);
      house.answersTelling = answers;
      const left = await laptop.farm.leave('sold', { mayBeSilent: false });
      assert.equal(left, answers);
      await house.until(() => laptop.farm.door().state === 'removed', 60_000);
      await house.sync();
      for (const machine of [studio, tower]) {
        assert.ok(!machine.members.includes(laptop.peer));
        assert.deepEqual(
          machine.farm.door().removed.map(({ name, by, reason }) => [name, by, reason]),
          [['laptop', 'laptop', 'sold']],
        );
      }
      assert.match(laptop.farm.door().message, /^This machine has left .*new data folder/);
    });
  }

  test('R160: what others have of a machine that was to stay too late is kept, and its jobs since then are paused', async () => {
    house = new House();
    const [studio, laptop, tower] = (await farmOf('studio', 'laptop', 'tower')) as [
      Machine,
      Machine,
      Machine,
    ];
    const [before, since] = [jobOf(laptop, 1), jobOf(laptop, 2)];
    await laptop.merge([before]);
    await house.sync();
    // One has taken its last word in and the answer got lost: so for all that it knows it stays, and it goes on.
    house.answersTelling = false;
    const isLeft = laptop.farm.leave('sold', { mayBeSilent: false });
    const isLateToo = laptop.merge([since]);
    assert.equal(await isLeft, false);
    await isLateToo;
    await tower.merge([since]);
    await house.until(() => laptop.farm.door().state === 'removed', 60_000);
    await house.sync();
    for (const machine of [studio, tower])
      assert.deepEqual([stateAt(machine, before), stateAt(machine, since)], ['queued', 'paused']);
    assert.match(studio.parts.core.job(since.id)?.reason ?? '', /once somebody resumes it/);
    assert.match(laptop.farm.door().message, /^This machine has left/);
  });

  test('R160: a machine that nobody hears stays, unless a person says that it may go unheard', async () => {
    house = new House();
    const [studio, laptop] = (await farmOf('studio', 'laptop')) as [Machine, Machine];
    await studio.stop();
    await house.until(() => laptop.parts.mesh.reachable().length === 0, 30_000);
    assert.equal(await laptop.farm.leave('', { mayBeSilent: false }), false);
    assert.equal(laptop.farm.door().state, 'member');
    const { message } = await laptop.farm.leaveNow();
    assert.match(message, /has left .*no other was there to hear.*cuadro door remove laptop --lose/);
    assert.equal(laptop.farm.door().state, 'removed');
    await assert.rejects(laptop.farm.leaveNow(), code('door-refused'));
  });

  test('records that come later can not bring it back', async () => {
    house = new House();
    const [studio, laptop, tower] = (await farmOf('studio', 'laptop', 'tower')) as [
      Machine,
      Machine,
      Machine,
    ];
    const before = studio.parts.core.memberRecords();
    await studio.farm.removeMember('laptop', '');
    await studio.merge(before);
    await tower.merge(studio.parts.core.memberRecords());
    assert.deepEqual(studio.members, tower.members);
    assert.ok(!tower.members.includes(laptop.peer));
  });
});
