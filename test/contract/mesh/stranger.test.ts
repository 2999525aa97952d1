import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import type { PeerId } from '@cuadro/protocol';
import { STREAM_PROTOCOLS } from '../../../node/src/mesh/interface.ts';
import {
  LOBBY_CONNECTIONS_PER_ADDRESS,
  MESH_CONNECTIONS_PENDING_PER_ADDRESS,
} from '../../../node/src/mesh/limits.ts';
import { farmProtocols, farmTopics, LOBBY_PROTOCOL, lobbyProtocols } from '../../../node/src/mesh/names.ts';
import { temporaryIdentity } from '../../../node/src/system/identity.ts';
import { answeredInTheEnd, answeredOf, connectTo, type Guest, guestOf } from './guest.ts';
import {
  allReachable,
  bytesOfText,
  FARM,
  gather,
  introduce,
  membersOf,
  type Node,
  nodeOn,
  OTHER_FARM,
  textOf,
  until,
} from './harness.ts';
import { LoopbackNetwork } from './libp2p-network.ts';
import { Proxy } from './proxy.ts';

const FLOOD = 300;

/**
 * What somebody reaches who knows everything of a farm but has no member's key: every address and name, with libp2p's
 * own software. In each test a member's key in the same hands is the control, without which silence would say nothing.
 */
