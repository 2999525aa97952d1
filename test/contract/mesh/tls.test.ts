import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { connect as connectTls, createSecureContext, type TLSSocket } from 'node:tls';
import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { ConnectionEncrypter, Libp2p, PrivateKey } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { encodeFrame, FRAME } from '../../../node/src/mesh/frames.ts';
import { encodeHello } from '../../../node/src/mesh/hello.ts';
import { TLS_PROTOCOL, tls } from '../../../node/src/mesh/tls.ts';
import { makeCertificate } from '../../../node/src/mesh/tls-certificate.ts';
import {
  bytesOf,
  bytesOfText,
  FARM,
  gather,
  membersOf,
  type Node,
  nodeOn,
  reaches,
  readAll,
  until,
} from './harness.ts';
import { LoopbackNetwork } from './libp2p-network.ts';

const NOISE = '/noise';
const BLOBS = `/cuadro/1/${FARM}/blobs`;
const MESSAGES = `/cuadro/1/${FARM}/messages`;
/** Multistream-select's words for TLS, from both sides the same. */
const ASKING = Buffer.from(`\x13/multistream/1.0.0\n\x0b${TLS_PROTOCOL}\n`, 'latin1');

type Encrypter = (components: { privateKey: PrivateKey }) => ConnectionEncrypter;

/** A key that says it is a machine's, and has another one's signature. */
const forged = (claimed: PrivateKey, own: PrivateKey): PrivateKey =>
  ({
    ...own,
    type: claimed.type,
    publicKey: claimed.publicKey,
    sign: (data) => own.sign(data),
  }) as PrivateKey;

