/** Bounds of what machines send each other, each with its reason. */

const KIBIBYTE = 2 ** 10;
const MEBIBYTE = 2 ** 20;

/** A message of the kept-open stream: a full batch of grants or records (RECORD_BYTES_MAX), and its envelope. */
export const MESSAGE_BYTES_MAX = MEBIBYTE + 4 * KIBIBYTE;
/** A gossiped message: each is carried once per neighbour, and larger ones delay the pulses behind them. */
export const GOSSIP_BYTES_MAX = 64 * KIBIBYTE;
/** A stranger's request in the lobby, and its answer: names, keys, three words, a farm's admission. */
export const LOBBY_BYTES_MAX = 64 * KIBIBYTE;
/** Farm, version and a machine's addresses. */
export const HELLO_BYTES_MAX = 8 * KIBIBYTE;

/** What one stream may hold between its peer and a slow reader, besides what is on the wire. */
export const STREAM_BUFFER_BYTES = 256 * KIBIBYTE;
/** What a member may be behind on its kept-open stream: a coordinator's worst second, and then it is cut. */
export const SEND_QUEUE_BYTES_MAX = 8 * MEBIBYTE;

/** Hints kept per peer: a machine has a few interfaces, and old addresses are dropped first. */
export const ADDRESSES_PER_PEER_MAX = 16;
/** Peers that hints are kept of: the largest farm and what else is on its network. */
export const PEERS_HINTED_MAX = 1_024;
/** A multiaddr of IP or host name, port and peer id. */
export const ADDRESS_LENGTH_MAX = 400;

/** Gossip that waits for somebody to hear it, while a node has only just connected. */
export const GOSSIP_WAITING_MAX = 64;
/** Pause before it is tried again with a peer whose stream is being opened: that takes some milliseconds on a network. */
export const GOSSIP_AGAIN_MS = 100;
/**
 * Gossip goes on over another connection with a peer so long after one ended: at once, and again since either side
 * may hear of the end late, and then lets go of what the other has opened anew.
 */
export const GOSSIP_MOVES_MS = [0, 250, 1_000] as const;
/** So often each peer is looked at whose stream could not be opened, or ended alone: gossipsub tries it once. */
export const GOSSIP_LOOK_MS = 5_000;

/**
 * Limits of the mesh on libp2p. Tests that wait for failures give shorter times; the ratios are what counts.
 * All times in milliseconds.
 */
export interface MeshLimits {
  /** A beat goes out at least so often, so that silence means something. */
  readonly beatMs: number;
  /** A member that was not heard for so long is lost: three beats, and a scheduler's worst hiccup under full load. */
  readonly silenceMs: number;
  /** Until a machine must have taken a connection: a LAN answers in 1 ms, a distant VPN in 300. */
  readonly connectMs: number;
  /** From there until both proved their keys: a node whose processors all render is slow to answer. */
  readonly upgradeMs: number;
  /** From there until the hello: one round trip. */
  readonly helloMs: number;
  /** Further addresses of one machine are tried beside the first after so long each. */
  readonly nextAddressMs: number;
  /** The first pause between attempts to reach a member; the following ones double… */
  readonly pauseMs: number;
  /** …up to here: a machine switched on is met within seconds even where multicast is blocked. */
  readonly pauseMaxMs: number;
  /** How long the higher of two peer ids leaves the dialling to the lower. */
  readonly yieldMs: number;
  /** A stream on which nothing moved for so long, while somebody waits, is given up. */
  readonly stallMs: number;
  /** Until a peer must have taken a stream. */
  readonly openMs: number;
  /** How long gossip waits for a first subscriber; later it is stale. */
  readonly gossipWaitMs: number;
  /** A query of the provider records: it asks a handful of machines, some of which are gone. */
  readonly queryMs: number;
  /** Until a lobby must have answered. */
  readonly lobbyMs: number;
}

export const defaultMeshLimits: MeshLimits = {
  beatMs: 1_000,
  silenceMs: 3_500,
  connectMs: 2_000,
  upgradeMs: 8_000,
  helloMs: 5_000,
  nextAddressMs: 250,
  pauseMs: 250,
  pauseMaxMs: 5_000,
  yieldMs: 1_000,
  stallMs: 30_000,
  openMs: 10_000,
  gossipWaitMs: 3_000,
  queryMs: 10_000,
  lobbyMs: 10_000,
};

