import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  allReachable,
  FARM,
  gather,
  introduce,
  type MeshUnderTest,
  membersOf,
  type NetworkUnderTest,
  nodeOn,
  OTHER_FARM,
  reaches,
  until,
} from './harness.ts';

/** Who is connected with whom, and how it is told. */
export function membersContract(subject: MeshUnderTest): void {
  describe(`mesh contract, members: ${subject.name}`, () => {
    let network: NetworkUnderTest;
    beforeEach(() => {
      network = subject.network();
    });
    afterEach(() => network.stop());

    it('connects members, each told once', async () => {
      const nodes = [nodeOn(network), nodeOn(network), nodeOn(network)] as const;
      await gather(network, ...nodes);
      for (const { mesh, peer, statesOf } of nodes) {
        assert.equal(mesh.self, peer);
        for (const other of nodes)
          if (other.peer !== peer) assert.deepEqual(statesOf(other.peer), ['reachable']);
        assert.deepEqual(
          new Set(mesh.status().connected),
          new Set(nodes.map((node) => node.peer).filter((id) => id !== peer)),
        );
        assert.ok(mesh.knownAddresses(nodes.find((node) => node.peer !== peer)?.peer ?? '').length > 0);
      }
    });

    it('starts and stops as often as it is told', async () => {
      const [a, b] = [nodeOn(network), nodeOn(network)];
      await gather(network, a, b);
      await a.mesh.start();
      await a.mesh.stop();
      await a.mesh.stop();
      assert.deepEqual(a.mesh.reachable(), []);
      assert.deepEqual(a.statesOf(b.peer), ['reachable'], 'a stopped mesh tells nothing');
      await Promise.all([a.mesh.start(), a.mesh.stop()]);
      assert.deepEqual(a.mesh.status().lobbyAddresses, []);
      await a.mesh.start();
      await introduce(network, a, b);
      await allReachable(a, b);
    });

    it('R101: turns away whoever is no member, as the one called and as the caller', async () => {
      const [a, b, stranger] = [nodeOn(network), nodeOn(network), nodeOn(network)];
      await gather(network, a, b);
      stranger.mesh.setMembership({ farm: FARM, members: membersOf(a, b, stranger) });
      await stranger.mesh.start();
      await introduce(network, a, stranger);
      await until('the stranger is turned away', () => {
        const { refused } = stranger.mesh.status();
        return (refused['turned-away']?.count ?? 0) > 0;
      });
      assert.deepEqual(stranger.mesh.reachable(), []);
      assert.deepEqual(a.statesOf(stranger.peer), []);
      // Nothing but membership kept them apart.
      for (const { mesh } of [a, b]) mesh.setMembership({ farm: FARM, members: membersOf(a, b, stranger) });
      await introduce(network, b, stranger);
      await allReachable(a, b, stranger);
    });

    it('R101: does not connect members of different farms', async () => {
      const [a, b] = [nodeOn(network), nodeOn(network)];
      const members = membersOf(a, b);
      a.mesh.setMembership({ farm: FARM, members });
      b.mesh.setMembership({ farm: OTHER_FARM, members });
      await a.mesh.start();
      await b.mesh.start();
      await introduce(network, a, b);
      await until('both are turned away', () =>
        [a, b].some(({ mesh }) => mesh.status().refused['turned-away'] !== undefined),
      );
      assert.deepEqual([...a.told.states, ...b.told.states], []);
      b.mesh.setMembership({ farm: FARM, members });
      await until('the new farm has an address', () => b.mesh.status().meshAddresses.length > 0);
      await introduce(network, a, b);
      await allReachable(a, b);
    });

    it('parts from a member that is removed, and tells both', async () => {
      const [a, b, c] = [nodeOn(network), nodeOn(network), nodeOn(network)];
      await gather(network, a, b, c);
      for (const { mesh } of [a, c]) mesh.setMembership({ farm: FARM, members: membersOf(a, c) });
      await until('both are told', () => [a, b].every(({ told }) => told.states.at(-1)?.state === 'lost'));
      assert.deepEqual(a.statesOf(b.peer), ['reachable', 'lost']);
      assert.equal(reaches(a.mesh, b.peer) || reaches(b.mesh, a.peer), false);
      a.mesh.send(b.peer, Uint8Array.of(1));
      assert.equal(a.mesh.status().refused['message-to-unreachable']?.peer, b.peer);
      await until('the removed one is turned away', () => {
        const { refused } = b.mesh.status();
        return refused['turned-away'] !== undefined;
      });
      assert.ok(reaches(a.mesh, c.peer), 'the others stay connected');
      assert.deepEqual(b.told.messages, []);
    });

    it('lets go of everybody without a farm, and takes them back', async () => {
      const [a, b] = [nodeOn(network), nodeOn(network)];
      await gather(network, a, b);
      a.mesh.setMembership(undefined);
      await until('the other is told', () => b.statesOf(a.peer).at(1) === 'lost');
      assert.deepEqual(a.mesh.reachable(), []);
      a.mesh.setMembership({ farm: FARM, members: membersOf(a, b) });
      await allReachable(a, b);
      for (const [node, other] of [
        [a, b],
        [b, a],
      ] as const)
        assert.deepEqual(
          node.statesOf(other.peer).filter((state) => state !== 'refused'),
          ['reachable', 'lost', 'reachable'],
        );
    });

    it('tells that a connection was lost, and that nobody listens any more', async () => {
      const [a, b] = [nodeOn(network), nodeOn(network)];
      await gather(network, a, b);
      await b.mesh.stop();
      await until('it is told', () => a.statesOf(b.peer).length >= 3);
      assert.deepEqual(a.statesOf(b.peer), ['reachable', 'lost', 'refused']);
    });

    it('meets a member again that was started anew', async () => {
      const [a, b] = [nodeOn(network), nodeOn(network)];
      await gather(network, a, b);
      await b.mesh.stop();
      await until('it is gone', () => a.statesOf(b.peer).at(-1) === 'refused');
      const again = nodeOn(network, { privateKey: b.init.privateKey });
      again.mesh.setMembership({ farm: FARM, members: membersOf(a, b) });
      await again.mesh.start();
      await introduce(network, a, again);
      await allReachable(a, again);
      assert.deepEqual(a.statesOf(b.peer), ['reachable', 'lost', 'refused', 'reachable']);
    });

    it('is connected again at once after a reset', async () => {
      await network.stop();
      network = subject.network({ cuttable: true });
      // Several, since both dial at once, and either may be first.
      for (let round = 0; round < 5; round += 1) {
        const [a, b] = [nodeOn(network), nodeOn(network)];
        await gather(network, a, b);
        network.reset(a.mesh, b.mesh);
        await until('both lost and found each other', () =>
          [a, b].every(({ told }) => told.states.length >= 3),
        );
        a.mesh.send(b.peer, Uint8Array.of(1));
        b.mesh.send(a.peer, Uint8Array.of(2));
        // What is sent now arrives: neither holds a connection that the other has replaced.
        await until('messages arrive', () => [a, b].every(({ told }) => told.messages.length === 1));
        for (const [node, other] of [
          [a, b],
          [b, a],
        ] as const)
          assert.deepEqual(node.statesOf(other.peer), ['reachable', 'lost', 'reachable']);
        await a.mesh.stop();
        await b.mesh.stop();
      }
    });

    it('finds nodes on the local network, and connects members among them by itself', async () => {
      const serviceName = `cuadro-test-${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
      const options = { serviceName, interfaces: ['lo'] };
      const [a, b, newcomer] = [nodeOn(network, options), nodeOn(network, options), nodeOn(network, options)];
      const elsewhere = nodeOn(network, { ...options, serviceName: `${serviceName}-2` });
      for (const { mesh } of [a, b]) mesh.setMembership({ farm: FARM, members: membersOf(a, b) });
      for (const { mesh } of [a, b, newcomer, elsewhere]) await mesh.start();
      await allReachable(a, b);
      await until('the newcomer sees both', () =>
        [a, b].every(({ peer }) => newcomer.told.found.some((node) => node.peer === peer)),
      );
      const seen = newcomer.told.found.findLast((node) => node.peer === a.peer);
      assert.equal(seen?.farm, FARM);
      assert.deepEqual(seen?.lobby, a.mesh.status().lobbyAddresses);
      assert.deepEqual(seen?.mesh, a.mesh.status().meshAddresses);
      await until('and is seen', () => a.told.found.some((node) => node.peer === newcomer.peer));
      assert.equal(a.told.found.findLast((node) => node.peer === newcomer.peer)?.farm, undefined);
      newcomer.mesh.setMembership({ farm: OTHER_FARM, members: membersOf(newcomer) });
      await until(
        'a change is told',
        () => a.told.found.findLast((node) => node.peer === newcomer.peer)?.farm === OTHER_FARM,
      );
      for (const { told } of [a, b, newcomer])
        assert.equal(
          told.found.some((node) => node.peer === elsewhere.peer),
          false,
        );
      assert.deepEqual(elsewhere.told.found, []);
      assert.ok(a.mesh.status().interfaces.length > 0);
    });
  });
}
