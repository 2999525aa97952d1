import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { until } from '../e2e/support/wait.ts';
import { type Host, Lan, onHosts } from './support/hosts.ts';
import { peerOf, RemoteMesh } from './support/remote-mesh.ts';

const FARM = 'abcdefghijklmnop';
const NAMES = ['a', 'b', 'c'];

describe('meshes on local networks', () => {
  let lan: Lan;
  beforeEach(() => {
    lan = new Lan();
  });
  afterEach(() => lan.remove());

  const start = (host: Host, name: string): RemoteMesh =>
    new RemoteMesh(host, name, { farm: FARM, members: NAMES.map(peerOf), serviceName: 'cuadro-lan-test' });
  const allReach = (...meshes: RemoteMesh[]): Promise<true> =>
    until('all reach all', () =>
      meshes.every((mesh) => meshes.every((other) => other === mesh || mesh.reaches(other.peer))),
    );

  it('find each other on one network without a default route, and meet', onHosts, async () => {
    const hosts = NAMES.map((name) => lan.host({ name, networks: [1] }));
    const meshes = hosts.map((host, index) => start(host, NAMES[index] ?? ''));
    await allReach(...meshes);
    for (const [index, mesh] of meshes.entries()) {
      const { interfaces } = await mesh.status();
      assert.deepEqual(interfaces, [{ name: 'eth0', address: hosts[index]?.addressOn(1) }]);
      for (const [other, { peer }] of meshes.entries()) {
        if (other === index) continue;
        const found = await until('it is found', () => mesh.found(peer));
        assert.equal(found.farm, FARM);
        const host = hosts[other]?.addressOn(1) ?? '';
        assert.ok(found.mesh.length > 0 && found.lobby.length > 0);
        for (const address of [...found.mesh, ...found.lobby])
          assert.ok(address.startsWith(`/ip4/${host}/tcp/`), `${address} is on ${host}`);
      }
    }
  });

  it(
    'find each other on every interface, wherever the default route leads, and pass gossip between networks',
    onHosts,
    async () => {
      const a = start(lan.host({ name: 'a', networks: [1] }), 'a');
      const hostB = lan.host({ name: 'b', networks: [1, 2], defaultRoute: 2 });
      const b = start(hostB, 'b');
      const c = start(lan.host({ name: 'c', networks: [2] }), 'c');
      await allReach(a, b);
      await allReach(b, c);
      // One of two finding the other is enough to meet; the other finds it, too.
      for (const [mesh, network] of [
        [a, 1],
        [c, 2],
      ] as const) {
        const found = await until('the one in the middle is found', () => mesh.found(b.peer));
        assert.ok(found.mesh.length > 0);
        for (const address of found.mesh) assert.ok(address.includes(hostB.addressOn(network)), address);
      }
      // The two at the ends have no way to each other but through the one in the middle.
      let round = 0;
      await until('gossip goes round', () => {
        round += 1;
        a.do({ do: 'gossip', text: `round ${round}` });
        return c.heard('gossip', `round ${round - 1}`);
      });
      assert.ok(c.events.every((event) => event.kind !== 'gossip' || event.from === a.peer));
      assert.equal(a.found(c.peer), undefined);
      assert.deepEqual(
        a.statesOf(c.peer).filter((state) => state === 'reachable'),
        [],
      );
    },
  );

  it(
    'meet by an address where multicast is blocked, and find each other when it no longer is',
    onHosts,
    async () => {
      const hosts = ['a', 'b'].map((name) => lan.host({ name, networks: [1] }));
      for (const host of hosts) host.multicast('eth0', false);
      const [a, b] = hosts.map((host, index) => start(host, NAMES[index] ?? '')) as [RemoteMesh, RemoteMesh];
      const { meshAddresses } = await b.started();
      await a.started();
      a.do({ do: 'add', peer: b.peer, addresses: meshAddresses });
      await allReach(a, b);
      assert.equal(a.found(b.peer) ?? b.found(a.peer), undefined);
      for (const host of hosts) host.multicast('eth0', true);
      a.do({ do: 'search' });
      await until(
        'they find each other',
        () => a.found(b.peer) !== undefined && b.found(a.peer) !== undefined,
      );
    },
  );

  it('notice a pulled cable, and meet again when it is back', onHosts, async () => {
    const hosts = ['a', 'b'].map((name) => lan.host({ name, networks: [1] }));
    const [a, b] = hosts.map((host, index) => start(host, NAMES[index] ?? '')) as [RemoteMesh, RemoteMesh];
    await allReach(a, b);
    hosts[1]?.cable('eth0', false);
    await until('both call the other silent', () =>
      [a.statesOf(b.peer), b.statesOf(a.peer)].every((states) => states.at(-1) === 'silent'),
    );
    assert.deepEqual(a.statesOf(b.peer), ['reachable', 'lost', 'silent']);
    hosts[1]?.cable('eth0', true);
    await allReach(a, b);
    a.do({ do: 'send', to: b.peer, text: 'again' });
    await until('a message arrives', () => b.heard('message', 'again'));
  });

  it('tell a killed process from a silent one, and meet it again at its new port', onHosts, async () => {
    const hosts = ['a', 'b'].map((name) => lan.host({ name, networks: [1] }));
    const [a, b] = hosts.map((host, index) => start(host, NAMES[index] ?? '')) as [RemoteMesh, RemoteMesh];
    await allReach(a, b);
    b.kill();
    await until('it is refused', () => a.statesOf(b.peer).at(-1) === 'refused');
    assert.deepEqual(a.statesOf(b.peer), ['reachable', 'lost', 'refused']);
    const again = start(hosts[1] as Host, 'b');
    await allReach(a, again);
  });

  it(
    'find a machine whose interface came anew, under its old name and address, between two looks',
    onHosts,
    async () => {
      const hosts = ['a', 'b'].map((name) => lan.host({ name, networks: [1] }));
      const [a, b] = hosts.map((host, index) => start(host, NAMES[index] ?? '')) as [RemoteMesh, RemoteMesh];
      await allReach(a, b);
      hosts[1]?.renew(1);
      b.do({ do: 'search' });
      const c = start(lan.host({ name: 'c', networks: [1] }), 'c');
      await until('it is found by its new interface', () => c.found(b.peer) !== undefined);
      await allReach(a, b, c);
    },
  );

  it('find a laptop again that changed its network', onHosts, async () => {
    const a = start(lan.host({ name: 'a', networks: [1] }), 'a');
    const laptop = lan.host({ name: 'b', networks: [1] });
    const b = start(laptop, 'b');
    const c = start(lan.host({ name: 'c', networks: [2] }), 'c');
    await allReach(a, b);
    await c.started();
    laptop.unplug('eth0');
    lan.plug(laptop, 2);
    await allReach(b, c);
    await until('the old network lost it', () => !a.reaches(b.peer));
    const { interfaces } = await b.status();
    assert.deepEqual(interfaces, [{ name: 'eth1', address: laptop.addressOn(2) }]);
  });
});