/**
 * Streams that one member may have open here per protocol. Its own side refuses itself earlier (libp2p resolves the
 * stream too many, and then lets it fail).
 */
export const STREAMS_IN_MAX = 64;
export const STREAMS_OUT_MAX = 32;
/**
 * Streams that may arrive on a connection before this side has finished making it; one more ends the connection
 * (yamux's own bound is 10). A member opens as many as it may at once, of every protocol, as soon as its side is ready.
 */
export const EARLY_STREAMS_MAX = 4 * STREAMS_OUT_MAX;

/** Bulk data goes out in pieces that fill one message of noise (65,519 bytes) with yamux's header of 12. */
export const SLICE_BYTES = 65_507;
/** After so much of one stream everything else gets its turn: pulses stay prompt beside a greedy sender. */
export const BYTES_PER_TURN = 256 * KIBIBYTE;
/**
 * What a stream may have on its way. It stays below the 4 MiB at which a paused stream would be aborted, and is far
 * below yamux's 16 MiB, since other streams wait behind it on a slow link (84 ms at 100 Mbit/s). Less makes transfers
 * wait for each other's turn on a busy machine: 256 KiB moved a third of what 1 MiB does.
 */
export const STREAM_WINDOW_BYTES = MEBIBYTE;

/**
 * What may stand before a pulse where bulk goes by the same connection, as time: with the pulse itself, and what a busy
 * machine adds, it stays below half of the second by which one may be late. Less leaves the line empty whenever one of
 * the two, all of whose cores render, is not heard for a moment.
 */
export const BULK_AHEAD_MS = 200;
/** Bulk that may be out there before the line is known: 50 ms at 10 Mbit/s, and on a fast one doubled with each answer. */
export const ALLOWANCE_BYTES_FIRST = 64 * KIBIBYTE;
/** The least: less makes a stream of headers, and a line of 1 Mbit/s carries it in 130 ms. */
export const ALLOWANCE_BYTES_MIN = 16 * KIBIBYTE;
/** The most: what a line of 1 Gbit/s carries in 134 ms, and far more than it needs to be full. */
export const ALLOWANCE_BYTES_MAX = 16 * MEBIBYTE;
/** What was found of a line that carried no bulk for so long is found anew. */
export const ALLOWANCE_STALE_MS = 1_000;

/** A connection for bulk that nothing used for so long is ended; the next stream makes a new one in milliseconds. */
export const BULK_IDLE_MS = 60_000;
/** A member that could not be dialled for one is not tried again for so long: its streams share the first connection. */
export const BULK_RETRY_MS = 60_000;
/** Connections that one member may have here: two, and those that are being replaced. */
export const CONNECTIONS_PER_MEMBER_MAX = 4;

/** Connections per second and address: 128 nodes on one host may start together, and the rest tries again. */
export const MESH_CONNECTIONS_PER_SECOND = 64;
/** Connections that have not proved their key yet: some addresses' worth. */
export const MESH_CONNECTIONS_PENDING_MAX = 512;
/** Of these, from one address: a stranger that knocks without an end keeps no member out. */
export const MESH_CONNECTIONS_PENDING_PER_ADDRESS = 64;
/** Connections in all: the largest farm, twice for those that are being replaced. */
export const MESH_CONNECTIONS_MAX = 1_024;

/** The lobby serves strangers: few at a time, and few requests each. */
export const LOBBY_CONNECTIONS_MAX = 64;
export const LOBBY_CONNECTIONS_PENDING_MAX = 64;
/** Connections of one address, proved or not: a newcomer needs one at a time, and several may share an address. */
export const LOBBY_CONNECTIONS_PER_ADDRESS = 12;
export const LOBBY_CONNECTIONS_PER_SECOND = 16;
/** Requests that one address may make at once, and how many it regains each second. A newcomer asks once a second. */
export const LOBBY_REQUESTS_BURST = 20;
export const LOBBY_REQUESTS_PER_SECOND = 4;
/** Addresses whose requests are counted; beyond, the longest unheard are forgotten. */
export const LOBBY_ADDRESSES_MAX = 1_024;
