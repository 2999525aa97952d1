import type { BlobHash, FarmId, PeerId } from '@cuadro/protocol';
import { MeshError } from '../../node/src/mesh/errors.ts';
import type { GossipTopic, MeshInit } from '../../node/src/mesh/interface.ts';
import { defaultMeshLimits } from '../../node/src/mesh/limits.ts';
import { type LobbyReply, MemoryMesh, type MemoryWire } from '../../node/src/mesh/memory-member.ts';
import { MemoryStream } from '../../node/src/mesh/memory-stream.ts';
import { Dialling } from './dialling.ts';
import type { Dice } from './dice.ts';
import { Gossip } from './gossip.ts';
import type { Host } from './host.ts';
import { Pair, type Session, type Way } from './links.ts';
import type { Timeline } from './timeline.ts';

/** What hangs on the network: the machine, and the mesh of the process that it runs last. */
export interface Station {
  readonly host: Host;
  readonly ports: { readonly mesh: number; readonly lobby: number };
  mesh: MemoryMesh | undefined;
  /** Whether the machine itself is on: one that is answers for a process that isn't there. */
  powered: boolean;
}

/** Messages that were passed over by anybody, for the figures. */
export interface Traffic {
  parcels: number;
  gossiped: number;
  /** Gossip that a node heard which its process had heard before it was started anew. */
  replayed: number;
  /** Gossip that came to a process after what the same machine said later on the same topic. */
  disordered: number;
}

const FIRST_PORT = 20_001;
/** Announcements may be lost, so the network is asked again and again. */
const SEARCH_EVERY_MS = 30_000;

/**
 * The virtual network below the mesh's memory twin: ordered connections that lose nothing while they last, as TCP
 * makes them, over ways that delay, lose, swallow and come back; gossip that is lost, comes in any order, and is heard
 * again by those who forgot it.
 */
export class SimWire implements MemoryWire {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly traffic: Traffic = { parcels: 0, gossiped: 0, replayed: 0, disordered: 0 };
  readonly #stations = new Map<PeerId, Station>();
  /** In the order in which they first had to do with each other, and by either of the two. */
  readonly #pairs: Pair[] = [];
  readonly #pairsOf = new Map<PeerId, Map<PeerId, Pair>>();
  readonly #dialling: Dialling;
  readonly #gossip: Gossip;
  readonly #providers = new Map<string, Set<PeerId>>();
  /** Share of gossip that is lost on each hop, and of messages that a restarted node hears once more. */
  gossipLoss = 0;
  gossipReplay = 0;

  constructor(timeline: Timeline, dice: Dice) {
    this.timeline = timeline;
    this.dice = dice;
    this.#dialling = new Dialling(this);
    this.#gossip = new Gossip(this);
  }

  station(peer: PeerId, host: Host): Station {
    const port = FIRST_PORT + 2 * this.#stations.size;
    const station: Station = {
      host,
      ports: { mesh: port, lobby: port + 1 },
      mesh: undefined,
      powered: true,
    };
    this.#stations.set(peer, station);
    return station;
  }

  of(peer: PeerId): Station {
    return this.#stations.get(peer) as Station;
  }

  stations(): Iterable<[PeerId, Station]> {
    return this.#stations;
  }

  mesh(peer: PeerId, init: MeshInit): MemoryMesh {
    return new MemoryMesh(this, init, this.of(peer).ports, peer);
  }

  pair(a: PeerId, b: PeerId): Pair {
    return this.#pairsOf.get(a)?.get(b) ?? this.#newPair(a, b);
  }