describe('TLS of the mesh', () => {
  let network: LoopbackNetwork;
  const guests: Libp2p[] = [];
  const sockets: Socket[] = [];
  beforeEach(() => {
    network = new LoopbackNetwork();
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const guest of guests.splice(0)) await guest.stop();
    await network.stop();
  });

  const keyOf = ({ init }: Node): Promise<PrivateKey> => generateKeyPairFromSeed('Ed25519', init.privateKey);
  /** libp2p as it comes with a machine's key in its hands, and with these encryptions. */
  const guestAs = async (machine: Node, ...connectionEncrypters: Encrypter[]): Promise<Libp2p> => {
    const guest = await createLibp2p({
      privateKey: await keyOf(machine),
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcp()],
      connectionEncrypters,
      streamMuxers: [yamux()],
      connectionMonitor: { enabled: false },
    });
    guests.push(guest);
    return guest;
  };
  const noiseOf = noise() as unknown as Encrypter;
  const addressOf = (node: Node): string => node.mesh.status().meshAddresses[0] ?? '';
  const encryptionsAt = (node: Node): string[] => node.mesh.status().bulk.map(({ encryption }) => encryption);
  /** A running node, and a member of its farm that is off. */
  const alone = async (): Promise<[Node, Node]> => {
    const [node, absent] = [nodeOn(network), nodeOn(network)];
    node.mesh.setMembership({ farm: FARM, members: membersOf(node, absent) });
    node.mesh.serve('blobs', async (stream) => stream.write(bytesOfText('yes')));
    await node.mesh.start();
    return [node, absent];
  };
  /** Makes a guest with a member's key one that the node reaches, on noise. */
  const meet = async (guest: Libp2p, absent: Node, node: Node): Promise<void> => {
    const connection = await guest.dial(multiaddr(addressOf(node)));
    const stream = await connection.newStream(MESSAGES);
    const port = Number(guest.getMultiaddrs()[0]?.toString().split('/')[4]);
    stream.send(encodeFrame(FRAME.hello, encodeHello({ farm: FARM, addresses: [], port })));
    await until('it is reachable', () => reaches(node.mesh, absent.peer));
  };
  /** A socket to the node on which TLS has been asked for. */
  const asking = async (node: Node): Promise<Socket> => {
    const socket = connectSocket(Number(addressOf(node).split('/').at(-1)), '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(ASKING);
    return socket;
  };
  const isUndisturbed = async (node: Node, other: Node): Promise<void> => {
    const stream = await node.mesh.open(other.peer, 'blobs');
    assert.equal((await readAll(stream)).sizeBytes, 3);
    assert.deepEqual(node.statesOf(other.peer), ['reachable']);
  };

  it('R141: carries streams of their own, whole, both ways and by whoever opens them', async () => {
    const [a, b] = [nodeOn(network), nodeOn(network)];
    for (const { mesh } of [a, b])
      mesh.serve('blobs', async (stream) => {
        const { sizeBytes, sha256 } = await readAll(stream);
        await stream.write(bytesOfText(`${sizeBytes} ${sha256}`));
      });
    await gather(network, a, b);
    assert.deepEqual([encryptionsAt(a), encryptionsAt(b)], [[], []]);
    const sizes = [0, 1, 65_519, 5_000_000];
    const answers = async (from: Node, to: Node): Promise<string[]> =>
      Promise.all(
        sizes.map(async (size) => {
          const stream = await from.mesh.open(to.peer, 'blobs');
          await stream.write(bytesOf(size));
          await stream.end();
          const parts: Uint8Array[] = [];
          for await (const part of stream.chunks) parts.push(part);
          return Buffer.concat(parts).toString();
        }),
      );
    const [there, back] = [await answers(a, b), await answers(b, a)];
    assert.deepEqual(there, back);
    assert.deepEqual(
      there.map((answer) => Number(answer.split(' ')[0])),
      sizes,
    );
    for (const [node, other] of [
      [a, b],
      [b, a],
    ] as const)
      assert.deepEqual(node.mesh.status().bulk, [{ peer: other.peer, encryption: TLS_PROTOCOL }]);
    await b.mesh.stop();
    await until('it ends with the session', () => encryptionsAt(a).length === 0);
  });

  it('R141: content goes by noise to a member that has no TLS', async () => {
    const [node, absent] = await alone();
    const guest = await guestAs(absent, noiseOf);
    await guest.handle(BLOBS, (stream) => void stream.close());
    await meet(guest, absent, node);
    await readAll(await node.mesh.open(absent.peer, 'blobs'));
    assert.deepEqual(encryptionsAt(node), [NOISE]);
  });

  it('R140, R141: content goes by noise to a member whose certificate proves nothing', async () => {
    const [node, absent] = await alone();
    const own = await keyOf(nodeOn(network));
    const guest = await guestAs(absent, noiseOf, ({ privateKey }) =>
      tls()({ privateKey: forged(privateKey, own) }),
    );
    await guest.handle(BLOBS, (stream) => void stream.close());
    await meet(guest, absent, node);
    await readAll(await node.mesh.open(absent.peer, 'blobs'));
    assert.deepEqual(encryptionsAt(node), [NOISE]);
  });

  it('R140: a member’s key opens the door, and a stranger’s, a forged one and another than is asked for do not', async () => {
    const [node, absent] = await alone();
    const stranger = nodeOn(network);
    const strangersKey = await keyOf(stranger);
    const forgery: Encrypter = ({ privateKey }) => tls()({ privateKey: forged(privateKey, strangersKey) });
    const member = await guestAs(absent, tls());
    const connection = await member.dial(multiaddr(addressOf(node)));
    assert.equal(connection.encryption, TLS_PROTOCOL);
    assert.equal(connection.remotePeer.toString(), node.peer);
    (await connection.newStream(MESSAGES)).abort(new Error('It is answered.'));
    connection.abort(new Error('Seen.'));
    for (const guest of [await guestAs(stranger, tls()), await guestAs(absent, forgery)]) {
      // What the other side makes of a certificate is not known when the dialler's part is done.
      const outside = await guest.dial(multiaddr(addressOf(node))).catch(() => undefined);
      await assert.rejects(
        async () => outside?.newStream(MESSAGES) ?? Promise.reject(new Error('It is closed.')),
      );
      await until('it is closed', () => outside === undefined || outside.status !== 'open');
    }
    await assert.rejects(member.dial(multiaddr(`${addressOf(node)}/p2p/${stranger.peer}`)), /somebody else/);
    assert.deepEqual(node.told.states, []);
  });

  it('R140: takes no older TLS, and nobody who shows no certificate', async () => {
    const [a, b] = [nodeOn(network), nodeOn(network)];
    b.mesh.serve('blobs', async (stream) => stream.write(bytesOfText('yes')));
    await gather(network, a, b);
    const certificate = await makeCertificate(await keyOf(a));
    for (const options of [{ ...certificate, maxVersion: 'TLSv1.2' as const }, {}]) {
      const socket = await asking(b);
      await once(socket, 'readable');
      const outside = connectTls({
        socket,
        rejectUnauthorized: false,
        ALPNProtocols: ['libp2p'],
        ...options,
      });
      outside.on('error', () => undefined);
      await once(outside, 'close').catch(() => undefined);
    }
    await isUndisturbed(a, b);
  });

  it('R140: a handshake may begin before the answer came that there is TLS', async () => {
    const [node, absent] = await alone();
    const socket = await asking(node);
    const secured = connectTls({
      socket: without(socket, ASKING.length),
      secureContext: createSecureContext({ ...(await makeCertificate(await keyOf(absent))), ca: [] }),
      rejectUnauthorized: false,
      ALPNProtocols: ['libp2p'],
    });
    await greeted(secured);
    secured.destroy();
  });

  it('bears garbage in place of a handshake, and one that is broken off', async () => {
    const [a, b] = [nodeOn(network), nodeOn(network)];
    b.mesh.serve('blobs', async (stream) => stream.write(bytesOfText('yes')));
    await gather(network, a, b);
    const hello = Buffer.from([0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc]);
    for (const bytes of [
      bytesOf(100_000),
      new Uint8Array(5_000),
      hello,
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    ]) {
      const socket = await asking(b);
      socket.resume().end(bytes);
      await once(socket, 'close').catch(() => undefined);
    }
    const reset = await asking(b);
    await once(reset, 'readable');
    reset.resetAndDestroy();
    await isUndisturbed(a, b);
  });
});

/** The socket without the first bytes that come by it. */
function without(socket: Socket, count: number): Duplex {
  let left = count;
  const duplex = new Duplex({
    read: () => undefined,
    write: (bytes: Buffer, _encoding, done) => void socket.write(bytes, done),
  });
  socket.on('data', (bytes) => {
    const skipped = Math.min(left, bytes.length);
    left -= skipped;
    if (bytes.length > skipped) duplex.push(bytes.subarray(skipped));
  });
  socket.on('close', () => duplex.destroy());
  return duplex;
}

/** Resolves with the node's answer to a greeting inside TLS: it has taken the certificate. */
async function greeted(socket: TLSSocket): Promise<void> {
  socket.write(ASKING.subarray(0, 20));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.ok(answer.equals(ASKING.subarray(0, 20)), answer.toString());
}
