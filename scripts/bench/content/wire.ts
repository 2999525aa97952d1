import { createHash, hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { noise } from '@chainsafe/libp2p-noise';
import type { Libp2p, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { blobLimits } from '../../../node/src/blobs/options.ts';
import { STREAM_WINDOW_BYTES } from '../../../node/src/mesh/limits.ts';
import { fastNoise } from '../../../node/src/mesh/noise-crypto.ts';
import { BulkStream } from '../../../node/src/mesh/stream.ts';
import type { Counted } from './counted.ts';

/**
 * Bare wires, as baselines of the bench `transfer`: bytes from one process to another and nothing done with them.
 * `wire.ts serve KIND HOST BYTES` says where it listens, as a line of JSON, sends so many to whoever connects, and says
 * how much processor time that took; `wire.ts take KIND ADDRESS BYTES` takes them and says the same, and how many seconds
 * passed. With `counted.ts` loaded before, each says what it copied and allocated meanwhile, too.
 */

/**
 * `noise`: libp2p's streams with noise as it comes; `mesh-noise`: with the mesh's, which prepares its keys; `mesh-noise-kept`:
 * the same into a file, each piece and the whole hashed, and synced at the end: the least that a verified and durable copy is.
 */
export const WIRES = ['tcp', 'tls', 'noise', 'mesh-noise', 'mesh-noise-kept'] as const;
export type Wire = (typeof WIRES)[number];
type StreamWire = Exclude<Wire, 'tcp' | 'tls'>;
const isStreamWire = (wire: Wire): wire is StreamWire => wire !== 'tcp' && wire !== 'tls';

/** As the transfer writes. */
const CHUNK_BYTES = 256 * 1024;
/** As the store cuts a file of this size. */
const PIECE_BYTES = blobLimits.pieceBytesMin;
const PROTOCOL = '/bench/1';
const chunk = Buffer.alloc(CHUNK_BYTES, 7);

/** A key that both know: no certificate needs to be made. TLS 1.2, with the cipher that TLS 1.3 prefers as well. */
const psk = { ciphers: 'PSK-AES256-GCM-SHA384', maxVersion: 'TLSv1.2' as const };
const key = Buffer.alloc(32, 1);

/** What one end of a wire cost. */
export interface Spent {
  /** Processor time of its process, in seconds. */
  readonly cpuSeconds: number;
  readonly counted?: Counted;
}

const counting = process.execArgv.some((word) => word.endsWith('/counted.ts'))
  ? await import('./counted.ts')
  : undefined;

/** What this process spends from now on: told when it is called. */
function spending(): () => Spent {
  const before = process.cpuUsage();
  counting?.beginToCount();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { cpuSeconds: (user + system) / 1e6, ...(counting && { counted: counting.countedSince() }) };
  };
}

const say = (told: object): void => console.log(JSON.stringify(told));

async function pour(socket: Socket, bytes: number): Promise<void> {
  const spent = spending();
  const closed = once(socket, 'close').catch(() => undefined);
  socket.on('error', () => undefined);
  for (let left = bytes; left > 0 && !socket.destroyed; left -= CHUNK_BYTES)
    if (!socket.write(chunk)) await once(socket, 'drain').catch(() => undefined);
  await closed;
  say(spent());
}

async function libp2p(wire: StreamWire, listen: string[]): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [wire === 'noise' ? noise() : fastNoise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES } })],
    connectionMonitor: { enabled: false },
  });
}

async function serve(wire: Wire, at: string, bytes: number): Promise<void> {
  const told = (address: string): void => say({ address });
  if (isStreamWire(wire)) {
    const node = await libp2p(wire, [`/ip4/${at}/tcp/0`]);
    await node.handle(PROTOCOL, (stream) => void pourStream(stream, bytes));
    told(String(node.getMultiaddrs()[0]));
  } else {
    const server: Server =
      wire === 'tcp'
        ? createServer((socket) => void pour(socket, bytes))
        : createTlsServer({ ...psk, pskCallback: () => key }, (socket) => void pour(socket, bytes));
    server.listen(0, at);
    await once(server, 'listening');
    told(`${at}:${(server.address() as AddressInfo).port}`);
  }
  process.stdin.resume().once('end', () => process.exit(0));
}

async function pourStream(stream: Stream, bytes: number): Promise<void> {
  const spent = spending();
  const closed = new Promise((resolve) => stream.addEventListener('close', resolve));
  for (let left = bytes; left > 0 && stream.status === 'open'; left -= CHUNK_BYTES) {
    if (!stream.send(chunk)) await stream.onDrain().catch(() => undefined);
    // A sender that never lets go of the loop starves everything else, also here.
    await new Promise(setImmediate);
  }
  await closed;
  say(spent());
}

export interface Taken extends Spent {
  readonly seconds: number;
}

async function take(wire: Wire, address: string, bytes: number): Promise<Taken> {
  if (isStreamWire(wire)) {
    const node = await libp2p(wire, []);
    const stream = await node.dialProtocol(multiaddr(address), PROTOCOL);
    return wire === 'mesh-noise-kept' ? kept(held(stream), bytes) : taken(stream, bytes);
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
  return taken(socket, bytes);
}

async function taken(parts: AsyncIterable<{ readonly byteLength: number }>, bytes: number): Promise<Taken> {
  const startedAt = performance.now();
  const spent = spending();
  let left = bytes;
  for await (const part of parts) {
    left -= part.byteLength;
    if (left <= 0) break;
  }
  if (left > 0) throw new Error(`The stream ended ${left} bytes early.`);
  return { seconds: (performance.now() - startedAt) / 1_000, ...spent() };
}

/** What comes, held back while it is worked on. */
const held = (stream: Stream): AsyncIterable<Uint8Array> =>
  new BulkStream({ stream, peer: 'sender', now: () => performance.now(), closed: () => undefined }).chunks;

/** As `taken`, into a file: in pieces as the store makes them, of which the next comes while one is written. */
async function kept(parts: AsyncIterable<Uint8Array>, bytes: number): Promise<Taken> {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-bench-kept-'));
  const file = await open(join(folder, 'file'), 'wx');
  try {
    const startedAt = performance.now();
    const spent = spending();
    const whole = createHash('sha256');
    const pieces: string[] = [];
    const buffers = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)] as const;
    let writing: Promise<unknown> = Promise.resolve();
    let [filling, other] = buffers;
    let [filled, left] = [0, bytes];
    const write = async (): Promise<void> => {
      const piece = filling.subarray(0, filled);
      whole.update(piece);
      pieces.push(hash('sha256', piece));
      await writing;
      writing = file.write(piece);
      [filling, other] = [other, filling];
      filled = 0;
    };
    for await (const part of parts) {
      for (let at = 0; at < part.length; ) {
        const next = part.subarray(at, at + PIECE_BYTES - filled);
        filling.set(next, filled);
        filled += next.length;
        at += next.length;
        if (filled === PIECE_BYTES) await write();
      }
      left -= part.length;
      if (left <= 0) break;
    }
    if (left > 0) throw new Error(`The stream ended ${left} bytes early.`);
    if (filled > 0) await write();
    await writing;
    whole.digest();
    await file.sync();
    return { seconds: (performance.now() - startedAt) / 1_000, ...spent() };
  } finally {
    await file.close();
    await rm(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const [what, wire, address = '127.0.0.1', bytes = ''] = process.argv.slice(2) as [
    string,
    Wire,
    string?,
    string?,
  ];
  if (what === 'serve') await serve(wire, address, Number(bytes));
  else {
    say(await take(wire, address, Number(bytes)));
    process.exit(0);
  }
}
