import type { GossipSubComponents } from '@libp2p/gossipsub';
import type { Connection } from '@libp2p/interface';

/** Tells gossipsub of peers. */
export interface GossipPeers {
  /** There is this connection with its peer. It changes nothing where gossipsub knows of one that is of use. */
  announce(connection: Connection, protocols: readonly string[]): void;
}

/**
 * Gossipsub has one stream to each peer, on the connection that was made first. Where that one ends and another one
 * stays, it opens no other, and may take what the peer opens for a stranger's: neither hears the other any more. Two
 * that dial each other at once, or at several addresses, have such connections for a moment. A service of libp2p, so
 * that it is given the registrar, by which gossipsub is told of each new connection.
 */
export function gossipPeers({ registrar }: Pick<GossipSubComponents, 'registrar'>): GossipPeers {
  return {
    announce: (connection, protocols) => {
      // It listens by each of its protocols' versions with the same ears.
      const topologies = new Set(protocols.flatMap((protocol) => registrar.getTopologies(protocol)));
      for (const topology of topologies) void topology.onConnect?.(connection.remotePeer, connection);
    },
  };
}