describe('a stranger who knows every name', () => {
  let network: LoopbackNetwork;
  const guests: Guest[] = [];
  beforeEach(() => {
    network = new LoopbackNetwork();
  });
  afterEach(async () => {
    for (const guest of guests.splice(0)) await guest.stop();
    await network.stop();
  });

  const guestWith = async (seed: Uint8Array): Promise<Guest> => {
    const guest = await guestOf(seed, FARM);
    guests.push(guest);
    return guest;
  };
  const serving = (): Node => {
    const node = nodeOn(network);
    for (const protocol of STREAM_PROTOCOLS) node.mesh.serve(protocol, async () => undefined);
    node.mesh.serveLobby(async () => bytesOfText('who'));
    return node;
  };
  const meshOf = (node: Node): string => node.mesh.status().meshAddresses[0] ?? '';
  const lobbyOf = (node: Node): string => node.mesh.status().lobbyAddresses[0] ?? '';

  /** Two members, and the keys of those who are none: never, not any more, of another farm. */
  const farmAndOutsiders = async () => {
    const [a, b, removed, elsewhere] = [serving(), serving(), serving(), serving()];
    await gather(network, a, b, removed);
    for (const { mesh } of [a, b]) mesh.setMembership({ farm: FARM, members: membersOf(a, b) });
    await removed.mesh.stop();
    elsewhere.mesh.setMembership({ farm: OTHER_FARM, members: membersOf(elsewhere) });
    await elsewhere.mesh.start();
    const seeds = [temporaryIdentity().privateKey(), removed.init.privateKey, elsewhere.init.privateKey];
    return { a, b, outsiders: await Promise.all(seeds.map(guestWith)) };
  };
  /** A member whose key is in the hands of other software: its own node is off. */
  const memberGuest = async (...nodes: Node[]): Promise<Guest> => {
    const absent = nodeOn(network);
    for (const { mesh } of nodes) mesh.setMembership({ farm: FARM, members: membersOf(...nodes, absent) });
    return guestWith(absent.init.privateKey);
  };

  it('R100: is told of by one table: a host answers to its names and to no others', async () => {
    const [a, b] = [serving(), serving()];
    await gather(network, a, b);
    for (const { mesh } of [a, b]) {
      const { members, topics, strangers } = mesh.status().answersTo;
      assert.deepEqual([...members].sort(), [...farmProtocols(FARM)].sort());
      assert.deepEqual([...topics].sort(), [...farmTopics(FARM)].sort());
      assert.deepEqual(strangers, lobbyProtocols);
    }
  });

  it('R63, R100, R101: gets not one byte of an answer at the mesh, whatever it asks for', async () => {
    const { a, b, outsiders } = await farmAndOutsiders();
    const names = [
      ...new Set([...farmProtocols(FARM), ...farmProtocols(OTHER_FARM), LOBBY_PROTOCOL, '/ipfs/id/1.0.0']),
    ];
    const proxy = await Proxy.to(Number(meshOf(a).split('/').at(-1)));
    try {
      for (const guest of outsiders) {
        // What proving the keys costs, which comes before anybody knows who it is.
        const before = proxy.answeredBytes;
        (await connectTo(guest, proxy.address)).abort(new Error('Known.'));
        const handshake = proxy.answeredBytes - before;
        assert.ok(handshake > 0 && handshake < 500, `${handshake} bytes to prove the key`);
        assert.deepEqual(await answeredOf(guest, proxy.address, names), []);
        const handshakes = (proxy.answeredBytes - before) / handshake;
        assert.ok(Number.isInteger(handshakes) && handshakes > names.length, `${handshakes} handshakes`);
      }
      const member = await memberGuest(a, b);
      assert.deepEqual(
        await answeredInTheEnd(member, proxy.address, farmProtocols(FARM)),
        [...farmProtocols(FARM)].sort(),
        'a member’s key is answered at every name of the farm',
      );
      const others = names.filter((name) => !farmProtocols(FARM).includes(name));
      assert.deepEqual(await answeredOf(member, proxy.address, others), []);
    } finally {
      await proxy.stop();
    }
    assert.deepEqual(a.statesOf(b.peer), ['reachable'], 'members are not disturbed');
  });

  it('R68, R100: is answered at the lobby’s host to the lobby’s name, and to none of the farm’s', async () => {
    const { a, outsiders } = await farmAndOutsiders();
    const names = [...farmProtocols(FARM), LOBBY_PROTOCOL, '/ipfs/id/1.0.0', '/ipfs/ping/1.0.0'];
    for (const guest of outsiders)
      assert.deepEqual(await answeredOf(guest, lobbyOf(a), names), [LOBBY_PROTOCOL]);
  });

  it('R100: is not heard in gossip, neither directly nor through a member, and hears none', async () => {
    const { a, b, outsiders } = await farmAndOutsiders();
    const listen = (guest: Guest): string[] => {
      const heard: string[] = [];
      guest.services.gossip.addEventListener('message', ({ detail }) => heard.push(textOf(detail.data)));
      for (const topic of farmTopics(FARM)) guest.services.gossip.subscribe(topic);
      return heard;
    };
    const say = async (guest: Guest, text: string): Promise<void> => {
      for (const topic of farmTopics(FARM)) await guest.services.gossip.publish(topic, bytesOfText(text));
    };
    const saidBy = (node: Node, peer: PeerId): number =>
      node.told.gossip.filter(({ from }) => from === peer).length;
    const heardOutside = outsiders.map(listen);
    for (const guest of outsiders) {
      await connectTo(guest, meshOf(a));
      await say(guest, 'from outside');
    }
    b.mesh.gossip('claims', bytesOfText('from inside'));
    await until('members hear each other', () => saidBy(a, b.peer) === 1);
    assert.deepEqual(heardOutside, [[], [], []]);
    assert.equal(a.mesh.status().refused['gossip-not-of-a-member'], undefined, 'nothing came so far');

    const member = await memberGuest(a, b);
    const heardByMember = listen(member);
    await connectTo(member, meshOf(a));
    // The strangers are connected with the member, whose software passes on what they sign.
    const [way] = member.getMultiaddrs();
    for (const guest of outsiders) await guest.dial(way as NonNullable<typeof way>);
    await until('the strangers know that the member subscribes', () =>
      outsiders.every(({ services }) =>
        farmTopics(FARM).every((topic) => services.gossip.getSubscribers(topic).length > 0),
      ),
    );
    const count = farmTopics(FARM).length * outsiders.length;
    for (const guest of outsiders) await say(guest, 'passed on');
    await until('the member’s software has taken all of it', () => heardByMember.length >= count);
    await until('all of it is refused at the door', () => {
      const refused = a.mesh.status().refused['gossip-not-of-a-member'];
      return (refused?.count ?? 0) >= count;
    });
    await say(member, 'from a member');
    await until('the member itself is heard', () => saidBy(a, member.peerId.toString()) === 3);
    for (const { peerId } of outsiders)
      for (const node of [a, b]) assert.equal(saidBy(node, peerId.toString()), 0);
  });

  it('R100: reads no provider record', async () => {
    const [a, b] = [serving(), serving()];
    await gather(network, a, b);
    const hash = 'ab'.repeat(32);
    const cid = CID.createV1(0x55, createDigest(0x12, Buffer.from(hash, 'hex')));
    const found = async (guest: Guest): Promise<string[]> => {
      const peers: string[] = [];
      const options = { signal: AbortSignal.timeout(5_000) };
      for await (const event of guest.services.providers.findProviders(cid, options))
        if (event.name === 'PEER_RESPONSE') peers.push(...event.providers.map(({ id }) => id.toString()));
      return peers;
    };
    await b.mesh.provide(hash);
    const member = await memberGuest(a, b);
    const stranger = await guestWith(temporaryIdentity().privateKey());
    for (const guest of [member, stranger]) await connectTo(guest, meshOf(a));
    let read: string[] = [];
    for (let round = 0; read.length === 0 && round < 50; round += 1) {
      await b.mesh.provide(hash);
      read = await found(member);
    }
    assert.ok(read.includes(b.peer), 'a member’s key reads it');
    assert.deepEqual(await found(stranger), []);
  });

  describe('whose machine opens connections without an end', { skip: process.platform !== 'linux' }, () => {
    const sockets: Socket[] = [];
    afterEach(() => {
      for (const socket of sockets.splice(0)) socket.destroy();
    });
    /**
     * From an address of its own (each of 127.0.0.0/8 is this machine, on Linux). Many times its places, and fewer than
     * the system's queue of connections to be accepted holds: what overflows that seems open and is not.
     */
    const flood = async (address: string): Promise<void> => {
      const port = Number(address.split('/').at(-1));
      for (let index = 0; index < FLOOD; index += 1)
        sockets.push(
          connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }).on('error', () => undefined),
        );
      await until('all have been taken or turned away', () => sockets.every(({ connecting }) => !connecting));
    };
    const held = (): number => sockets.filter(({ destroyed }) => !destroyed).length;
    /** What was taken stays until the end of the test, so that nothing is let in by chance in between. */
    const patient = (): void => {
      network = new LoopbackNetwork({ upgradeMs: 60_000, lobbyMs: 60_000 });
    };

    it('R109: keeps no member out of the mesh', async () => {
      patient();
      const [a, b] = [serving(), serving()];
      for (const { mesh } of [a, b]) mesh.setMembership({ farm: FARM, members: membersOf(a, b) });
      await a.mesh.start();
      await flood(meshOf(a));
      await until('it holds its own places', () => held() <= MESH_CONNECTIONS_PENDING_PER_ADDRESS);
      await b.mesh.start();
      b.mesh.addAddresses(a.peer, [meshOf(a)]);
      await allReachable(a, b);
      assert.ok(held() > 0, 'all the while it had connections');
    });

    it('R109: keeps no newcomer out of the lobby', async () => {
      patient();
      const [a, newcomer] = [serving(), serving()];
      for (const { mesh } of [a, newcomer]) await mesh.start();
      await flood(lobbyOf(a));
      await until('it holds its own places', () => held() <= LOBBY_CONNECTIONS_PER_ADDRESS);
      const { answer } = await newcomer.mesh.askLobby([lobbyOf(a)], bytesOfText('who are you'));
      assert.equal(textOf(answer), 'who');
      assert.ok(held() > 0, 'all the while it had connections');
    });
  });

  it('is let in at once when it becomes a member, so that nothing but its key kept it out', async () => {
    const [a, b] = [serving(), serving()];
    a.mesh.setMembership({ farm: FARM, members: membersOf(a) });
    b.mesh.setMembership({ farm: FARM, members: membersOf(a, b) });
    for (const { mesh } of [a, b]) await mesh.start();
    await introduce(network, a, b);
    const guest = await guestWith(b.init.privateKey);
    assert.deepEqual(await answeredOf(guest, meshOf(a), farmProtocols(FARM)), []);
    a.mesh.setMembership({ farm: FARM, members: membersOf(a, b) });
    await allReachable(a, b);
    assert.equal(
      (await answeredInTheEnd(guest, meshOf(a), farmProtocols(FARM))).length,
      farmProtocols(FARM).length,
    );
  });
});
