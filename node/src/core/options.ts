import type { CoreOptions } from './interface.ts';

/** Every number of the brain, with its reason. */
export const defaultOptions: CoreOptions = {
  /** Four missed beacons: a loaded machine may be late by two or three, and a frame costs more than 4 s. */
  leaseMs: 4_000,
  /** A machine that answers "nobody listens" has lost its node; 2 s leave room for one that restarts. */
  refusedMs: 2_000,
  /** Progress that people watch needs no more, and 128 machines cost 128 messages a second. */
  beaconIntervalMs: 1_000,
  /** One task ahead for each slot, so that a worker never waits for the answer to its result. */
  aheadPerSlot: 1,
  /** Three machines that fail alike have told enough: the task is at fault. */
  attemptsMax: 3,
  /** A frame that took five machines down must not take the sixth. */
  lostMax: 5,
  /** Three tasks failed here that others render: the machine is at fault. */
  setAsideAfter: 3,
  /** On the same machine a cause may pass (memory, a full disk), so the second pause is longer than the first. */
  retryPausesMs: [1_000, 5_000],
  /** Two a second: a lost coordinator shows within 1.5 s, and 128 machines get 256 messages a second. */
  pulseIntervalMs: 500,
  /** A busy machine is late by one pulse, seldom by two. */
  pulsesMissedMax: 3,
  /** One more, so that those who are asked have missed theirs, too: with their answers 2.1 s after the last pulse. */
  pulsesBeforeDoubt: 4,
  /** Where there is nobody to ask: a node that only stood still for a moment has been heard again by then. */
  pulsesBeforeLoneDoubt: 5,
  /** A pulse crosses a LAN in a few milliseconds, and a loaded machine in some tens. */
  successorStepMs: 150,
  /** Long past three missed pulses and five successors. */
  leaderlessMs: 5_000,
  /** Six pulses: whoever leads here would have been heard. */
  lookAmongMembersMs: 3_000,
  /** Other members may still be starting. */
  lookAloneMs: 5_000,
  /** An answer takes milliseconds; a machine that takes longer answers by its next beacon. */
  collectMs: 100,
  /** A laptop that is carried to another room is no reason to look at everything it holds. */
  holderAwayMs: 10_000,
  /** One copy that can't be reached for a minute counts as lost: rendering is cheaper than waiting. */
  renderAgainMs: 60_000,
  /** Two machines hold it, and both are away: they may have been switched off for lunch. */
  substituteMs: 600_000,
};

/** How often results out of reach are looked at anew. */
export const AWAY_CHECK_MS = 5_000;

/** After a substitute that failed: the next one a minute later, then at growing distances. */
export const SUBSTITUTE_PAUSE_MS = 60_000;
export const SUBSTITUTE_PAUSE_MAX_MS = 3_600_000;

/** Successors named in a pulse. */
export const SUCCESSORS_NAMED = 5;

/** A member whose beacons are older than this follows nobody: three are missed. */
export const BEACON_STALE_MS = 3_500;

/**
 * A member whose beacons are later than this is named in the pulse, and heard by way of others: two are missed, and
 * its word is there before its leases end.
 */
export const BEACON_LATE_MS = 2_500;

/** A beacon is overtaken by so many at most; a sequence that is lower still is of a node that was started again. */
export const BEACONS_OVERTAKING_MAX = 16;

/** Members that a successor asks whether they lost the coordinator too. */
export const DOUBTS_ASKED = 3;

/** A pulse in bytes, so that it stays under 16 KB: twice a second to each member, and by gossip. */
export const PULSE_BYTES = 16_000;

/**
 * Members that are told all rows directly, the surest way. Of more at work a pulse is full: at a hundred it would cost
 * the coordinator 3 MB a second, at a thousand 32.
 */
export const ROWS_DIRECT_MAX = 16;

/** Pulses in which every row is told at least once: 10 s. */
export const ROWS_TURN_PULSES = 20;

/** Ends of attempts told again to a new coordinator: what the old one may have heard alone. */
export const ENDS_KEPT = 256;

/**
 * And no older ones: replicas agree 5 s after a change, and a cut of a minute is followed by an exchange of records. A
 * thousand members that each told 256 ends would keep a new coordinator from granting for seconds.
 */
export const ENDS_TOLD_MS = 60_000;

/** Grants of jobs whose record or plan is on its way wait for so long before they are given back. */
export const EARLY_GRANT_MS = 15_000;

/**
 * A machine that got a job's scene from nobody gets no frames of it for so long, doubled each time: it may reach a holder
 * meanwhile without the coordinator's noticing, and each try costs others 20 s of a place.
 */
export const SCENE_PAUSE_MS = 30_000;
export const SCENE_PAUSE_MAX_MS = 120_000;

/** Coordinators remembered for the history that people see. */
export const REIGNS_KEPT = 50;

/** Engines whose version shows in what they make; within one job it is never mixed (SPEC R51). */
export const VERSIONED_ENGINES: ReadonlySet<string> = new Set(['blender', 'ffmpeg']);

/** Render times kept for each group of a job: enough for a median that follows a film's changing scenes. */
export const DURATIONS_KEPT = 63;

/** Thumbnails shown for a job. */
export const THUMBNAILS_SHOWN = 4;

/** Tasks of a job up to which all are looked at when one of its newest thumbnails went: some milliseconds. */
export const THUMBNAILS_SOUGHT_MAX = 10_000;

/** Machines named in one sentence; more would not be read. */
export const MACHINES_NAMED = 3;

/** Jobs of fewer tasks get their plan after the start, with all that others wait for then; few have more. */
export const PLAN_FIRST_TASKS = 1_000;

/** Between two buckets of records that are packed after a start: 2 ms of every 25, so that nothing else waits. */
export const PACK_EVERY_MS = 25;
