import { decodeMessage, encodeMessage, MESSAGE_BYTES_MAX, type Message, type PeerId } from '@cuadro/protocol';
import type { Changes, CoreQueries } from '../core/interface.ts';
import type { Driver, DriverComponents } from '../driver.ts';
import { unreachableMesh } from '../farm/unreachable-mesh.ts';
import { localContent, type ContentSource } from '../blobs/source.ts';
import { soleSafekeeping, type Safekeeping } from '../jobs/interface.ts';
import type { Transfer, TransferStatus } from '../blobs/transfer/interface.ts';
import type { FarmComponents } from '../farm/interface.ts';
import type { Mesh, PeerState } from '../mesh/interface.ts';
import { createMesh } from '../mesh/mesh.ts';
import type { DepartureComponents } from '../replicas/departure.ts';
import type { RecordSync } from '../replicas/interface.ts';
import { TaskReader } from '../store/task-reader.ts';
import type { Swarm } from '../swarm/interface.ts';
import { createSwarm, soleSwarm } from '../swarm/swarm.ts';
import type { Clock, Startable } from '../system/interface.ts';
import type { LifecyclePart } from '../system/lifecycle.ts';
import type { Metrics } from '../system/metrics.ts';
import type { Foundation, LiveConfig } from './foundation.ts';
import { assembleReplicas, type ReplicasBase } from './replicas.ts';

/** How the brain speaks with other machines. */
export interface Network {
  /** Undefined where the owner keeps this node off the network. */
  readonly mesh: Mesh | undefined;
  readonly forFarm: FarmComponents['mesh'];
  /** What other machines hold. */
  readonly content: ContentSource;
  /** Copies on other machines of what is made here. */
  readonly copies: Safekeeping;
  /** What leaving the farm is done with; undefined off the network. */
  readonly departing: Pick<DepartureComponents, 'copies' | 'sync'> | undefined;
  /** Jobs, tasks or members changed, and are durable. */
  changed(changes: Changes): void;
  /** How scenes and frames travel. */
  readonly swarm: Pick<Swarm, 'read'>;
  /** What travels has changed, while somebody looks. */
  onSwarm(listener: () => void): void;
  /** A member came back, and with it what it holds. */
  onPeerBack(listener: () => void): void;
  /** What the driver sends by, and whom it tells of what is durable. */
  readonly out: Pick<DriverComponents, 'send' | 'gossip' | 'publish' | 'onDurable'>;
  /** What other machines sent that did not fit the hash of a file. */
  readonly misfits: () => TransferStatus['liars'];
  /** Puts what this node saw of others onto the page of metrics. */
  measure(metrics: Metrics): Metrics;
  /** Parts in the order of their start. */
  readonly parts: LifecyclePart[];
}

/** Beacons and pulses carry the digest at most this old; two that differ are compared after 2 s. */
const ROOT_EVERY_MS = 250;

/** What its owner set of the copies on other machines, as it is now. */
export const copySettings = (live: LiveConfig) => ({
  repairMiBps: () => live.current.repairMiBps,
  replaceHours: () => live.current.replaceHours,
});

export function assembleNetwork(
  base: Foundation & Pick<ReplicasBase, 'repairMiBps' | 'replaceHours' | 'onLacking'>,
  queries: CoreQueries,
  driver: () => Pick<Driver, 'input' | 'deliver'>,
): Network {
  const { config, signer, clock, random, logger } = base;
  if (!config.network) return offline(base, queries);
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
  return networkOver(mesh, base, queries, driver);
}

/** Messages as the mesh carries them: their canonical bytes, except where a simulation spares itself the work. */
export interface MessageCodec {
  encode(message: Message): Uint8Array;
  decode(bytes: Uint8Array): Message | undefined;
}

const MALFORMED_MESSAGE = 'malformed-message';

/**
 * What goes to many is encoded once, and what comes on two ways is decoded once: a pulse goes to every member and by
 * gossip as well, and of a large farm it is 16 KB, so that each time for itself would cost n times n. Grants and
 * results come by the thousand and are read in a way of their own, all else in the general one.
 */
