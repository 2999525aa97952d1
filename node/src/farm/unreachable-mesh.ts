import type { PeerId } from '@cuadro/protocol';
import type { FarmComponents } from './interface.ts';

/** The mesh of a node without a network: it reaches nobody, and nobody reaches it. */
export function unreachableMesh(self: PeerId): FarmComponents['mesh'] {
  return {
    self,
    subscribe: () => () => undefined,
    setMembership: () => undefined,
    addAddresses: () => undefined,
    knownAddresses: () => [],
    reachable: () => [],
    serveLobby: () => undefined,
    askLobby: () => Promise.reject(new Error('This node has no network.')),
    search: () => undefined,
    refuse: () => undefined,
    status: () => ({
      meshAddresses: [],
      lobbyAddresses: [],
      interfaces: [],
      connected: [],
      answersTo: { members: [], topics: [], strangers: [] },
      gossip: { sent: 0, received: 0, dropped: 0 },
      refused: {},
    }),
  };
}