  #newPair(a: PeerId, b: PeerId): Pair {
    const pair = a < b ? new Pair(a, b) : new Pair(b, a);
    this.#pairs.push(pair);
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const)
      this.#pairsOf.set(one, (this.#pairsOf.get(one) ?? new Map<PeerId, Pair>()).set(other, pair));
    return pair;
  }

  way(from: PeerId, to: PeerId): Way {
    return this.pair(from, to).way(from);
  }

  // Faults.

  /** Nothing gets through from one to the other; what is under way waits for better times, as TCP repeats it. */
  cut(from: PeerId, to: PeerId): void {
    const way = this.way(from, to);
    if (way.isCut) return;
    way.isCut = true;
    this.look(from, to);
  }

  heal(from: PeerId, to: PeerId): void {
    const way = this.way(from, to);
    if (!way.isCut) return;
    way.isCut = false;
    this.look(from, to);
    // Repetitions come at growing distances, so what waited arrives a while after the way is open again.
    this.timeline.after(this.dice.between(1, 600), () => this.#flush(way));
  }

  /** What a machine's neighbours hear of it may have changed: its process stalls, goes on, or its power is cut. */
  lookAll(peer: PeerId): void {
    for (const other of this.#stations.keys()) if (other !== peer) this.look(peer, other);
  }

  /** The process is gone. With its power nobody is told; else its system resets what was open. */
  gone(peer: PeerId): void {
    const station = this.of(peer);
    if (station.mesh !== undefined) station.mesh.running = false;
    for (const pair of this.#pairs) {
      const { session } = pair;
      if (session === undefined || !pair.has(peer)) continue;
      this.#closeEnd(session, peer, station.powered);
    }
    this.lookAll(peer);
  }

  // What the twin of the mesh asks for.

  changed(mesh: MemoryMesh): void {
    for (const [peer, other] of this.#stations) {
      if (peer === mesh.self || other.mesh === undefined) continue;
      const pair = this.pair(mesh.self, peer);
      const { session } = pair;
      const mutual = mesh.accepts(other.mesh) && other.mesh.accepts(mesh);
      if (session?.isOpen(mesh.self) === true && !mesh.isMember(peer))
        this.#closeEnd(session, mesh.self, true);
      else if (session?.isOpen(mesh.self) !== true || !mutual) {
        this.#dialling.arm(mesh.self, peer, 1);
        this.#dialling.arm(peer, mesh.self, 1);
      }
    }
  }

  started(mesh: MemoryMesh): void {
    const station = this.of(mesh.self);
    station.mesh = mesh;
    station.powered = true;
    this.lookAll(mesh.self);
    this.changed(mesh);
    this.announce(mesh);
    this.search(mesh);
    this.#searchAgain(mesh);
    this.#gossip.begin(mesh);
  }

  #searchAgain(mesh: MemoryMesh): void {
    this.timeline.after(SEARCH_EVERY_MS, () => {
      const { mesh: latest, host } = this.of(mesh.self);
      if (latest !== mesh || !mesh.running) return;
      host.deliver(() => this.search(mesh));
      this.#searchAgain(mesh);
    });
  }

  stopped(mesh: MemoryMesh): void {
    if (this.of(mesh.self).mesh === mesh) this.gone(mesh.self);
  }

  announce(mesh: MemoryMesh): void {
    for (const { mesh: other } of this.#stations.values())
      if (other?.running === true) this.#announceTo(mesh, other);
  }

  search(mesh: MemoryMesh): void {
    for (const { mesh: other } of this.#stations.values())
      if (other?.running === true) this.#announceTo(other, mesh);
  }

  #announceTo(mesh: MemoryMesh, other: MemoryMesh): void {
    if (mesh === other || this.way(mesh.self, other.self).isCut) return;
    const node = mesh.announcement();
    this.timeline.after(this.way(mesh.self, other.self).latency(this.dice), () =>
      this.of(other.self).host.deliver(() => other.hearAnnouncement(node)),
    );
  }

  post(from: MemoryMesh, to: PeerId, action: (to: MemoryMesh) => void): void {
    const { session } = this.pair(from.self, to);
    if (session?.isOpen(from.self) !== true) return;
    this.#send(session, from.self, to, () => {
      const { mesh } = this.of(to);
      if (mesh?.running === true) action(mesh);
    });
  }

  gossip(origin: MemoryMesh, topic: GossipTopic, bytes: Uint8Array): void {
    this.#gossip.say(origin, topic, bytes);
  }

  openStream(from: MemoryMesh, to: PeerId): readonly [MemoryStream, MemoryStream] {
    const { session } = this.pair(from.self, to);
    const post = (sender: PeerId, receiver: PeerId) => (action: () => void) => {
      if (session?.isOpen(sender) === true) this.#send(session, sender, receiver, action);
    };
    const ends = MemoryStream.pair(
      { peer: from.self, post: post(from.self, to) },
      { peer: to, post: post(to, from.self) },
    );
    session?.carry(from.self, ends[0]);
    session?.carry(to, ends[1]);
    return ends;
  }

  askLobby(from: MemoryMesh, address: string, request: Uint8Array): Promise<LobbyReply | undefined> {
    const found = [...this.#stations].find(([, { mesh }]) => mesh?.addresses().lobby === address);
    const { promise, resolve, reject } = Promise.withResolvers<LobbyReply | undefined>();
    if (found === undefined) return Promise.resolve(undefined);
    const [peer, { host }] = found;
    const there = this.way(from.self, peer);
    const back = this.way(peer, from.self);
    const asker = this.of(from.self).host;
    const { life } = asker;
    const answer = (run: () => void): void => {
      if (back.isCut) return;
      this.timeline.after(back.latency(this.dice), () => {
        // A process that asked and ended gets none: what it would go on with is not for the next one's disk.
        if (asker.life === life) asker.deliver(run);
      });
    };
    // An attempt that leads nowhere ends after the time in which a machine must have taken a connection.
    const none = (): void => {
      asker.later(defaultMeshLimits.connectMs, () => resolve(undefined));
    };
    if (there.isCut || back.isCut || !this.of(peer).powered) {
      none();
      return promise;
    }
    this.timeline.after(there.latency(this.dice), () => {
      const { mesh } = this.of(peer);
      if (mesh?.running !== true) return answer(() => resolve(undefined));
      host.deliver(() => {
        mesh.answerLobby(from.self, request).then(
          (bytes) => answer(() => resolve({ peer, answer: bytes })),
          (error: unknown) =>
            answer(() => reject(new MeshError('protocol-refused', 'The lobby refused.', { cause: error }))),
        );
      });
    });
    return promise;
  }

  provide(mesh: MemoryMesh, farm: FarmId, hash: BlobHash): void {
    const key = `${farm}/${hash}`;
    this.#providers.set(key, (this.#providers.get(key) ?? new Set()).add(mesh.self));
  }

  providers(farm: FarmId, hash: BlobHash): readonly PeerId[] {
    return [...(this.#providers.get(`${farm}/${hash}`) ?? [])];
  }

  // Connections.

  /** Two that proved who they are: what was open between them before is closed. */
  connect(a: PeerId, b: PeerId): void {
    const pair = this.pair(a, b);
    const old = pair.session;
    if (old !== undefined) for (const peer of [a, b]) this.#closeEnd(old, peer, false);
    const session = pair.open();
    const [one, other] = [this.of(a).mesh, this.of(b).mesh];
    if (one === undefined || other === undefined) return;
    this.#send(session, a, b, () => other.met(one));
    this.#send(session, b, a, () => one.met(other));
    this.look(a, b);
    this.look(b, a);
  }

  #send(session: Session, from: PeerId, to: PeerId, run: () => void): void {
    const way = this.way(from, to);
    this.traffic.parcels += 1;
    const at = way.arrival(this.timeline.now, this.dice);
    this.timeline.after(at - this.timeline.now, () => {
      if (way.isCut || way.held.length > 0) way.held.push({ session, to, run });
      else this.#arrive(session, to, run);
    });
  }

  #arrive(session: Session, to: PeerId, run: () => void): void {
    this.of(to).host.deliver(() => {
      if (session.isOpen(to)) run();
    });
  }

  #flush(way: Way): void {
    if (way.isCut) return;
    for (const { session, to, run } of way.held.splice(0)) this.#arrive(session, to, run);
  }

  /**
   * Whoever hears nothing for the mesh's time of silence gives the connection up, although nobody told it anything:
   * looked at whenever a way falls silent.
   */
  look(from: PeerId, to: PeerId): void {
    const way = this.way(from, to);
    const { host, powered } = this.of(from);
    const silent = way.isCut || !powered || host.isStalled;
    if (!silent) {
      way.silentSince = undefined;
      return;
    }
    if (way.silentSince !== undefined) return;
    const since = this.timeline.now;
    way.silentSince = since;
    const { silenceMs, beatMs } = defaultMeshLimits;
    this.timeline.after(silenceMs - this.dice.between(0, beatMs), () => {
      const { session } = this.pair(from, to);
      if (way.silentSince !== since || session === undefined) return;
      this.of(to).host.deliver(() => this.#closeEnd(session, to, true), { isEnd: true });
    });
  }

  /** One side ends the connection; the other learns it if the way there carries. */
  #closeEnd(session: Session, peer: PeerId, tells: boolean): void {
    if (!session.isOpen(peer)) return;
    const other = session.other(peer);
    session.close(peer, new MeshError('stream-cut', 'The connection ended.'));
    this.of(peer).mesh?.become(other, 'lost');
    this.#dialling.arm(peer, other, 10);
    if (!tells) return;
    const way = this.way(peer, other);
    this.timeline.after(way.latency(this.dice), () => {
      const run = (): void => this.#closeEnd(session, other, false);
      // Like all that is sent it is repeated until it arrives: nobody holds a connection for ever that has no other end.
      if (way.isCut) way.held.push({ session, to: other, run });
      else this.of(other).host.deliver(run, { isEnd: true });
    });
  }
}
