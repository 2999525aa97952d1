import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { gossipsub, type GossipSub } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import type { ConnectionGater, Libp2p } from '@libp2p/interface';
import { kadDHT, type KadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p, type Libp2pOptions } from 'libp2p';
import type { FarmId, PeerId } from '@cuadro/protocol';
import { addressOf } from './addresses.ts';
import { type GossipPeers, gossipPeers } from './gossip-peers.ts';
import * as limits from './limits.ts';
import { LIBRARY_PREFIX, PROVIDERS, protocolOf } from './names.ts';
import { Places } from './places.ts';
import { fastNoise } from './noise-crypto.ts';
import { quietLogger } from './quiet-logger.ts';

/** What both hosts are made of. */
export interface HostInit {
  /** The node's Ed25519 seed. */
  readonly privateKey: Uint8Array;
  readonly listen: readonly string[];
  readonly port: number;
  /** Until whoever connects must have proved its key, and named a protocol for each stream. */
  readonly upgradeMs: number;
}

/** The host that members meet on. */
export type FarmLibp2p = Libp2p<{ gossip: GossipSub; gossipPeers: GossipPeers; providers: KadDHT }>;

export async function createFarmLibp2p(
  init: HostInit & { readonly farm: FarmId; readonly isMember: (peer: PeerId) => boolean },
): Promise<FarmLibp2p> {
  const { farm, isMember } = init;
  const protocolPrefix = protocolOf(farm, LIBRARY_PREFIX).slice(1);
  return createLibp2p({
    ...(await commonOptions(init)),
    streamMuxers: [muxer({ maxEarlyStreams: limits.EARLY_STREAMS_MAX })],
    connectionGater: membersOnly(isMember),
    connectionManager: {
      ...timesOf(init),
      maxConnections: limits.MESH_CONNECTIONS_MAX,
      inboundConnectionThreshold: limits.MESH_CONNECTIONS_PER_SECOND,
      maxIncomingPendingConnections: limits.MESH_CONNECTIONS_PENDING_MAX,
    },
    services: {
      // kad-dht asks for ping, and learns from identify who speaks its protocol; gossipsub too.
      identify: identify({ protocolPrefix }),
      ping: ping({ protocolPrefix }),
      gossip: gossipsub({
        // Every member hears a message directly from its origin; the mesh of the topic is only there for those who are
        // cut off from it, and its gossip about messages for those whom it misses. With the library's degree of 6 a
        // delivery costs twice the processor time, for copies of what is known.
        floodPublish: true,
        D: 2,
        Dlo: 1,
        Dhi: 4,
        Dout: 0,
        Dscore: 1,
        Dlazy: 3,
        fallbackToFloodsub: false,
        globalSignaturePolicy: 'StrictSign',
        maxInboundDataLength: limits.GOSSIP_BYTES_MAX + 1_024,
        // A neighbour that doesn't read is cut rather than fed from memory.
        maxOutboundBufferSize: limits.SEND_QUEUE_BYTES_MAX,
        batchPublish: true,
        // Members are admitted by people, and often share an address: scores would only punish the busy.
        scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0, topics: {} },
        // Nothing here is worth being kept for two minutes: repeated messages are found within seconds.
        seenTTL: 30_000,
      }),
      gossipPeers,
      providers: kadDHT({
        protocol: protocolOf(farm, PROVIDERS),
        // On a local network every node serves, and private addresses are what there is.
        clientMode: false,
        peerInfoMapper: passthroughMapper,
        // A node that knows nobody gets no answer, at once; by default a first query waits for others without an end.
        allowQueryWithZeroPeers: true,
      }),
    },
  });
}

/** The small host that strangers meet on: nothing but its one protocol. */
export async function createLobbyLibp2p(init: HostInit): Promise<Libp2p> {
  return createLibp2p({
    ...(await commonOptions(init)),
    connectionGater: fewPerAddress(),
    connectionManager: {
      ...timesOf(init),
      maxConnections: limits.LOBBY_CONNECTIONS_MAX,
      inboundConnectionThreshold: limits.LOBBY_CONNECTIONS_PER_SECOND,
      maxIncomingPendingConnections: limits.LOBBY_CONNECTIONS_PENDING_MAX,
    },
  });
}

async function commonOptions(init: HostInit): Promise<Libp2pOptions> {
  return {
    // Whoever makes the host registers its protocols first: who connects then finds them all.
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', init.privateKey),
    addresses: { listen: init.listen.map((host) => addressOf({ host, port: init.port })) },
    logger: quietLogger,
    nodeInfo: { name: 'cuadro', version: '1' },
    transports: [tcp()],
    connectionEncrypters: [fastNoise()],
    streamMuxers: [muxer({})],
    // The beats of the kept-open stream watch over connections (session.ts): a ping of libp2p's monitor opens a new
    // stream each time, on each connection.
    connectionMonitor: { enabled: false },
  };
}

const muxer = (options: { maxEarlyStreams?: number }): ReturnType<typeof yamux> =>
  yamux({
    streamOptions: { maxStreamWindowSize: limits.STREAM_WINDOW_BYTES, inactivityTimeout: 0 },
    ...options,
  });

const timesOf = ({ upgradeMs }: HostInit): NonNullable<Libp2pOptions['connectionManager']> => ({
  inboundUpgradeTimeout: upgradeMs,
  inboundStreamProtocolNegotiationTimeout: upgradeMs,
  outboundStreamProtocolNegotiationTimeout: upgradeMs,
});

/** The door of the mesh host: whoever is no member is turned away once it has proved who it is. */
export function membersOnly(isMember: (peer: PeerId) => boolean): ConnectionGater {
  const places = new Places({ perAddress: limits.MESH_CONNECTIONS_PENDING_PER_ADDRESS });
  return {
    denyInboundConnection: (connection) => !places.take(connection),
    // The reconnect loop dials addresses. Whoever dials by peer is a service of libp2p, which may use connections
    // but not make them.
    denyDialPeer: () => true,
    denyInboundEncryptedConnection: (peer, connection) => {
      if (!isMember(peer.toString())) return true;
      // Whoever has proved to be a member waits for nothing that others could take.
      places.leave(connection);
      return false;
    },
    denyOutboundEncryptedConnection: (peer) => !isMember(peer.toString()),
    // Between the proof and the first stream there may be time, and in it a member may have been removed (SPEC R190).
    denyInboundUpgradedConnection: (peer) => !isMember(peer.toString()),
    denyOutboundUpgradedConnection: (peer) => !isMember(peer.toString()),
  };
}

/** The door of the lobby's host: whoever comes is welcome, and no one address fills it. */
function fewPerAddress(): ConnectionGater {
  const places = new Places({ perAddress: limits.LOBBY_CONNECTIONS_PER_ADDRESS });
  return { denyInboundConnection: (connection) => !places.take(connection) };
}
