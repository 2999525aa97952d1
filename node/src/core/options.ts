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
};

/** Engines whose version shows in what they make; within one job it is never mixed (SPEC R51). */
export const VERSIONED_ENGINES: ReadonlySet<string> = new Set(['blender', 'ffmpeg']);

/** Render times kept for each group of a job: enough for a median that follows a film's changing scenes. */
export const DURATIONS_KEPT = 63;

/** Thumbnails shown for a job. */
export const THUMBNAILS_SHOWN = 4;

/** Machines named in one sentence; more would not be read. */
export const MACHINES_NAMED = 3;