export function canonicalMessages(): MessageCodec {
  const tasks = new TaskReader();
  const read = (bytes: Uint8Array): Message | undefined =>
    (bytes.length > MESSAGE_BYTES_MAX ? undefined : tasks.readMessage(bytes)) ?? decodeMessage(bytes);
  let said: { readonly message: Message; readonly bytes: Uint8Array } | undefined;
  let heard: { readonly message: Message | undefined; readonly bytes: Uint8Array } | undefined;
  return {
    encode: (message) => {
      if (said?.message !== message) said = { message, bytes: encodeMessage(message) };
      return said.bytes;
    },
    decode: (bytes) => {
      if (heard === undefined || Buffer.compare(heard.bytes, bytes) !== 0)
        heard = { message: read(bytes), bytes };
      return heard.message;
    },
  };
}

/** The same over any mesh: benches and tests put many nodes on one that is in memory. */
export function networkOver(
  mesh: Mesh,
  base: ReplicasBase,
  queries: CoreQueries,
  driver: () => Pick<Driver, 'input' | 'deliver'>,
  codec: MessageCodec = canonicalMessages(),
): Network {
  const { clock, logger } = base;
  const replicas = assembleReplicas(mesh, base, queries, driver, () => rootTeller.changed());
  const { sync, transfer, copies, teller, content } = replicas;
  let swarmListener = (): void => undefined;
  const swarm = createSwarm({
    ...{ mesh, clock, transfer, copies, queries },
    blobs: base.blobs,
    onChange: () => swarmListener(),
  });
  const rootTeller = createRootTeller({ clock, sync }, (root) => driver().input({ kind: 'root', root }));
  const take = (from: PeerId, bytes: Uint8Array, gossiped: boolean): void => {
    const message = codec.decode(bytes);
    if (message === undefined) {
      // Each sender is logged when it takes over from another: a flood must not fill the log (SPEC R120).
      const isNew = mesh.status().refused[MALFORMED_MESSAGE]?.peer !== from;
      if (isNew) logger.warn('A message of a member makes no sense.', { from });
      mesh.refuse(MALFORMED_MESSAGE, from);
    } else {
      hearRoot(sync, from, message);
      driver().input({ kind: 'message', from, message, ...(gossiped && { gossiped }) });
    }
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
    content,
    copies,
    departing: { copies, sync },
    changed: (changes) => {
      copies.changed(changes);
      teller.changed(changes);
      if (changes.members === true) replicas.membersChanged();
      replicas.nodesChanged(changes.nodes);
    },
    swarm,
    onSwarm: (listener) => {
      swarmListener = listener;
    },
    onPeerBack: (listener) => {
      mesh.subscribe({ peer: (_peer, state) => state === 'reachable' && listener() });
    },
    out: {
      send: (to, message) => mesh.send(to, codec.encode(message)),
      gossip: (topic, message) => mesh.gossip(topic, codec.encode(message)),
      publish: (records) => sync.publish(records),
      onDurable: (put, removed) => sync.persisted(put, removed),
    },
    misfits: () => transfer.status().liars,
    measure: (metrics) => measure(metrics, mesh, { sync, transfer, queries }),
    parts: [
      { name: 'records', component: sync },
      { name: 'transfer', component: transfer },
      { name: 'copies', component: copies },
      { name: 'bundles', component: teller },
      { name: 'root', component: rootTeller },
      { name: 'swarm', component: swarm },
      { name: 'mesh', component: tolerant(mesh, { clock, logger }) },
    ],
  };
}

/** The address that a node is told to listen at may come with a network that is up only after it. */
const NETWORK_RETRY_MS = 10_000;

/**
 * A machine whose network can't be used renders alone, and says so; its owner's work is no less urgent for that. It goes
 * on trying: a node that starts with its machine is often there before the network is.
 */
