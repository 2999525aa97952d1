import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { until } from '../e2e/support/wait.ts';
import { Lan, onHosts } from './support/hosts.ts';
import { LanFarm, type LanNode } from './support/lan-farm.ts';

describe('nodes on a local network', () => {
  let lan: Lan;
  let farm: LanFarm;
  beforeEach(async () => {
    lan = new Lan();
    farm = await LanFarm.open();
  });
  afterEach(async () => {
    await farm.close();
    await lan.remove();
  });

  it(
    'are one farm when five start within a second: with two interfaces, with a route and without',
    onHosts,
    async () => {
      const hosts = [
        lan.host({ name: 'a', networks: [1] }),
        lan.host({ name: 'b', networks: [1, 2] }),
        lan.host({ name: 'c', networks: [1], defaultRoute: 1 }),
        lan.host({ name: 'd', networks: [1] }),
        lan.host({ name: 'e', networks: [1] }),
      ];
      const nodes = await Promise.all(hosts.map((host, i) => farm.add(host, 'abcde'.charAt(i))));
      await Promise.all(nodes.map((node) => node.start()));
      await farm.whole();
      await farm.led();
    },
  );

  it(
    'let one in after the window was closed, by one command at one of them, and both show the same three words',
    onHosts,
    async () => {
      const [first, second, late] = (await Promise.all(
        ['a', 'b', 'c'].map((name) => farm.add(lan.host({ name, networks: [1] }), name)),
      )) as [LanNode, LanNode, LanNode];
      await Promise.all([first.start(), second.start()]);
      const id = await farm.whole([first, second]);
      for (const node of [first, second]) await node.ask('door', 'close');
      await late.start();
      const commands = farm.commands;
      // A machine too busy to hear the others in time has founded a farm of its own: then one click merges the two.
      const seen = await until('the newcomer to show on a member', async () => {
        for (const member of [first, second]) {
          const { newcomers, found } = await member.door();
          const [newcomer] = newcomers;
          if (newcomer !== undefined) return { member, newcomer };
          if (found.some(({ machines }) => machines.includes('c'))) return { member, newcomer: undefined };
        }
        return undefined;
      });
      if (seen.newcomer === undefined) await seen.member.ask('door', 'merge');
      else {
        assert.equal(seen.newcomer.name, 'c');
        const asked = await until('the newcomer to show its words', async () => (await late.door()).asked[0]);
        assert.equal(asked.words, seen.newcomer.words);
        await seen.member.ask('door', 'admit', seen.newcomer.words);
      }
      assert.equal(await farm.whole(), id);
      assert.equal(farm.commands - commands, 1);
    },
  );

  it('are joined by address where multicast is blocked', onHosts, async () => {
    const hosts = ['a', 'b', 'c'].map((name) => lan.host({ name, networks: [1] }));
    const [first, second, deaf] = (await Promise.all(
      hosts.map((host, i) => farm.add(host, 'abc'.charAt(i))),
    )) as [LanNode, LanNode, LanNode];
    deaf.host.multicast('eth0', false);
    for (const host of [first.host, second.host]) host.multicast('eth0', true);
    await Promise.all([first.start(), second.start()]);
    const id = await farm.whole([first, second]);
    // It hears nobody, and what it says is not passed on to the others either.
    for (const host of [first.host, second.host]) host.multicast('eth0', false);
    await deaf.start();
    await until('it to be a farm of its own', async () => (await deaf.door()).farm !== undefined);
    // Only the one that founded has its door open; the other would ask a person first.
    const doors = await Promise.all([first.door(), second.door()]);
    const address = doors.find(({ open }) => open !== undefined)?.addresses[0];
    assert.ok(address !== undefined);
    await deaf.ask('join', address);
    assert.equal(await farm.whole(), id);
  });
});
