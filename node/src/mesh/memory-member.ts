import type { BlobHash, FarmId, PeerId } from '@cuadro/protocol';
import { identityOf } from '../system/identity.ts';
import type { SignalOption } from '../system/interface.ts';
import { MeshError, meshStopped, peerUnreachable, tooLarge } from './errors.ts';
import type * as mesh from './interface.ts';
import { ADDRESSES_PER_PEER_MAX, GOSSIP_BYTES_MAX, LOBBY_BYTES_MAX, MESSAGE_BYTES_MAX } from './limits.ts';
import type { MemoryStream } from './memory-stream.ts';
import { farmProtocols, farmTopics, lobbyProtocols } from './names.ts';
import { Listeners, Tally } from './tally.ts';

/** What a mesh of the twin needs of the network that it hangs on. */
export interface MemoryWire {
  /** Something that decides who is connected with whom has changed. */
  changed(mesh: MemoryMesh): void;
  started(mesh: MemoryMesh): void;
  stopped(mesh: MemoryMesh): void;
  /** Says anew who it is, to those that hear its multicast. */
  announce(mesh: MemoryMesh): void;
  search(mesh: MemoryMesh): void;
  /** Puts an action on the connection between the two; dropped with it. */
  post(from: MemoryMesh, to: PeerId, action: (to: MemoryMesh) => void): void;
  gossip(origin: MemoryMesh, topic: mesh.GossipTopic, bytes: Uint8Array): void;
  openStream(from: MemoryMesh, to: PeerId): readonly [MemoryStream, MemoryStream];
  askLobby(from: MemoryMesh, address: string, request: Uint8Array): Promise<LobbyReply | undefined>;
  provide(mesh: MemoryMesh, farm: FarmId, hash: BlobHash): void;
  providers(farm: FarmId, hash: BlobHash): readonly PeerId[];
}

export interface LobbyReply {
  readonly peer: PeerId;
  readonly answer: Uint8Array;
}

/** The twin of a machine's mesh: the same contract without a socket. Made by `createMemoryNetwork`. */
export class MemoryMesh implements mesh.Mesh {
  readonly self: PeerId;
  readonly init: mesh.MeshInit;
  readonly ports: { readonly mesh: number; readonly lobby: number };
  running = false;
  readonly #wire: MemoryWire;
  readonly #listeners = new Listeners();
  readonly #tally = new Tally();
  #membership: mesh.Membership | undefined;
  readonly #states = new Map<PeerId, mesh.PeerState>();
  #reachable: readonly PeerId[] | undefined;
  readonly #hints = new Map<PeerId, readonly string[]>();
  readonly #found = new Map<PeerId, string>();
  readonly #handlers = new Map<mesh.StreamProtocol, mesh.StreamHandler>();
  #lobby: mesh.LobbyHandler | undefined;

  /** `self` is whose key that is, for those who know it: deriving it costs more than all else here. */
  constructor(
    wire: MemoryWire,
    init: mesh.MeshInit,
    ports: { mesh: number; lobby: number },
    self: PeerId = identityOf(init.privateKey).peer,
  ) {
    this.self = self;
    this.#wire = wire;
    this.init = init;
    this.ports = ports;
  }

  async start(): Promise<void> {
    if (this.running) return;
    this.running = true;
    this.#wire.started(this);
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    this.#states.clear();
    this.#reachable = undefined;
    this.#found.clear();
    this.#wire.stopped(this);
  }

  subscribe(listener: mesh.MeshListener): () => void {
    return this.#listeners.add(listener);
  }

  setMembership(membership: mesh.Membership | undefined): void {
    const farmBefore = this.#membership?.farm;
    this.#membership = membership;
    if (!this.running) return;
    this.#wire.changed(this);
    if (membership?.farm !== farmBefore) this.#wire.announce(this);
  }