export function tolerant(
  mesh: Startable,
  { clock, logger }: Pick<ReplicasBase, 'clock' | 'logger'>,
): Startable {
  let isRunning = false;
  let isTold = false;
  let cancel = (): void => undefined;
  const attempt = async (): Promise<void> => {
    try {
      await mesh.start();
      if (isTold) logger.info('The network can be used now.');
    } catch (error) {
      if (!isTold)
        logger.error("The network can't be used; this machine goes on alone, and tries again.", {
          error: String(error),
        });
      isTold = true;
      if (isRunning) cancel = clock.after(NETWORK_RETRY_MS, () => void attempt());
    }
  };
  return {
    start: () => {
      isRunning = true;
      return attempt();
    },
    stop: () => {
      isRunning = false;
      cancel();
      return mesh.stop();
    },
  };
}

/** Of a node that its owner keeps off the network. */
function offline({ signer }: Foundation, queries: CoreQueries): Network {
  return {
    mesh: undefined,
    forFarm: unreachableMesh(signer.peer),
    content: localContent,
    copies: soleSafekeeping,
    departing: undefined,
    changed: () => undefined,
    swarm: soleSwarm(queries),
    onSwarm: () => undefined,
    onPeerBack: () => undefined,
    out: { send: () => undefined, gossip: () => undefined, publish: () => undefined },
    misfits: () => ({}),
    measure: (metrics) => metrics,
    parts: [],
  };
}

function measure(
  metrics: Metrics,
  mesh: Mesh,
  { sync, transfer, queries }: { sync: RecordSync; transfer: Transfer; queries: CoreQueries },
): Metrics {
  metrics.countersOf('cuadro_accused_total', 'What this node held against other machines, by kind', () =>
    Object.entries(queries.accused()).map(([kind, count]) => [{ kind }, count]),
  );
  const changes: Partial<Record<PeerState, number>> = {};
  mesh.subscribe({ peer: (_peer, state) => (changes[state] = (changes[state] ?? 0) + 1) });
  metrics.countersOf('cuadro_members_changed_total', 'What connections to members came to be', () =>
    Object.entries(changes).map(([state, count]) => [{ state }, count]),
  );
  metrics.countersOf('cuadro_mesh_refused_total', 'What others sent that was of no use, by reason', () =>
    // Exchanges and gossiped records are counted where they are read; their reasons are others.
    Object.entries({ ...mesh.status().refused, ...sync.status().refused }).map(([reason, { count }]) => [
      { reason },
      count,
    ]),
  );
  const help = 'Holders of files that no record named, by how they were found';
  metrics.countersOf('cuadro_holders_found_total', help, () =>
    Object.entries(transfer.status().found).map(([by, count]) => [{ by }, count]),
  );
  metrics.countersOf('cuadro_file_requests_total', 'Requests for files made of other machines, by kind', () =>
    Object.entries(transfer.status().requests).map(([kind, count]) => [{ kind }, count]),
  );
  metrics.countersOf(
    'cuadro_misfits_total',
    'What a machine sent of files that did not fit, by machine',
    () => Object.entries(transfer.status().liars).map(([machine, { count }]) => [{ machine }, count]),
  );
  return metrics;
}

function hearRoot(sync: RecordSync, from: PeerId, message: Message): void {
  const heard = message.kind === 'beacon' || message.kind === 'pulse' ? message.root : undefined;
  if (heard !== undefined) sync.heardRoot(from, heard);
}

/** Tells the brain the digest of the records when it has changed, a few times a second at most; nothing where all rests. */
function createRootTeller(components: { clock: Clock; sync: RecordSync }, tell: (root: string) => void) {
  const { clock, sync } = components;
  let told: string | undefined;
  let cancel: (() => void) | undefined;
  let isRunning = false;
  const look = (): void => {
    cancel = undefined;
    const root = sync.root();
    if (root !== undefined && root !== told) tell(root);
    told = root;
  };
  return {
    changed: () => {
      if (isRunning) cancel ??= clock.after(ROOT_EVERY_MS, look);
    },
    start: async () => {
      isRunning = true;
      look();
    },
    stop: async () => {
      isRunning = false;
      cancel?.();
    },
  };
}
