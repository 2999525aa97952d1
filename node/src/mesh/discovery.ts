import type { RemoteInfo } from 'node:dgram';
import type { PeerId } from '@cuadro/protocol';
import type { Clock } from '../system/interface.ts';
import {
  type Announcement,
  ANNOUNCEMENT_TTL_S,
  type IncomingRecord,
  readAnnouncement,
} from './announcement.ts';
import { FoundNodes } from './found-nodes.ts';
import type { FoundNode, MeshStatus } from './interface.ts';
import { type InterfaceAddress, type Interfaces, isNear, listensAt, readInterfaces } from './interfaces.ts';
import { createMulticastSocket, type MulticastSocket } from './multicast-socket.ts';

/** How often interfaces are read again: a laptop that changes its network is found again within that. */
const INTERFACES_EVERY_MS = 3_000;
/** After the start, or a change: asked again so soon each, since a first packet is easily lost. */
const EARLY_QUERIES_MS = [0, 1_000, 3_000];
/** Later: announcements live for 75 s, and each question is answered by all. */
const QUERY_EVERY_MS = 30_000;
/** A node repeats itself no more often than this on one interface, whoever asks: all that asked hear it. */
const ANNOUNCE_EVERY_MS = 200;
/** Sockets in all: one for each address of each interface. */
const SOCKETS_MAX = 32;

export interface DiscoveryInit {
  readonly self: PeerId;
  readonly serviceName: string;
  readonly interfaces: readonly string[] | undefined;
  readonly listen: readonly string[];
  /** What this node says now; undefined while it can't be reached. */
  readonly announcement: () => Announcement | undefined;
  /** Somebody said that it is there, as often as it says so. */
  readonly seen: (peer: PeerId) => void;
  /** What it says of itself is news. Called before `seen`. */
  readonly found: (node: FoundNode) => void;
}

interface Outlet {
  readonly on: InterfaceAddress;
  readonly socket: MulticastSocket;
  announcedAtMs: number;
  cancelAnnounce: (() => void) | undefined;
}

/**
 * Finds nodes on the local networks by multicast DNS, with a socket of its own for each interface's address: one for
 * all would speak only where the default route leads, and nowhere on a machine without one.
 */
export class Discovery {
  readonly #components: { clock: Clock };
  readonly #init: DiscoveryInit;
  readonly #outlets = new Map<string, Outlet>();
  readonly #nodes = new FoundNodes(2 * ANNOUNCEMENT_TTL_S * 1_000);
  #interfaces: Interfaces = { usable: [], problems: [] };
  #cancelInterfaces = (): void => undefined;
  #cancelQuery = (): void => undefined;
  readonly #searches = new Set<() => void>();
  #running = false;

  constructor(components: { clock: Clock }, init: DiscoveryInit) {
    this.#components = components;
    this.#init = init;
  }

