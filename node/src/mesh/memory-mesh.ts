import type { BlobHash, FarmId, PeerId } from '@cuadro/protocol';
import { identityOf } from '../system/identity.ts';
import type { Clock } from '../system/interface.ts';
import { MeshError } from './errors.ts';
import type { GossipTopic, Mesh, MeshInit } from './interface.ts';
import { MemoryLinks, type Session } from './memory-links.ts';
import { type LobbyReply, MemoryMesh, type MemoryWire } from './memory-member.ts';
import { MemoryStream } from './memory-stream.ts';

/** A network of twins in one process, with what can go wrong in a network at a test's command. */
export interface MemoryNetwork {
  /** A machine's mesh. A second one with the same key is that machine started anew. */
  mesh(init: MeshInit): Mesh;
  /**
   * Cuts the link between two. By default as a pulled cable: what is on the way waits, both notice after `detectMs`,
   * and until then a restored link goes on as if nothing had been. `reset` ends the connection at once instead;
   * with `oneWay` what `a` sends to `b` is swallowed and neither notices.
   */
  cut(a: PeerId, b: PeerId, options?: { readonly oneWay?: boolean; readonly reset?: boolean }): void;
  /** Ends whatever `cut` did between the two. */
  restore(a: PeerId, b: PeerId): void;
  /** Ends the connection between two, which meet again at once if they may. */
  reset(a: PeerId, b: PeerId): void;
  /** The process is gone: its peers see a reset, then a refusal. With `silent` its power is: they see nothing. */
  kill(peer: PeerId, options?: { readonly silent?: boolean }): void;
  /** What one says reaches the other after so long, both ways. Needs a clock. */
  delay(a: PeerId, b: PeerId, delayMs: number): void;
  /** Gossip for which this holds is lost; all arrives again with `undefined`. */
  dropGossip(lost: ((topic: GossipTopic, origin: PeerId, to: PeerId) => boolean) | undefined): void;
  /** Whether announcements are heard. */
  multicast(on: boolean): void;
}

export interface MemoryNetworkInit {
  /** Needed for delays and for the two times below. */
  readonly clock?: Clock;
  /** Until a silent cut is noticed. */
  readonly detectMs?: number;
  /** Until an attempt to reach somebody is given up as silent. */
  readonly dialMs?: number;
}

/** As the mesh on libp2p behaves: a ping each second, and the time that it may take. */
const defaultTimes = { detectMs: 3000, dialMs: 2000 };
/** Twins need ports only to be told apart. */
const firstPort = 20_001;

/** Delivery is asynchronous, in order for each pair, and the same in every run that does the same. */
export function createMemoryNetwork(init: MemoryNetworkInit = {}): MemoryNetwork {
  return new Network(init);
}

class Network implements MemoryNetwork, MemoryWire {
  readonly #links: MemoryLinks;
  readonly #detectMs: number;
  readonly #dialMs: number;
  /** The latest mesh of each key, running or not. */
  readonly #meshes = new Map<PeerId, MemoryMesh>();
  readonly #portsByPeer = new Map<PeerId, { mesh: number; lobby: number }>();
  readonly #silent = new Set<PeerId>();
  readonly #providers = new Map<string, Set<PeerId>>();
  #gossipLost: ((topic: GossipTopic, origin: PeerId, to: PeerId) => boolean) | undefined;
  #multicast = true;

  constructor(init: MemoryNetworkInit) {
    this.#links = new MemoryLinks(init.clock);
    const times = init.clock === undefined ? { detectMs: 0, dialMs: 0 } : defaultTimes;
    this.#detectMs = init.detectMs ?? times.detectMs;
    this.#dialMs = init.dialMs ?? times.dialMs;
  }

  mesh(init: MeshInit): Mesh {
    const { peer } = identityOf(init.privateKey);
    const free = firstPort + 2 * this.#portsByPeer.size;
    const ports = this.#portsByPeer.get(peer) ?? { mesh: free, lobby: free + 1 };
    this.#portsByPeer.set(peer, ports);
    return new MemoryMesh(this, init, {
      mesh: init.meshPort || ports.mesh,
      lobby: init.lobbyPort || ports.lobby,
    });
  }

