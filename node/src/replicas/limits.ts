/** The named bounds of synchronisation on this node, each with its reason; what all nodes share stands in the protocol. */

/**
 * Between two gossiped batches of one node, at least: each costs every other node a signature to check and a turn of
 * its loop, and a page that people watch is no fresher for less.
 */
export const GOSSIP_INTERVAL_MS = 100;
/**
 * Batches a second of all nodes together: with pulses and claims a farm of any size stays below 100 messages a second,
 * of which every node hears each one.
 */
export const FARM_BATCHES_PER_SECOND = 80;
/** Batches that a node may send before their turn, with what people do in them; their turns pass then. */
export const EARLY_BATCHES = 4;
/** A node whose batches were not heard for so long does not share in them; it is longer than any pause between two. */
export const GOSSIPING_MS = 2_000;
/** Own changes that may wait for gossip, some 10 MB; what is beyond goes by exchange, which is cheaper by then. */
export const WAITING_RECORDS_MAX = 20_000;

/** How long two may differ before they exchange (SPEC R47): gossip needs less unless it was lost. */
export const DIFFERENCE_MS = 2_000;
/** Own roots remembered: 20 s of a busy node's group commits. */
export const ROOTS_KEPT = 1_024;
/** Roots remembered of each peer: it tells one or two a second. */
export const PEER_ROOTS_KEPT = 8;
/** Peers whose roots are followed; a farm has 128 members. */
export const PEERS_FOLLOWED_MAX = 1_024;

/** How long all must have rested after what an exchange brought, until others are asked. */
export const SPREAD_MS = 1_000;
/** Others that are asked then: all of a small farm, and nearly all of a large one have it after some turns. */
export const SPREAD_TO = 4;

/** Exchanges opened at once: the loop has other work, and after the second the first has told most of the news. */
export const EXCHANGES_OPENED_MAX = 2;
/** Exchanges served at once: a coordinator may be asked by all, and each costs a page of memory and some of the loop. */
export const EXCHANGES_SERVED_MAX = 4;
/** After *busy*; an exchange of few records takes some tens of milliseconds. Doubled at random, so that all don't ask at once. */
export const BUSY_PAUSE_MS = 250;
/** After an exchange that was cut; doubled each time. */
export const FAILED_PAUSE_MS = 1_000;
export const FAILED_PAUSE_MAX_MS = 30_000;
/** After an exchange in vain, while the roots stay as they are; doubled each time. */
export const VAIN_PAUSE_MS = 4_000;
export const VAIN_PAUSE_MAX_MS = 60_000;
/** After an exchange that broke the rules; doubled each time. */
export const FAULT_PAUSE_MS = 10_000;
export const FAULT_PAUSE_MAX_MS = 300_000;

/** No whole frame for so long: the other may wait for its disk, and more than this means that it hangs. */
export const FRAME_STALL_MS = 20_000;
/** An exchange ends after so long; a first one of a million records takes about half of it. */
export const EXCHANGE_MAX_MS = 300_000;
/** Pages that are being stored at once: the next is checked while these go into one group commit. */
export const PAGES_STORING_MAX = 4;
/** Records reconciled at once, so that the keys in memory are bounded. */
export const RECORDS_AT_ONCE = 4_096;

/** Records handled in a row before others get their turn: 1 to 5 ms. */
export const RECORDS_PER_SLICE = 128;
/** Good signatures remembered: a job of many requests is checked again with each of its changes. */
export const SIGNATURES_REMEMBERED = 8_192;
/** Reasons kept apart; all are names in this room's code, so this only guards against a mistake of ours. */
export const REASONS_MAX = 64;
