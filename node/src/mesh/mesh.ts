import type { BlobHash, PeerId } from '@cuadro/protocol';
import { identityOf } from '../system/identity.ts';
import type { Clock, Logger, Random, SignalOption } from '../system/interface.ts';
import { AddressBook, parseAddress } from './addresses.ts';
import type { Announcement } from './announcement.ts';
import type { Discovery } from './discovery.ts';
import { meshStopped, peerUnreachable, tooLarge } from './errors.ts';
import type { FarmHost } from './farm-host.ts';
import { atFreePort } from './free-port.ts';
import type * as mesh from './interface.ts';
import { defaultMeshLimits, GOSSIP_BYTES_MAX, MESSAGE_BYTES_MAX, type MeshLimits } from './limits.ts';
import type { Lobby } from './lobby.ts';
import { Listeners, Tally } from './tally.ts';

export interface MeshComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The pause before a farm's host that could not start is tried again: its port may be free by then. */
const HOST_RETRY_MS = 5_000;

/** The mesh on libp2p. libp2p itself is loaded by `start`, and what a farm needs of it once there is a farm. */
export function createMesh(
  components: MeshComponents,
  init: mesh.MeshInit,
  limits: Partial<MeshLimits> = {},
): mesh.Mesh {
  return new Libp2pMesh(components, init, { ...defaultMeshLimits, ...limits });
}

class Libp2pMesh implements mesh.Mesh {
  readonly self: PeerId;
  readonly #components: MeshComponents;
  readonly #init: mesh.MeshInit;
  readonly #limits: MeshLimits;
  readonly #book = new AddressBook((peer) => this.#membership?.members.has(peer) === true);
  readonly #tally = new Tally();
  readonly #listeners: Listeners;
  readonly #handlers = new Map<mesh.StreamProtocol, mesh.StreamHandler>();
  #lobbyHandler: mesh.LobbyHandler | undefined;
  #starting: Promise<void> | undefined;
  #running = false;
  #lobby: Lobby | undefined;
  #discovery: Discovery | undefined;
  #membership: mesh.Membership | undefined;
  #host: { readonly farm: string; readonly host: FarmHost } | undefined;
  /** The port that the farm's host had first, so that a change of farm does not move it. */
  #meshPort: number;
  /** Changes of the host, one after the other. */
  #settling: Promise<void> = Promise.resolve();
  #cancelRetry = (): void => undefined;