  async start(): Promise<void> {
    this.#running = true;
    await this.#watchInterfaces();
    this.#queryAgain();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#cancelInterfaces();
    this.#cancelQuery();
    for (const cancel of this.#searches) cancel();
    this.#searches.clear();
    const outlets = [...this.#outlets.values()];
    this.#outlets.clear();
    const announcement = this.#init.announcement();
    await Promise.all(
      outlets.map(async ({ socket, cancelAnnounce }) => {
        cancelAnnounce?.();
        if (announcement !== undefined) await socket.goodbye(announcement);
        await socket.close();
      }),
    );
  }

  /** Asks who is there, and says who is here: at once, and twice more. */
  search(): void {
    for (const cancel of this.#searches) cancel();
    this.#searches.clear();
    for (const delayMs of EARLY_QUERIES_MS) {
      const cancel = this.#components.clock.after(delayMs, () => {
        this.#searches.delete(cancel);
        this.#query();
        this.announce();
      });
      this.#searches.add(cancel);
    }
  }

  announce(): void {
    for (const outlet of this.#outlets.values()) this.#announceOn(outlet);
  }

  status(): MeshStatus['interfaces'] {
    return [
      ...[...this.#outlets.values()].map(({ on, socket }) => {
        const problem = listensAt(this.#init.listen, on.address)
          ? socket.problem
          : 'This node does not listen there.';
        return { name: on.name, address: on.address, ...(problem === undefined ? {} : { problem }) };
      }),
      ...this.#interfaces.problems.map((problem) => ({ address: '', ...problem })),
    ];
  }

  async #watchInterfaces(): Promise<void> {
    await this.#readInterfaces();
    if (!this.#running) return;
    this.#cancelInterfaces = this.#components.clock.after(
      INTERFACES_EVERY_MS,
      () => void this.#watchInterfaces(),
    );
  }

  #queryAgain(): void {
    this.#cancelQuery = this.#components.clock.after(QUERY_EVERY_MS, () => {
      this.#query();
      this.#queryAgain();
    });
  }

  async #readInterfaces(): Promise<void> {
    const read = readInterfaces(this.#init.interfaces);
    // What was known stands until the system can tell again.
    if (read === undefined) return;
    this.#interfaces = read;
    const usable = this.#interfaces.usable.slice(0, SOCKETS_MAX);
    const keys = new Set(usable.map(keyOf));
    for (const [key, outlet] of [...this.#outlets]) {
      if (keys.has(key) && !outlet.socket.hasFailed) continue;
      this.#outlets.delete(key);
      outlet.cancelAnnounce?.();
      await outlet.socket.close();
    }
    let isNew = false;
    for (const on of usable) {
      if (this.#outlets.has(keyOf(on)) || !this.#running) continue;
      const socket = await createMulticastSocket({
        serviceName: this.#init.serviceName,
        address: on.address,
        asked: (from) => this.#onQuery(from),
        heard: (record, from) => this.#onRecord(record, from),
      });
      if (!this.#running) {
        await socket.close();
        return;
      }
      this.#outlets.set(keyOf(on), {
        on,
        socket,
        announcedAtMs: Number.NEGATIVE_INFINITY,
        cancelAnnounce: undefined,
      });
      isNew = true;
    }
    if (isNew && this.#running) this.search();
  }

  #query(): void {
    for (const { socket } of this.#outlets.values()) socket.query();
  }

  /** Every socket hears every packet; the answer goes out where the question came from. */
  #onQuery(from: RemoteInfo): void {
    const outlets = [...this.#outlets.values()];
    const near = outlets.filter(({ on }) => isNear(from.address, on));
    for (const outlet of near.length > 0 ? near : outlets) this.#announceOn(outlet);
  }

  #announceOn(outlet: Outlet): void {
    if (outlet.cancelAnnounce !== undefined || !this.#running) return;
    const { clock } = this.#components;
    const waitMs = outlet.announcedAtMs + ANNOUNCE_EVERY_MS - clock.now();
    const send = (): void => {
      outlet.cancelAnnounce = undefined;
      outlet.announcedAtMs = clock.now();
      const announcement = this.#init.announcement();
      if (announcement !== undefined && listensAt(this.#init.listen, outlet.on.address))
        outlet.socket.announce(announcement);
    };
    if (waitMs <= 0) send();
    else outlet.cancelAnnounce = clock.after(waitMs, send);
  }

  #onRecord(record: IncomingRecord, from: RemoteInfo): void {
    const read = readAnnouncement(this.#init.serviceName, record);
    if (read === undefined || !this.#running) return;
    const { announcement, isGoodbye } = read;
    const { peer } = announcement;
    if (peer === this.#init.self) return;
    if (isGoodbye) return this.#nodes.forget(peer);
    const node = this.#nodes.see(announcement, from.address, this.#components.clock.now());
    if (node !== undefined) this.#init.found(node);
    this.#init.seen(peer);
  }
}

const keyOf = ({ name, address, netmask }: InterfaceAddress): string => `${name} ${address} ${netmask}`;
