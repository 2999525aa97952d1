import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Connection, Libp2p } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { compareText } from '@cuadro/protocol';
import { encodeFrame, FRAME } from '../../../node/src/mesh/frames.ts';
import { encodeHello } from '../../../node/src/mesh/hello.ts';
import { LOBBY_REQUESTS_BURST } from '../../../node/src/mesh/limits.ts';
import {
  bytesOf,
  bytesOfText,
  FARM,
  gather,
  introduce,
  membersOf,
  type Node,
  nodeOn,
  reaches,
  until,
} from './harness.ts';
import { LoopbackNetwork } from './libp2p-network.ts';

/** So that silence is noticed within a test's patience, and a busy machine's hiccups are not taken for it. */
const IMPATIENT = { beatMs: 200, silenceMs: 1_500, helloMs: 1_500 };
/** Where a machine is to be given up that never answers. */
const GIVES_UP = { connectMs: 500, upgradeMs: 500 };

describe('the mesh on libp2p under faults', () => {
  let network: LoopbackNetwork;
  let guest: Libp2p | undefined;
  beforeEach(() => {
    network = new LoopbackNetwork(IMPATIENT);
  });
  afterEach(async () => {
    await guest?.stop();
    guest = undefined;
    await network.stop();
  });

  /** A member's key in the hands of other software, with the library's own noise; connected to `node`. */
  const connectAs = async (member: Node, node: Node): Promise<Connection> => {
    guest = await createLibp2p({
      privateKey: await generateKeyPairFromSeed('Ed25519', member.init.privateKey),
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionMonitor: { enabled: false },
    });
    return guest.dial(multiaddr(node.mesh.status().meshAddresses[0] ?? ''));
  };
  const refusedAt = (node: Node, reason: string): number => node.mesh.status().refused[reason]?.count ?? 0;
  const alone = async (): Promise<[Node, Node]> => {
    const [node, absent] = [nodeOn(network), nodeOn(network)];
    node.mesh.setMembership({ farm: FARM, members: membersOf(node, absent) });
    await node.mesh.start();
    return [node, absent];
  };

  it('loses a member that falls silent, on both sides, and finds another way to it', async () => {
    await network.stop();
    network = new LoopbackNetwork(IMPATIENT, { cuttable: true });
    const [a, b] = [nodeOn(network), nodeOn(network)];
    await gather(network, a, b);
    for (const { mesh } of [a, b]) (await network.proxyOf(mesh)).freeze();
    await until('both lost and found each other', () => [a, b].every(({ told }) => told.states.length >= 3));
    assert.deepEqual(a.statesOf(b.peer), ['reachable', 'lost', 'reachable']);
    assert.deepEqual(b.statesOf(a.peer), ['reachable', 'lost', 'reachable']);
  });

  it('does not take its own standing still for the silence of others', async () => {
    const [a, b] = [nodeOn(network), nodeOn(network)];
    await gather(network, a, b);
    // Nothing in this process runs meanwhile, as while a machine sleeps.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * IMPATIENT.silenceMs);
    let echoes = 0;
    b.mesh.subscribe({ message: (from, bytes) => b.mesh.send(from, bytes) });
    a.mesh.subscribe({ message: () => (echoes += 1) });
    for (let round = 1; round <= 3; round += 1) {
      a.mesh.send(b.peer, Uint8Array.of(round));
      await until('an echo comes', () => echoes === round);
    }
    assert.deepEqual(
      [...a.told.states, ...b.told.states].map(({ state }) => state),
      ['reachable', 'reachable'],
    );
  });

  it('tells a machine that answers nothing from one on which nobody listens', async () => {
    network = new LoopbackNetwork(GIVES_UP);
    const [a, absent] = await alone();
    const mute = createServer();
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const port = (mute.address() as AddressInfo).port;
    a.mesh.addAddresses(absent.peer, [`/ip4/127.0.0.1/tcp/${port}`]);
    await until('it is silent', () => a.statesOf(absent.peer).length > 0);
    mute.close();
    await until('it is refused', () => a.statesOf(absent.peer).length > 1);
    assert.deepEqual(a.statesOf(absent.peer), ['silent', 'refused']);
  });

  it('does not stay with somebody else at a member’s address', async () => {
    const [a, b] = [nodeOn(network), nodeOn(network)];
    await gather(network, a, b);
    const absent = nodeOn(network);
    a.mesh.setMembership({ farm: FARM, members: membersOf(a, b, absent) });
    a.mesh.addAddresses(absent.peer, b.mesh.status().meshAddresses);
    await until('the address is dropped', () => a.mesh.knownAddresses(absent.peer).length === 0);
    assert.deepEqual(a.mesh.reachable(), [b.peer]);
  });

  it('bears garbage on its ports', async () => {
    const [a, b] = [nodeOn(network), nodeOn(network)];
    await gather(network, a, b);
    const { meshAddresses, lobbyAddresses } = a.mesh.status();
    for (const address of [...meshAddresses, ...lobbyAddresses]) {
      for (const bytes of [bytesOf(100_000), Buffer.from('GET / HTTP/1.1\r\n\r\n'), new Uint8Array(5_000)]) {
        const socket = connect(Number(address.split('/').at(-1)), '127.0.0.1');
        socket.on('error', () => undefined);
        socket.end(bytes);
        await new Promise((closed) => socket.on('close', closed));
      }
    }
    a.mesh.send(b.peer, Uint8Array.of(1));
    await until('members are not disturbed', () => b.told.messages.length === 1);
    assert.deepEqual(a.statesOf(b.peer), ['reachable']);
  });

  it('closes the connection of a member that says no hello', async () => {
    const [a, absent] = await alone();
    const connection = await connectAs(absent, a);
    await until('it is closed', () => connection.status !== 'open');
    assert.deepEqual(a.told.states, []);
  });

  it('counts and closes on a first frame that is no hello, and on one beyond its bound', async () => {
    const [a, absent] = await alone();
    const protocol = `/cuadro/1/${FARM}/messages`;
    for (const bytes of [
      encodeFrame(FRAME.hello, bytesOf(50)),
      encodeFrame(FRAME.message, bytesOf(50)),
      Buffer.from([0x7f, 0xff, 0xff, 0xff, 1]),
    ]) {
      const connection = await connectAs(absent, a);
      (await connection.newStream(protocol)).send(bytes);
      await until('it is closed', () => connection.status !== 'open');
      await guest?.stop();
    }
    assert.equal(refusedAt(a, 'hello-invalid'), 2);
    assert.equal(refusedAt(a, 'frame-invalid'), 1);
    assert.deepEqual(a.told.states, []);
  });

  it('R100, R102: takes a member’s hello from other software, and cuts it when a frame exceeds its bound', async () => {
    const [a, absent] = await alone();
    const connection = await connectAs(absent, a);
    const stream = await connection.newStream(`/cuadro/1/${FARM}/messages`);
    stream.send(encodeFrame(FRAME.hello, encodeHello({ farm: FARM, addresses: ['nonsense'], port: 1 })));
    await until('it is reachable', () => reaches(a.mesh, absent.peer));
    // Frames of noise around the size at which another implementation takes over.
    for (const size of [1_190, 1_200, 1_210, 65_600]) stream.send(encodeFrame(FRAME.message, bytesOf(size)));
    stream.send(encodeFrame(200, bytesOf(3)));
    await until('its messages arrive', () => a.told.messages.length === 4);
    for (const { bytes } of a.told.messages) assert.ok(Buffer.from(bytes).equals(bytesOf(bytes.length)));
    await until('the unknown kind is counted', () => refusedAt(a, 'frame-unknown') === 1);
    assert.equal(reaches(a.mesh, absent.peer), true, 'kinds of newer versions are passed over');
    stream.send(Buffer.from([0x10, 0, 0, 0, FRAME.message]));
    await until('it is cut', () => !reaches(a.mesh, absent.peer));
    assert.equal(refusedAt(a, 'frame-invalid'), 1);
    assert.equal(a.mesh.status().refused['frame-invalid']?.peer, absent.peer);
  });

  it('does not dial a member that comes anew before it was missed', async () => {
    const nodes = [nodeOn(network), nodeOn(network)].sort((a, b) => compareText(a.peer, b.peer));
    const [absent, a] = nodes as [Node, Node];
    a.mesh.setMembership({ farm: FARM, members: membersOf(a, absent) });
    await a.mesh.start();
    let dials = 0;
    const there = createServer((socket) => {
      dials += 1;
      socket.destroy();
    });
    there.listen(0, '127.0.0.1');
    await once(there, 'listening');
    there.unref();
    const { port } = there.address() as AddressInfo;
    let frames = 0;
    const greet = async (connection: Connection): Promise<void> => {
      const stream = await connection.newStream(`/cuadro/1/${FARM}/messages`);
      stream.addEventListener('message', () => (frames += 1));
      stream.send(encodeFrame(FRAME.hello, encodeHello({ farm: FARM, addresses: [], port })));
    };
    const first = await connectAs(absent, a);
    await greet(first);
    await until('it is reachable', () => reaches(a.mesh, absent.peer) && frames > 0);
    assert.deepEqual(a.mesh.knownAddresses(absent.peer), [`/ip4/127.0.0.1/tcp/${port}`]);
    frames = 0;
    await greet((await guest?.dial(first.remoteAddr, { force: true })) as Connection);
    await until('a hello and a beat come by the new one', () => frames >= 2);
    assert.deepEqual(a.statesOf(absent.peer), ['reachable', 'lost', 'reachable']);
    assert.equal(dials, 0);
    await guest?.stop();
    await until('it is dialled once it is lost', () => dials > 0);
    there.close();
  });

  it('pauses before it dials a member again whose sessions end as soon as they stand', async () => {
    network = new LoopbackNetwork({ pauseMs: 200, pauseMaxMs: 2_000 });
    const [a, absent] = await alone();
    guest = await createLibp2p({
      privateKey: await generateKeyPairFromSeed('Ed25519', absent.init.privateKey),
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      ...{ transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux()] },
      connectionMonitor: { enabled: false },
      connectionManager: { inboundConnectionThreshold: 1_000 },
    });
    const hello = encodeFrame(FRAME.hello, encodeHello({ farm: FARM, addresses: [], port: 1 }));
    await guest.handle(`/cuadro/1/${FARM}/messages`, (stream) => {
      stream.send(hello);
      void stream.close();
    });
    const addresses = guest.getMultiaddrs().map((address) => address.toString());
    const began = performance.now();
    a.mesh.addAddresses(absent.peer, addresses);
    const lost = (): number => a.statesOf(absent.peer).filter((state) => state === 'lost').length;
    await until('it was lost seven times', () => lost() === 7);
    // Pauses of half at least of 200, 400 and 800 ms.
    assert.ok(performance.now() - began >= 700);
  });

  it('serves no stream before the hello', async () => {
    const [a, absent] = await alone();
    let served = 0;
    a.mesh.serve('blobs', async () => void (served += 1));
    await a.mesh.stop();
    await a.mesh.start();
    const connection = await connectAs(absent, a);
    const stream = await connection.newStream(`/cuadro/1/${FARM}/blobs`);
    await until('it is refused', () => stream.status !== 'open');
    assert.equal(refusedAt(a, 'stream-before-hello'), 1);
    assert.equal(served, 0);
  });

  it('lets no stranger stay on the mesh host', async () => {
    const [a] = await alone();
    const stranger = nodeOn(network);
    const connection = await connectAs(stranger, a).catch(() => undefined);
    await until('it is closed', () => connection === undefined || connection.status !== 'open');
    assert.deepEqual(a.mesh.reachable(), []);
  });

  it('answers one address in the lobby only so often', async () => {
    const [host, asker] = [nodeOn(network), nodeOn(network)];
    host.mesh.serveLobby(async () => bytesOfText('yes'));
    for (const { mesh } of [host, asker]) await mesh.start();
    const { lobbyAddresses } = host.mesh.status();
    const outcomes: string[] = [];
    for (let round = 0; round < 4 * LOBBY_REQUESTS_BURST; round += 1) {
      outcomes.push(
        await asker.mesh.askLobby(lobbyAddresses, bytesOfText('?')).then(
          () => 'answered',
          (error: { code: string }) => error.code,
        ),
      );
    }
    assert.equal(outcomes[0], 'answered');
    const refused = outcomes.filter((outcome) => outcome !== 'answered');
    assert.ok(refused.length > 0, 'some are refused');
    for (const outcome of refused) assert.match(outcome, /^(protocol-refused|peer-unreachable)$/);
  });

  it('gives a stream up on which nothing moves', async () => {
    await network.stop();
    network = new LoopbackNetwork({ stallMs: 300 });
    const [a, b] = [nodeOn(network), nodeOn(network)];
    b.mesh.serve('blobs', () => new Promise(() => undefined));
    await gather(network, a, b);
    const stream = await a.mesh.open(b.peer, 'blobs');
    await assert.rejects(stream.write(bytesOf(16 * 2 ** 20)), { code: 'stream-stalled' });
    const other = await a.mesh.open(b.peer, 'blobs');
    await assert.rejects(other.chunks[Symbol.asyncIterator]().next(), { code: 'stream-stalled' });
    assert.deepEqual(a.statesOf(b.peer), ['reachable']);
  });

  it('gives up what waits when it stops', async () => {
    const [a, b] = [nodeOn(network), nodeOn(network)];
    b.mesh.serve('blobs', () => new Promise(() => undefined));
    await gather(network, a, b);
    const stream = await a.mesh.open(b.peer, 'blobs');
    const reading = assert.rejects(stream.chunks[Symbol.asyncIterator]().next(), { code: 'stream-cut' });
    await a.mesh.stop();
    await reading;
    await assert.rejects(a.mesh.open(b.peer, 'blobs'), { code: 'mesh-stopped' });
  });

  it('moves from a port that is taken, and has it after a new start once it is free', async () => {
    const [taken] = await alone();
    const port = Number(taken.mesh.status().lobbyAddresses[0]?.split('/').at(-1));
    const own = `/ip4/127.0.0.1/tcp/${port}`;
    const second = nodeOn(network, { lobbyPort: port });
    await second.mesh.start();
    const [moved] = second.mesh.status().lobbyAddresses;
    assert.ok(moved !== undefined && moved !== own, moved);
    await introduce(network, second);
    await taken.mesh.stop();
    await second.mesh.stop();
    await second.mesh.start();
    assert.equal(second.mesh.status().lobbyAddresses[0], own);
  });

  it('says why where it can listen nowhere, and can be started again', async () => {
    const nowhere = nodeOn(network, { listen: ['203.0.113.1'] });
    await assert.rejects(nowhere.mesh.start(), /listen/i);
    await assert.rejects(nowhere.mesh.start(), /listen/i);
    assert.deepEqual(nowhere.mesh.status().lobbyAddresses, []);
  });
});
