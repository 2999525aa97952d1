import type { BlobHash, PeerId } from '@cuadro/protocol';
import type { Clock, Logger, Random, SignalOption } from '../system/interface.ts';
import { type AddressBook, plainAddress } from './addresses.ts';
import { BulkConnections } from './bulk-connections.ts';
import { FRAME } from './frames.ts';
import { Gossip } from './gossip.ts';
import { createFarmLibp2p, type FarmLibp2p, type HostInit } from './host.ts';
import type { GossipTopic, Membership, MeshStream, StreamHandler, StreamProtocol } from './interface.ts';
import type { MeshLimits } from './limits.ts';
import { Members } from './members.ts';
import { Providers } from './providers.ts';
import { Streams } from './streams.ts';
import type { Listeners, Tally } from './tally.ts';

export interface FarmHostComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly book: AddressBook;
  readonly tally: Tally;
  readonly listeners: Listeners;
  readonly limits: MeshLimits;
}

/** How often members and streams are looked after; also the resolution of silence and stalls. */
const TICK_MS = 250;
/** A tick that comes so much too late means that this node stood still. */
const GAP_MS = 100;

/**
 * The host on which members of one farm meet. It lives as long as the node belongs to that farm. This file and what
 * it imports load libp2p, so it is imported only when there is a farm.
 */
export class FarmHost {
  readonly #components: FarmHostComponents;
  readonly #libp2p: FarmLibp2p;
  readonly #members: Members;
  readonly #gossip: Gossip;
  readonly #bulk: BulkConnections;
  readonly #streams: Streams;
  readonly #providers: Providers;
  #cancelTick = (): void => undefined;
  #tickedAtMs = 0;

  private constructor(components: FarmHostComponents, libp2p: FarmLibp2p, self: PeerId, farm: string) {
    this.#components = components;
    this.#libp2p = libp2p;
    const parts = { ...components, host: libp2p };
    const isMember = (peer: PeerId): boolean => this.#members.isMember(peer);
    this.#members = new Members(parts, { self, farm });
    this.#gossip = new Gossip(parts, { farm, isMember });
    this.#bulk = new BulkConnections(parts);
    this.#streams = new Streams({ ...parts, members: this.#members, bulk: this.#bulk }, { farm });
    this.#providers = new Providers(parts, { isMember });
  }

  static async start(
    components: FarmHostComponents,
    init: HostInit & {
      readonly self: PeerId;
      readonly membership: Membership;
      readonly handlers: ReadonlyMap<StreamProtocol, StreamHandler>;
    },
  ): Promise<FarmHost> {
    const { farm } = init.membership;
    const made: { host?: FarmHost } = {};
    const libp2p = await createFarmLibp2p({
      ...init,
      farm,
      isMember: (peer) => made.host !== undefined && made.host.#members.isMember(peer),
    });
    const host = new FarmHost(components, libp2p, init.self, farm);
    made.host = host;
    try {
      // Everything is served before the listeners open: who connects finds all protocols.
      await host.#streams.start(init.handlers);
      await host.#members.start();
      await libp2p.start();
      host.#gossip.start();
      host.#members.setMembers(init.membership.members);
      host.#tick();
      return host;
    } catch (error) {
      await host.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#cancelTick();
    this.#streams.stop();
    await Promise.all([this.#members.stop(), this.#bulk.stop()]);
    await this.#libp2p.stop();
  }

  setMembers(members: ReadonlySet<PeerId>): void {
    this.#members.setMembers(members);
  }

  knock(peer: PeerId, isNews: boolean): void {
    this.#members.knock(peer, isNews);
  }

  reachable(): readonly PeerId[] {
    return this.#members.reachable();
  }

  addresses(): readonly string[] {
    return this.#libp2p
      .getMultiaddrs()
      .map((address) => plainAddress(address.toString()))
      .filter((address) => address !== undefined);
  }

  /** What it answers to: protocols, and topics of gossip. */
  names(): { readonly protocols: readonly string[]; readonly topics: readonly string[] } {
    return { protocols: this.#libp2p.getProtocols(), topics: this.#libp2p.services.gossip.getTopics() };
  }

  send(to: PeerId, message: Uint8Array): void {
    const session = this.#members.session(to);
    if (session === undefined) this.#components.tally.refuse('message-to-unreachable', to);
    else session.send(FRAME.message, message);
  }

  gossip(topic: GossipTopic, message: Uint8Array): void {
    this.#gossip.publish(topic, message);
  }

  open(peer: PeerId, protocol: StreamProtocol, options: SignalOption): Promise<MeshStream> {
    return this.#streams.open(peer, protocol, options);
  }

  provide(hash: BlobHash, options: SignalOption): Promise<void> {
    return this.#providers.provide(hash, options);
  }

  findProviders(hash: BlobHash, options: SignalOption): AsyncIterable<PeerId> {
    return this.#providers.find(hash, options);
  }

  #tick(): void {
    const { clock } = this.#components;
    const nowMs = clock.now();
    const lateMs = this.#tickedAtMs === 0 ? 0 : nowMs - this.#tickedAtMs - TICK_MS;
    const gapMs = lateMs > GAP_MS ? lateMs : 0;
    this.#tickedAtMs = nowMs;
    this.#members.tick(gapMs);
    this.#streams.tick(gapMs);
    this.#bulk.tick();
    this.#gossip.tick();
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }
}
