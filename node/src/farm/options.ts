import type { FarmOptions } from './interface.ts';

const MINUTE = 60_000;

export const defaultOptions: FarmOptions = {
  // Long enough to hear a farm on a sleepy Wi-Fi, random so that machines that are started together rarely found
  // a farm each (DESIGN.md section 8).
  listenMinMs: 2_000,
  listenMaxMs: 3_000,
  // An announced farm that doesn't answer holds up a first start no longer than this: announcements prove nothing.
  listenLimitMs: 10_000,
  // As a Zigbee bridge's permit-join: time to walk to the other machines.
  openMs: 15 * MINUTE,
  // A founding that is cut off within this time is completed at the next start.
  settleMs: 30_000,
  aloneMs: 20_000,
  // How often the node looks at what is to be done; each time at random between half and one and a half of it, so
  // that two farms that find each other busy don't do so for ever.
  roundMs: 1_000,
  // A lobby on a local network answers in milliseconds; a machine under full load in a second.
  askTimeoutMs: 2_000,
  // Other farms' doors open and close by people's hands.
  askAgainMs: 5_000,
  // A click on the other machine is to be felt on this one.
  waitingPollMs: 1_000,
  // Several polls may be lost before somebody vanishes from a door.
  newcomerKeptMs: 15_000,
  // Whoever was refused may try again, though not at once.
  refusedMs: 60_000,
  // A farm that was asked to take this one in, and never answered.
  intentMs: 30_000,
  presentMs: 5_000,
};

/** Newcomers at a door: more than people start at once; others are told that it is crowded. */
export const NEWCOMERS_MAX = 32;
/** Nodes of the local network that are kept in mind. */
export const NEIGHBOURS_MAX = 256;
/** Lobbies asked at the same time: each is a connection of its own. */
export const ASKED_AT_ONCE = 16;
/** A node that didn't answer so often in a row is forgotten until it announces itself again. */
export const FAILURES_MAX = 12;
/** The longest pause before one that doesn't answer is asked again. */
export const ASK_PAUSE_MAX_MS = 30_000;
/** Signatures of strangers checked per second, and at once: about 0.1 ms each, so a flood costs 2 % of a core. */
export const SIGNATURES_PER_SECOND = 200;
export const SIGNATURES_AT_ONCE = 600;
/** Farms that dissolved into this one, as far as this node took part in it. */
export const ABSORBED_MAX = 64;
/** Farms that a person wants to merge with. */
export const WANTED_MAX = 16;
/** A day: a door that stays open longer is no door. */
export const OPEN_MAX_MS = 24 * 60 * MINUTE;
/** The door's page is told at most so often. */
export const DOOR_GATHER_MS = 100;
/** Found nodes come in bursts; they are looked at together. */
export const FOUND_GATHER_MS = 20;
/** A node whose announcement changed is asked again this soon, and no sooner. */
export const FOUND_AGAIN_MS = 250;
