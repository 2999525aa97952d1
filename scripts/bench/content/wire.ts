import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { noise } from '@chainsafe/libp2p-noise';
import type { Libp2p, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { STREAM_WINDOW_BYTES } from '../../../node/src/mesh/limits.ts';
import { fastNoise } from '../../../node/src/mesh/noise-crypto.ts';

/**
 * Bare wires, as baselines of the bench `transfer`: bytes from one process to another and nothing done with them.
 * `wire.ts serve KIND HOST` says where it listens, as a line of JSON, and sends to whoever connects; `wire.ts take KIND
 * ADDRESS BYTES` takes so many and says how many seconds that took.
 */

/** `noise`: libp2p's streams with noise as it comes; `mesh-noise`: with the mesh's, which prepares its keys. */
export const WIRES = ['tcp', 'tls', 'noise', 'mesh-noise'] as const;
export type Wire = (typeof WIRES)[number];

/** As the transfer writes. */
const CHUNK_BYTES = 256 * 1024;
const PROTOCOL = '/bench/1';
const chunk = Buffer.alloc(CHUNK_BYTES, 7);

/** A key that both know: no certificate needs to be made. TLS 1.2, with the cipher that TLS 1.3 prefers as well. */
const psk = { ciphers: 'PSK-AES256-GCM-SHA384', maxVersion: 'TLSv1.2' as const };
const key = Buffer.alloc(32, 1);

async function pour(socket: Socket): Promise<void> {
  socket.on('error', () => undefined);
  while (!socket.destroyed) if (!socket.write(chunk)) await once(socket, 'drain').catch(() => undefined);
}

async function libp2p(wire: 'noise' | 'mesh-noise', listen: string[]): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [wire === 'noise' ? noise() : fastNoise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES } })],
    connectionMonitor: { enabled: false },
  });
}

async function serve(wire: Wire, at: string): Promise<void> {
  const told = (address: string): void => console.log(JSON.stringify({ address }));
  if (wire === 'noise' || wire === 'mesh-noise') {
    const node = await libp2p(wire, [`/ip4/${at}/tcp/0`]);
    await node.handle(PROTOCOL, (stream) => void pourStream(stream));
    told(String(node.getMultiaddrs()[0]));
  } else {
    const server: Server =
      wire === 'tcp'
        ? createServer((socket) => void pour(socket))
        : createTlsServer({ ...psk, pskCallback: () => key }, (socket) => void pour(socket));
    server.listen(0, at);
    await once(server, 'listening');
    told(`${at}:${(server.address() as AddressInfo).port}`);
  }
  process.stdin.resume().once('end', () => process.exit(0));
}

async function pourStream(stream: Stream): Promise<void> {
  while (stream.status === 'open') {
    if (!stream.send(chunk)) await stream.onDrain().catch(() => undefined);
    // A sender that never lets go of the loop starves everything else, also here.
    await new Promise(setImmediate);
  }
}

async function take(wire: Wire, address: string, bytes: number): Promise<number> {
  if (wire === 'noise' || wire === 'mesh-noise') {
    const node = await libp2p(wire, []);
    const stream = await node.dialProtocol(multiaddr(address), PROTOCOL);
    const startedAt = performance.now();
    let left = bytes;
    for await (const part of stream) {
      left -= part.byteLength;
      if (left <= 0) break;
    }
    return (performance.now() - startedAt) / 1_000;
  }
  const [host = '', port = ''] = address.split(':');
  const place = { host, port: Number(port) };
  const socket: Socket =
    wire === 'tcp'
      ? connect(place)
      : connectTls({
          ...psk,
          ...place,
          pskCallback: () => ({ psk: key, identity: 'bench' }),
          checkServerIdentity: () => undefined,
        });
  await once(socket, wire === 'tcp' ? 'connect' : 'secureConnect');
  const startedAt = performance.now();
  let left = bytes;
  for await (const part of socket) {
    left -= (part as Buffer).length;
    if (left <= 0) break;
  }
  return (performance.now() - startedAt) / 1_000;
}

if (import.meta.main) {
  const [what, wire, address = '127.0.0.1', bytes = ''] = process.argv.slice(2) as [
    string,
    Wire,
    string?,
    string?,
  ];
  if (what === 'serve') await serve(wire, address);
  else {
    console.log(JSON.stringify({ seconds: await take(wire, address, Number(bytes)) }));
    process.exit(0);
  }
}
