import type { BlobHash, FarmId, PeerId } from '@cuadro/protocol';
import type { SignalOption, Startable } from '../system/interface.ts';

/**
 * The way to other machines, and the only room that knows libp2p. It carries bytes between proven members of one
 * farm, finds nodes on the local network, and runs the lobby, which is all that a stranger can reach (DESIGN.md
 * sections 4 to 8). What the bytes mean is its users' business; nothing that a peer sends can make it throw.
 */

/** Gossip topics; each is scoped by the farm's id on the wire. */
export type GossipTopic = 'claims' | 'pulse' | 'records';
export const GOSSIP_TOPICS: readonly GossipTopic[] = ['claims', 'pulse', 'records'];

/** Protocols for streams of their own. `lobby` is apart: it runs on the lobby's host. */
export type StreamProtocol = 'sync' | 'blobs' | 'hold' | 'swarm';
export const STREAM_PROTOCOLS: readonly StreamProtocol[] = ['sync', 'blobs', 'hold', 'swarm'];

/**
 * How a member is to be reached, told when it changes, while the mesh runs. `reachable`: connected, and its hello proved the same farm. `lost`: the connection
 * ended, the reconnect loop tries again. `refused`: its machine answered that nobody listens. `silent`: attempts
 * to reach it time out. A member that answers and turns this node away (it does not regard it as a member, or has
 * another farm) changes no state; it is counted as `turned-away`.
 */
export type PeerState = 'reachable' | 'lost' | 'refused' | 'silent';

/** A node that announced itself on the local network: a hint, authenticated by nobody. Addresses are multiaddrs. */
export interface FoundNode {
  readonly peer: PeerId;
  /** The farm that it says it is of; absent while it has none. */
  readonly farm: FarmId | undefined;
  readonly lobby: readonly string[];
  readonly mesh: readonly string[];
}

/** Called synchronously and in order for each peer; listeners must not throw. */
export interface MeshListener {
  peer?(peer: PeerId, state: PeerState): void;
  /** A message of a member's kept-open stream. */
  message?(from: PeerId, bytes: Uint8Array): void;
  /** A gossiped message. `from` is its origin (signed), whoever passed it on; own messages are not delivered. */
  gossip?(topic: GossipTopic, from: PeerId, bytes: Uint8Array): void;
  /** A node was seen on the local network; repeated when its announcement changes. */
  found?(node: FoundNode): void;
}

/** Who belongs to the farm now. Connections of everybody else are refused and closed. */
export interface Membership {
  readonly farm: FarmId;
  /** All members, this node included. */
  readonly members: ReadonlySet<PeerId>;
}

/**
 * A two-way stream with back-pressure. Chunks keep their order, not their borders. That it ended well is no proof of
 * completeness: length and hash are.
 */
export interface MeshStream {
  readonly peer: PeerId;
  /**
   * Resolves when the sender may go on; never lets bulk delay pulses and beacons. Rejects once the stream failed. The
   * chunk must not change until it resolves; then its memory is the caller's again.
   */
  write(chunk: Uint8Array, options?: SignalOption): Promise<void>;
  /** No more will be written; the other side's `chunks` end. */
  end(): Promise<void>;
  /**
   * What comes in, read once; the sender waits while nobody reads. Throws where the stream was cut, and drops what was
   * not read by then.
   */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Cuts both ways at once. Idempotent. */
  abort(reason?: unknown): void;
}

/** When it resolves, the stream is ended from this side, and what still comes is let go. */
export type StreamHandler = (stream: MeshStream) => Promise<void>;

/** What a node's lobby answers to a stranger (or to a member that isn't let in yet). */
export type LobbyHandler = (from: PeerId, request: Uint8Array) => Promise<Uint8Array>;

