import { decodeMessage, encodeMessage, type PeerId } from '@cuadro/protocol';
import type { Driver, DriverComponents } from '../driver.ts';
import { unreachableMesh } from '../farm/unreachable-mesh.ts';
import type { FarmComponents } from '../farm/interface.ts';
import type { Mesh } from '../mesh/interface.ts';
import { createMesh } from '../mesh/mesh.ts';
import type { LifecyclePart } from '../system/lifecycle.ts';
import type { Foundation } from './foundation.ts';

/** How the brain speaks with other machines. */
export interface Network {
  /** Undefined where the owner keeps this node off the network. */
  readonly mesh: Mesh | undefined;
  readonly forFarm: FarmComponents['mesh'];
  /** What the driver sends by. */
  readonly out: Pick<DriverComponents, 'send' | 'gossip'>;
  /** Parts in the order of their start. */
  readonly parts: LifecyclePart[];
}

export function assembleNetwork(base: Foundation, driver: () => Pick<Driver, 'input'>): Network {
  const { config, signer, clock, random, logger } = base;
  if (!config.network) {
    const silent = { send: () => undefined, gossip: () => undefined };
    return { mesh: undefined, forFarm: unreachableMesh(signer.peer), out: silent, parts: [] };
  }
  const mesh = createMesh(
    { clock, random, logger: logger.child({ room: 'mesh' }) },
    {
      privateKey: signer.privateKey(),
      listen: config.listen,
      meshPort: config.meshPort,
      lobbyPort: config.lobbyPort,
      serviceName: config.serviceName,
      ...(config.interfaces.length > 0 && { interfaces: config.interfaces }),
    },
  );
  const take = (from: PeerId, bytes: Uint8Array, gossiped: boolean): void => {
    const message = decodeMessage(bytes);
    if (message === undefined) logger.warn('A message of a member makes no sense.', { from });
    else driver().input({ kind: 'message', from, message, ...(gossiped && { gossiped }) });
  };
  mesh.subscribe({
    peer: (peer, state) => driver().input({ kind: 'peer', peer, state }),
    message: (from, bytes) => take(from, bytes, false),
    gossip: (topic, from, bytes) => {
      if (topic !== 'records') take(from, bytes, true);
    },
  });
  return {
    mesh,
    forFarm: mesh,
    out: {
      send: (to, message) => mesh.send(to, encodeMessage(message)),
      gossip: (topic, message) => mesh.gossip(topic, encodeMessage(message)),
    },
    parts: [{ name: 'mesh', component: mesh }],
  };
}
