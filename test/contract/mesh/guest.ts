import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { gossipsub, type GossipSub } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import type { Connection, Libp2p } from '@libp2p/interface';
import { kadDHT, type KadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { FarmId } from '@cuadro/protocol';
import { LIBRARY_PREFIX, PROVIDERS, protocolOf } from '../../../node/src/mesh/names.ts';

/**
 * Other software with a key of its own: libp2p as it comes, that knows a farm's id and thus all its names. What it is
 * let do depends on whose key it has.
 */
export type Guest = Libp2p<{ gossip: GossipSub; providers: KadDHT }>;

export async function guestOf(seed: Uint8Array, farm: FarmId): Promise<Guest> {
  const protocolPrefix = protocolOf(farm, LIBRARY_PREFIX).slice(1);
  return createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', seed),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: {
      identify: identify({ protocolPrefix }),
      ping: ping({ protocolPrefix }),
      gossip: gossipsub({
        fallbackToFloodsub: false,
        allowPublishToZeroTopicPeers: true,
        floodPublish: true,
      }),
      providers: kadDHT({
        protocol: protocolOf(farm, PROVIDERS),
        clientMode: false,
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true,
      }),
    },
  });
}

/** Long enough for an answer of a busy machine on the same host, and for its turning away. */
const ANSWER_MS = 5_000;

/** A host takes so many connections a second from one address; those beyond are tried again. */
const AGAIN_MS = 100;
const AGAIN_MAX = 50;

/** A connection to this address, on which both have proved their keys: what it is worth is seen afterwards. */
export async function connectTo(guest: Libp2p, address: string): Promise<Connection> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await guest.dial(multiaddr(address), { force: true, signal: AbortSignal.timeout(ANSWER_MS) });
    } catch (error) {
      if (attempt === AGAIN_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** Which of these names are answered at an address, each tried on a connection of its own. */
export async function answeredOf(
  guest: Libp2p,
  address: string,
  names: readonly string[],
): Promise<string[]> {
  const answered: string[] = [];
  for (const name of names) {
    const connection = await connectTo(guest, address);
    try {
      const stream = await connection.newStream(name, { signal: AbortSignal.timeout(ANSWER_MS) });
      answered.push(name);
      stream.abort(new Error('Answered.'));
    } catch {
      // It was not: the connection was closed, or the name is unknown there.
    } finally {
      connection.abort(new Error('Tried.'));
    }
  }
  return answered;
}

/** Rounds of the control: far above what a busy machine needs. */
const ROUNDS_MAX = 20;

/**
 * Which of these names are answered in the end to one who may be: a member's key has few connections at a time, and a
 * busy host that hasn't noticed yet that the last ones are gone turns the next one away.
 */
export async function answeredInTheEnd(
  guest: Libp2p,
  address: string,
  names: readonly string[],
): Promise<string[]> {
  const answered = new Set<string>();
  for (let round = 0; round < ROUNDS_MAX && answered.size < names.length; round += 1) {
    const left = names.filter((name) => !answered.has(name));
    for (const name of await answeredOf(guest, address, left)) answered.add(name);
  }
  return [...answered].sort();
}