/** How the mesh stands, for people and metrics. */
export interface MeshStatus {
  readonly meshAddresses: readonly string[];
  readonly lobbyAddresses: readonly string[];
  /** Interfaces that announcements went out on, and why not on others. */
  readonly interfaces: readonly {
    readonly name: string;
    readonly address: string;
    readonly problem?: string;
  }[];
  readonly connected: readonly PeerId[];
  /** What each host answers to; what isn't in `names.ts` has no business there. */
  readonly answersTo: {
    readonly members: readonly string[];
    readonly topics: readonly string[];
    readonly strangers: readonly string[];
  };
  readonly gossip: { readonly sent: number; readonly received: number; readonly dropped: number };
  /** What peers sent that was of no use, by reason, and the last sender of each. */
  readonly refused: Readonly<Record<string, { readonly count: number; readonly peer: PeerId | undefined }>>;
}

/**
 * Errors: `MeshError` with the codes `peer-unreachable`, `protocol-refused`, `stream-cut`, `stream-stalled`,
 * `too-large`, `mesh-stopped`.
 */
export interface Mesh extends Startable {
  readonly self: PeerId;
  subscribe(listener: MeshListener): () => void;
  /** Undefined: no farm yet; only lobby and discovery work. */
  setMembership(membership: Membership | undefined): void;
  /** Hints where a peer may be reached, tried by the reconnect loop from now on. */
  addAddresses(peer: PeerId, addresses: readonly string[]): void;
  /** Where a member was last reached, for the next start. */
  knownAddresses(peer: PeerId): readonly string[];
  /** Members that are reachable now. */
  reachable(): readonly PeerId[];
  /**
   * Sends on the kept-open stream, in order and without gaps while the peer stays reachable: one that reads too slowly
   * is lost. To one that isn't reachable it is dropped and counted. Throws `too-large`.
   */
  send(to: PeerId, message: Uint8Array): void;
  /** Best effort, at most once, in no order. Throws `too-large`. */
  gossip(topic: GossipTopic, message: Uint8Array): void;
  /** Who serves a protocol; one handler each, set before start. A handler that throws has its stream aborted. */
  serve(protocol: StreamProtocol, handler: StreamHandler): void;
  open(peer: PeerId, protocol: StreamProtocol, options?: SignalOption): Promise<MeshStream>;
  /** Who answers in the lobby; set before start. */
  serveLobby(handler: LobbyHandler): void;
  /**
   * Asks the lobby at one of these addresses; the answer comes from the peer that proved its key (and is the one that
   * the addresses name, where they do). Rejects with `protocol-refused` where the lobby says no.
   */
  askLobby(
    addresses: readonly string[],
    request: Uint8Array,
    options?: SignalOption,
  ): Promise<{ peer: PeerId; answer: Uint8Array }>;
  /** Looks around again at once. */
  search(): void;
  /** Tells the farm that this node holds a blob (kad-dht provider record). */
  provide(hash: BlobHash, options?: SignalOption): Promise<void>;
  /** Members that said so, as they are found; a hint, since they may be gone. */
  findProviders(hash: BlobHash, options?: SignalOption): AsyncIterable<PeerId>;
  /** What this peer sent was of no use to whoever read it: counted with what the mesh itself refuses (SPEC R120). */
  refuse(reason: string, peer: PeerId): void;
  status(): MeshStatus;
}

/** Settings of a mesh; where it may be seen is the caller's choice, so that tests never meet a real farm. */
export interface MeshInit {
  /** The node's Ed25519 key, raw: 32 bytes of seed. */
  readonly privateKey: Uint8Array;
  /** Listen on these IP addresses; `0.0.0.0` and `::` for all. */
  readonly listen: readonly string[];
  /** 0 for any. */
  readonly meshPort: number;
  readonly lobbyPort: number;
  /** Service name of the announcements, `cuadro` for people's farms; undefined switches discovery off. */
  readonly serviceName: string | undefined;
  /** Multicast only on these interfaces (by name); all that are up by default. */
  readonly interfaces?: readonly string[];
}