  cut(a: PeerId, b: PeerId, options: { oneWay?: boolean; reset?: boolean } = {}): void {
    this.#links.between(a, b).state = options.oneWay === true ? 'swallows' : 'holds';
    if (options.oneWay === true) return;
    this.#links.between(b, a).state = 'holds';
    if (options.reset === true) return this.reset(a, b);
    const session = this.#links.session(a, b);
    if (session === undefined) return;
    this.#links.later(this.#detectMs, () => {
      if (!session.closed && this.#links.isCut(a, b)) this.#close(session);
    });
  }

  restore(a: PeerId, b: PeerId): void {
    this.#links.release(a, b);
    this.#links.release(b, a);
    this.#settle(a, b);
  }

  reset(a: PeerId, b: PeerId): void {
    const session = this.#links.session(a, b);
    if (session !== undefined) this.#close(session);
  }

  kill(peer: PeerId, options: { silent?: boolean } = {}): void {
    const mesh = this.#meshes.get(peer);
    if (mesh === undefined || !mesh.running) return;
    mesh.running = false;
    if (options.silent !== true) return this.stopped(mesh);
    this.#silent.add(peer);
    this.#links.later(this.#detectMs, () => {
      if (this.#silent.has(peer)) this.#closeAll(peer);
    });
  }

  delay(a: PeerId, b: PeerId, delayMs: number): void {
    this.#links.between(a, b).delayMs = delayMs;
    this.#links.between(b, a).delayMs = delayMs;
  }

  dropGossip(lost: ((topic: GossipTopic, origin: PeerId, to: PeerId) => boolean) | undefined): void {
    this.#gossipLost = lost;
  }

  multicast(on: boolean): void {
    this.#multicast = on;
    if (on) for (const mesh of this.#running()) this.announce(mesh);
  }

  changed(mesh: MemoryMesh): void {
    for (const other of this.#meshes.keys()) if (other !== mesh.self) this.#settle(mesh.self, other);
  }

  started(mesh: MemoryMesh): void {
    this.#meshes.set(mesh.self, mesh);
    this.#silent.delete(mesh.self);
    this.#closeAll(mesh.self);
    this.changed(mesh);
    this.announce(mesh);
    this.search(mesh);
  }

  stopped(mesh: MemoryMesh): void {
    if (this.#meshes.get(mesh.self) === mesh) this.#closeAll(mesh.self);
  }

  announce(mesh: MemoryMesh): void {
    for (const other of this.#running()) this.#announceTo(mesh, other);
  }

  search(mesh: MemoryMesh): void {
    for (const other of this.#running()) this.#announceTo(other, mesh);
  }

  #announceTo(mesh: MemoryMesh, other: MemoryMesh): void {
    const sameService =
      mesh.init.serviceName !== undefined && mesh.init.serviceName === other.init.serviceName;
    if (!this.#multicast || !sameService || other === mesh || this.#links.isCut(mesh.self, other.self))
      return;
    const node = mesh.announcement();
    this.#links.post(mesh.self, other.self, undefined, () => other.hearAnnouncement(node));
  }

  post(from: MemoryMesh, to: PeerId, action: (to: MemoryMesh) => void): void {
    const session = this.#links.session(from.self, to);
    const other = this.#meshes.get(to);
    if (session !== undefined && other !== undefined)
      this.#links.post(from.self, to, session, () => other.running && action(other));
  }

  /** Goes to neighbours directly, and on from them to those that the origin has no connection with. */
  gossip(origin: MemoryMesh, topic: GossipTopic, bytes: Uint8Array): void {
    const seen = new Set([origin.self]);
    const tree = new Map<PeerId, PeerId[]>();
    const members = [...this.#meshes.keys()].filter((peer) => origin.isMember(peer)).length;
    for (const peer of seen) {
      if (seen.size === members) break;
      const next = this.#links.neighbours(peer).filter((other) => !seen.has(other));
      const heard = next.filter((other) => this.#links.between(peer, other).state !== 'swallows');
      for (const other of heard) seen.add(other);
      tree.set(peer, heard);
    }
    const pass = (from: PeerId): void => {
      for (const to of tree.get(from) ?? []) {
        const mesh = this.#meshes.get(from);
        if (mesh === undefined) continue;
        this.post(mesh, to, (other) => {
          pass(to);
          if (this.#gossipLost?.(topic, origin.self, to) !== true)
            other.hearGossip(topic, origin.self, bytes);
        });
      }
    };
    pass(origin.self);
  }

  openStream(from: MemoryMesh, to: PeerId): readonly [MemoryStream, MemoryStream] {
    const session = this.#links.session(from.self, to);
    const ends = MemoryStream.pair(
      { peer: from.self, post: (action) => this.#links.post(from.self, to, session, action) },
      { peer: to, post: (action) => this.#links.post(to, from.self, session, action) },
    );
    for (const end of ends) {
      session?.streams.add(end);
      end.onClose(() => session?.streams.delete(end));
    }
    return ends;
  }

  async askLobby(from: MemoryMesh, address: string, request: Uint8Array): Promise<LobbyReply | undefined> {
    const other = [...this.#running()].find((mesh) => mesh.addresses().lobby === address);
    if (other === undefined || this.#links.isCut(from.self, other.self)) return undefined;
    const { promise, resolve, reject } = Promise.withResolvers<LobbyReply>();
    this.#links.post(from.self, other.self, undefined, () => {
      const reply = (action: () => void): void => this.#links.post(other.self, from.self, undefined, action);
      other.answerLobby(from.self, request).then(
        (answer) => reply(() => resolve({ peer: other.self, answer })),
        (error: unknown) =>
          reply(() =>
            reject(new MeshError('protocol-refused', `${other.self} refused the request.`, { cause: error })),
          ),
      );
    });
    return promise;
  }

  provide(mesh: MemoryMesh, farm: FarmId, hash: BlobHash): void {
    const key = `${farm}/${hash}`;
    const providers = this.#providers.get(key) ?? new Set();
    this.#providers.set(key, providers.add(mesh.self));
  }

  providers(farm: FarmId, hash: BlobHash): readonly PeerId[] {
    return [...(this.#providers.get(`${farm}/${hash}`) ?? [])];
  }

  *#running(): Generator<MemoryMesh> {
    for (const mesh of [...this.#meshes.values()]) if (mesh.running) yield mesh;
  }

  /** Connects the two or parts them, as their memberships and the link between them say. */
  #settle(a: PeerId, b: PeerId): void {
    const [one, other] = [this.#meshes.get(a), this.#meshes.get(b)];
    if (one === undefined || other === undefined) return;
    const session = this.#links.session(a, b);
    const mutual = one.accepts(other) && other.accepts(one);
    if (session !== undefined) {
      if (!mutual) this.#close(session);
      return;
    }
    const tries = (one.running && one.isMember(b) && one.knowsAddressOf(b)) || knocks(other, a);
    if (!tries) return;
    if (!one.running || !other.running || this.#links.isCut(a, b)) return this.#failToReach(one, other);
    if (!mutual) {
      if (knocks(one, b)) one.turnedAwayBy(b);
      if (knocks(other, a)) other.turnedAwayBy(a);
      return;
    }
    const opened = this.#links.open(a, b);
    this.#links.post(a, b, opened, () => other.met(one));
    this.#links.post(b, a, opened, () => one.met(other));
  }

  #failToReach(one: MemoryMesh, other: MemoryMesh): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      if (!knocks(from, to.self)) continue;
      const isSilent = (): boolean => this.#links.isCut(from.self, to.self) || this.#silent.has(to.self);
      if (!isSilent()) {
        this.#links.later(0, () => {
          if (!to.running) from.become(to.self, 'refused');
        });
        continue;
      }
      this.#links.later(this.#dialMs, () => {
        if (isSilent() && this.#links.session(from.self, to.self) === undefined)
          from.become(to.self, 'silent');
      });
    }
  }

  #close(session: Session): void {
    this.#links.close(session);
    const [a, b] = session.peers;
    const [one, other] = [this.#meshes.get(a), this.#meshes.get(b)];
    this.#links.later(0, () => one?.become(b, 'lost'));
    this.#links.later(0, () => other?.become(a, 'lost'));
    this.#settle(a, b);
  }

  #closeAll(peer: PeerId): void {
    for (const other of this.#links.neighbours(peer)) {
      const session = this.#links.session(peer, other);
      if (session !== undefined) this.#close(session);
    }
  }
}

/** Whether the first tries to reach the second. */
const knocks = (mesh: MemoryMesh, peer: PeerId): boolean =>
  mesh.running && mesh.isMember(peer) && mesh.knowsAddressOf(peer);