  addAddresses(peer: PeerId, addresses: readonly string[]): void {
    const known = this.#hints.get(peer) ?? [];
    const fresh = addresses.filter((address) => !known.includes(address));
    if (fresh.length === 0) return;
    this.#hints.set(peer, [...fresh, ...known].slice(0, ADDRESSES_PER_PEER_MAX));
    if (this.running) this.#wire.changed(this);
  }

  knownAddresses(peer: PeerId): readonly string[] {
    return this.#hints.get(peer) ?? [];
  }

  reachable(): readonly PeerId[] {
    this.#reachable ??= [...this.#states].filter(([, state]) => state === 'reachable').map(([peer]) => peer);
    return this.#reachable;
  }

  send(to: PeerId, message: Uint8Array): void {
    if (message.length > MESSAGE_BYTES_MAX) throw tooLarge('message', message.length, MESSAGE_BYTES_MAX);
    if (this.#states.get(to) !== 'reachable') return this.#tally.refuse('message-to-unreachable', to);
    this.#wire.post(this, to, (other) => other.#listeners.message(this.self, message));
  }

  gossip(topic: mesh.GossipTopic, message: Uint8Array): void {
    if (message.length > GOSSIP_BYTES_MAX) throw tooLarge('gossip', message.length, GOSSIP_BYTES_MAX);
    if (!this.running || this.#membership === undefined) {
      this.#tally.gossip.dropped += 1;
      return;
    }
    this.#tally.gossip.sent += 1;
    this.#wire.gossip(this, topic, message);
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
    if (!this.running) throw meshStopped();
    if (this.#states.get(peer) !== 'reachable') throw peerUnreachable(peer);
    const [mine, theirs] = this.#wire.openStream(this, peer);
    const { promise, resolve, reject } = Promise.withResolvers<mesh.MeshStream>();
    const onAbort = (): void => reject(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    let isOpening = true;
    mine.onClose(() => {
      if (isOpening) reject(peerUnreachable(peer));
    });
    this.#wire.post(this, peer, (other) => {
      const served = other.#handlers.has(protocol);
      this.#wire.post(other, this.self, () =>
        served
          ? resolve(mine)
          : reject(new MeshError('protocol-refused', `${peer} does not serve ${protocol}.`)),
      );
      if (served) other.#serveStream(protocol, theirs);
    });
    try {
      return await promise;
    } catch (error) {
      mine.abort(error);
      throw error;
    } finally {
      isOpening = false;
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  #serveStream(protocol: mesh.StreamProtocol, stream: MemoryStream): void {
    const handler = this.#handlers.get(protocol);
    if (handler === undefined) return stream.abort();
    const serve = async (): Promise<void> => {
      try {
        await handler(stream);
        await stream.end();
        stream.discard();
      } catch (error) {
        this.#tally.refuseNonsense(error, stream.peer);
        stream.abort(error);
      }
    };
    void serve();
  }

  serveLobby(handler: mesh.LobbyHandler): void {
    this.#lobby = handler;
  }

  async askLobby(
    addresses: readonly string[],
    request: Uint8Array,
    options: SignalOption = {},
  ): Promise<LobbyReply> {
    if (request.length > LOBBY_BYTES_MAX) throw tooLarge('request', request.length, LOBBY_BYTES_MAX);
    if (!this.running) throw meshStopped();
    for (const address of addresses) {
      options.signal?.throwIfAborted();
      const reply = await this.#wire.askLobby(this, address, request);
      if (reply !== undefined) return reply;
    }
    options.signal?.throwIfAborted();
    throw new MeshError('peer-unreachable', `No lobby answers at ${addresses.join(', ')}.`);
  }

  search(): void {
    if (this.running) this.#wire.search(this);
  }

  refuse(reason: string, peer: PeerId): void {
    this.#tally.refuse(reason, peer);
  }

  async provide(hash: BlobHash, options: SignalOption = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (!this.running || this.#membership === undefined) throw meshStopped();
    this.#wire.provide(this, this.#membership.farm, hash);
  }

  async *findProviders(hash: BlobHash, options: SignalOption = {}): AsyncGenerator<PeerId, void, void> {
    options.signal?.throwIfAborted();
    if (!this.running || this.#membership === undefined) throw meshStopped();
    for (const peer of this.#wire.providers(this.#membership.farm, hash)) {
      if (peer !== this.self && this.#membership.members.has(peer)) yield peer;
    }
  }

  status(): mesh.MeshStatus {
    const { mesh: meshAddress, lobby } = this.addresses();
    return {
      meshAddresses: this.running ? [meshAddress] : [],
      lobbyAddresses: this.running ? [lobby] : [],
      interfaces: this.running ? [{ name: 'memory', address: '127.0.0.1' }] : [],
      connected: this.reachable(),
      answersTo: this.#answersTo(),
      ...this.#tally.counts(),
    };
  }

  #answersTo(): mesh.MeshStatus['answersTo'] {
    const farm = this.running ? this.#membership?.farm : undefined;
    return {
      members: farm === undefined ? [] : farmProtocols(farm),
      topics: farm === undefined ? [] : farmTopics(farm),
      strangers: this.running ? lobbyProtocols : [],
    };
  }

  // What follows is the network's side.

  addresses(): { readonly mesh: string; readonly lobby: string } {
    return {
      mesh: `/ip4/127.0.0.1/tcp/${this.ports.mesh}`,
      lobby: `/ip4/127.0.0.1/tcp/${this.ports.lobby}`,
    };
  }

  /** Whether it would talk to `other`, and knows where it is or is known by it. */
  accepts(other: MemoryMesh): boolean {
    return this.isMember(other.self) && this.#membership?.farm === other.#membership?.farm;
  }

  isMember(peer: PeerId): boolean {
    return this.#membership?.members.has(peer) === true;
  }

  knowsAddressOf(peer: PeerId): boolean {
    return this.#hints.has(peer);
  }

  /** A hello went both ways: each knows from now on where the other is. */
  met(other: MemoryMesh): void {
    const address = other.addresses().mesh;
    const known = (this.#hints.get(other.self) ?? []).filter((hint) => hint !== address);
    this.#hints.set(other.self, [address, ...known].slice(0, ADDRESSES_PER_PEER_MAX));
    this.become(other.self, 'reachable');
  }

  turnedAwayBy(peer: PeerId): void {
    this.#tally.refuse('turned-away', peer);
  }

  /** Tells the listeners how a peer stands, where that is news. */
  become(peer: PeerId, state: mesh.PeerState): void {
    const before = this.#states.get(peer);
    if (!this.running || before === state) return;
    if (state === 'lost' && before !== 'reachable') return;
    this.#states.set(peer, state);
    this.#reachable = undefined;
    this.#listeners.peer(peer, state);
  }

  hearGossip(topic: mesh.GossipTopic, from: PeerId, bytes: Uint8Array): void {
    // It is passed on by all, and taken from members only.
    if (!this.isMember(from)) return this.#tally.refuse('gossip-not-of-a-member', from);
    this.#tally.gossip.received += 1;
    this.#listeners.gossip(topic, from, bytes);
  }

  async answerLobby(from: PeerId, request: Uint8Array): Promise<Uint8Array> {
    if (this.#lobby === undefined) throw new MeshError('protocol-refused', 'Nobody answers in this lobby.');
    const answer = await this.#lobby(from, request);
    if (answer.length > LOBBY_BYTES_MAX) throw tooLarge('answer', answer.length, LOBBY_BYTES_MAX);
    return answer;
  }

  announcement(): mesh.FoundNode {
    const { mesh: meshAddress, lobby } = this.addresses();
    return { peer: this.self, farm: this.#membership?.farm, lobby: [lobby], mesh: [meshAddress] };
  }

  hearAnnouncement(node: mesh.FoundNode): void {
    if (!this.running) return;
    if (this.isMember(node.peer)) this.addAddresses(node.peer, node.mesh);
    const text = JSON.stringify(node);
    if (this.#found.get(node.peer) === text) return;
    this.#found.set(node.peer, text);
    this.#listeners.found(node);
  }
}
