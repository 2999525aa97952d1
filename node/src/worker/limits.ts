import { previewLongSide } from '../render/limits.ts';

/** Bounds of the worker, each with its reason. */
export const workerLimits = {
  /** Attempts that verify and store while the next one renders: more would only hide a slow disk. */
  finishingPerSlot: 2,
  /** Progress of one attempt is reported at most this often; people don't see more. */
  progressEveryMs: 250,
  /** A log larger than this keeps its beginning in the store and says that it was cut. */
  logBytesMax: 32 * 2 ** 20,
  /** Longest side of a thumbnail on the frame wall, in pixels, at twice its size on screen. */
  thumbnailLongSide: 320,
  previewLongSide,
  /** Rebuilt scenes kept when no attempt uses them: the current and the previous job's. */
  idleScenes: 2,
  /** Frames of a film that are fetched from other machines at the same time: few round trips, little waits in memory. */
  framesFetchedAtOnce: 64,
  /**
   * A scene is waited for so long where no machine that holds it can be reached: a holder that restarts is back by then,
   * and other jobs don't wait longer for the place.
   */
  sceneWaitMs: 20_000,
  /** A frame is waited for so long before it is looked again which of its results is in use, where no holder can be reached. */
  resultWaitMs: 10_000,
  /** And so long before its film is given back. */
  framesWaitMs: 60_000,
  /** A record that is on its way is looked for so often: gossip takes tens of milliseconds, an exchange 2 s or more. */
  recordLookMs: 100,
} as const;