  constructor(components: MeshComponents, init: mesh.MeshInit, limits: MeshLimits) {
    this.self = identityOf(init.privateKey).peer;
    this.#components = components;
    this.#init = init;
    this.#limits = limits;
    this.#meshPort = init.meshPort;
    this.#listeners = new Listeners(components.logger);
  }

  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    this.#running = true;
    this.#listeners.muted = false;
    try {
      const { Lobby } = await import('./lobby.ts');
      const place = { what: 'newcomers', port: this.#init.lobbyPort };
      this.#lobby = await atFreePort(this.#components, place, (port) =>
        Lobby.start(this.#parts(), {
          privateKey: this.#init.privateKey,
          listen: this.#init.listen,
          port,
          upgradeMs: this.#limits.upgradeMs,
          handler: this.#lobbyHandler,
        }),
      );
      await this.#settle({ throws: true });
      await this.#startDiscovery();
    } catch (error) {
      await this.#stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    // One that is starting is stopped once it has; one that could not start has stopped already.
    await this.#starting?.catch(() => undefined);
    await this.#stop();
  }

  async #stop(): Promise<void> {
    this.#starting = undefined;
    if (!this.#running) return;
    this.#running = false;
    this.#listeners.muted = true;
    this.#cancelRetry();
    const discovery = this.#discovery;
    this.#discovery = undefined;
    await discovery?.stop();
    await this.#settle({ throws: false });
    const lobby = this.#lobby;
    this.#lobby = undefined;
    await lobby?.stop();
  }

  subscribe(listener: mesh.MeshListener): () => void {
    return this.#listeners.add(listener);
  }

  setMembership(membership: mesh.Membership | undefined): void {
    this.#membership = membership;
    if (!this.#running) return;
    if (membership !== undefined && this.#host?.farm === membership.farm)
      this.#host.host.setMembers(membership.members);
    else void this.#settle({ throws: false });
  }

  addAddresses(peer: PeerId, addresses: readonly string[]): void {
    if (peer !== this.self && this.#book.add(peer, addresses)) this.#host?.host.knock(peer, true);
  }

  knownAddresses(peer: PeerId): readonly string[] {
    return this.#book.of(peer);
  }

  reachable(): readonly PeerId[] {
    return this.#host?.host.reachable() ?? [];
  }

  send(to: PeerId, message: Uint8Array): void {
    if (message.length > MESSAGE_BYTES_MAX) throw tooLarge('message', message.length, MESSAGE_BYTES_MAX);
    if (this.#host === undefined) this.#tally.refuse('message-to-unreachable', to);
    else this.#host.host.send(to, message);
  }

  gossip(topic: mesh.GossipTopic, message: Uint8Array): void {
    if (message.length > GOSSIP_BYTES_MAX) throw tooLarge('gossip', message.length, GOSSIP_BYTES_MAX);
    if (this.#host === undefined) this.#tally.gossip.dropped += 1;
    else this.#host.host.gossip(topic, message);
  }

  serve(protocol: mesh.StreamProtocol, handler: mesh.StreamHandler): void {
    this.#handlers.set(protocol, handler);
  }

  async open(
    peer: PeerId,
    protocol: mesh.StreamProtocol,
    options: SignalOption = {},
  ): Promise<mesh.MeshStream> {
    options.signal?.throwIfAborted();
    if (!this.#running) throw meshStopped();
    if (this.#host === undefined) throw peerUnreachable(peer);
    return this.#host.host.open(peer, protocol, options);
  }

  serveLobby(handler: mesh.LobbyHandler): void {
    this.#lobbyHandler = handler;
  }

  async askLobby(
    addresses: readonly string[],
    request: Uint8Array,
    options: SignalOption = {},
  ): Promise<{ peer: PeerId; answer: Uint8Array }> {
    options.signal?.throwIfAborted();
    if (this.#lobby === undefined) throw meshStopped();
    return this.#lobby.ask(addresses, request, options);
  }

  search(): void {
    this.#discovery?.search();
  }

  refuse(reason: string, peer: PeerId): void {
    this.#tally.refuse(reason, peer);
  }

  async provide(hash: BlobHash, options: SignalOption = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (this.#host === undefined) throw meshStopped();
    await this.#host.host.provide(hash, options);
  }

  async *findProviders(hash: BlobHash, options: SignalOption = {}): AsyncGenerator<PeerId, void, void> {
    options.signal?.throwIfAborted();
    if (this.#host === undefined) throw meshStopped();
    yield* this.#host.host.findProviders(hash, options);
  }

  status(): mesh.MeshStatus {
    return {
      meshAddresses: this.#host?.host.addresses() ?? [],
      lobbyAddresses: this.#lobby?.addresses() ?? [],
      interfaces: this.#discovery?.status() ?? [],
      connected: this.reachable(),
      answersTo: this.#answersTo(),
      ...this.#tally.counts(),
    };
  }

  #answersTo(): mesh.MeshStatus['answersTo'] {
    const names = this.#host?.host.names();
    return {
      members: names?.protocols ?? [],
      topics: names?.topics ?? [],
      strangers: this.#lobby?.protocols() ?? [],
    };
  }

  /** Makes the host be that of the farm of now, or none. One change at a time; the last one counts. */
  #settle(options: { readonly throws: boolean }): Promise<void> {
    const settled = this.#settling.then(() => this.#settleNow());
    this.#settling = settled.catch((error: unknown) => {
      if (!this.#running) return;
      this.#components.logger.error('the mesh could not start', { error });
      this.#cancelRetry();
      this.#cancelRetry = this.#components.clock.after(HOST_RETRY_MS, () => {
        void this.#settle({ throws: false });
      });
    });
    return options.throws ? settled : this.#settling;
  }

  async #settleNow(): Promise<void> {
    const wanted = this.#running ? this.#membership : undefined;
    if (this.#host !== undefined && this.#host.farm !== wanted?.farm) {
      const { host } = this.#host;
      // Its sessions end while it still counts as ours, so that their loss is told as long as the node runs.
      await host.stop();
      this.#host = undefined;
    }
    if (wanted === undefined) return this.#discovery?.announce();
    if (this.#host === undefined) {
      const { FarmHost } = await import('./farm-host.ts');
      const { random } = this.#components;
      const parts = { ...this.#parts(), random, book: this.#book, listeners: this.#listeners };
      const place = { what: 'the members of the farm', port: this.#meshPort };
      const host = await atFreePort(this.#components, place, (port) =>
        FarmHost.start(parts, {
          privateKey: this.#init.privateKey,
          listen: this.#init.listen,
          port,
          upgradeMs: this.#limits.upgradeMs,
          self: this.self,
          membership: wanted,
          handlers: this.#handlers,
        }),
      );
      this.#host = { farm: wanted.farm, host };
      this.#meshPort = portOf(host.addresses()) ?? this.#meshPort;
      this.#discovery?.announce();
    }
    // It may have changed while the host started.
    if (this.#membership?.farm === wanted.farm && this.#membership !== wanted)
      this.#host.host.setMembers(this.#membership.members);
  }

  async #startDiscovery(): Promise<void> {
    const { serviceName, interfaces, listen } = this.#init;
    if (serviceName === undefined) return;
    const { Discovery } = await import('./discovery.ts');
    const discovery = new Discovery(this.#parts(), {
      self: this.self,
      serviceName,
      interfaces,
      listen,
      announcement: () => this.#announcement(),
      found: (node) => {
        this.addAddresses(node.peer, node.mesh);
        this.#listeners.found(node);
      },
      seen: (peer) => this.#host?.host.knock(peer, false),
    });
    this.#discovery = discovery;
    await discovery.start();
  }

  #announcement(): Announcement | undefined {
    const lobbyPort = portOf(this.#lobby?.addresses() ?? []);
    if (lobbyPort === undefined) return undefined;
    const meshPort = this.#host === undefined ? undefined : portOf(this.#host.host.addresses());
    return { peer: this.self, farm: this.#host?.farm, lobbyPort, meshPort };
  }

  #parts(): { clock: Clock; logger: Logger; tally: Tally; limits: MeshLimits } {
    const { clock, logger } = this.#components;
    return { clock, logger, tally: this.#tally, limits: this.#limits };
  }
}

const portOf = (addresses: readonly string[]): number | undefined => parseAddress(addresses[0] ?? '')?.port;
