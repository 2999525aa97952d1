/** Bounds of what machines send each other, each with its reason. */

const KIBIBYTE = 2 ** 10;
const MEBIBYTE = 2 ** 20;

/** A message of the kept-open stream: a full batch of grants or records (RECORD_BYTES_MAX), and its envelope. */
export const MESSAGE_BYTES_MAX = MEBIBYTE + 4 * KIBIBYTE;
/** A gossiped message: each is carried once per neighbour, and larger ones delay the pulses behind them. */
export const GOSSIP_BYTES_MAX = 64 * KIBIBYTE;
/** A stranger's request in the lobby, and its answer: names, keys, three words, a farm's admission. */
export const LOBBY_BYTES_MAX = 64 * KIBIBYTE;
/** What one stream may hold between a writer and a slow reader, besides what is on the wire. */
export const STREAM_BUFFER_BYTES = 256 * KIBIBYTE;
/** Hints kept per peer: a machine has a few interfaces, and old addresses are dropped first. */
export const ADDRESSES_PER_PEER_MAX = 16;
/** A multiaddr of IP, port and peer id is under 120 characters. */
export const ADDRESS_LENGTH_MAX = 200;
