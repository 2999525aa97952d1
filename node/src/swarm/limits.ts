/** Bounds of telling how scenes and frames travel, each with its reason. */
export const swarmWatchLimits = {
  /** What changed is told at most so often, in milliseconds: people read numbers no faster. */
  tellMs: 1_000,
  /** What has not changed is told again after so long, in milliseconds: a stream on which nothing moves is cut (30 s). */
  tellAgainMs: 10_000,
  /** Whoever looks is asked after so long whether it still does, in milliseconds: a page that is shown reads anew then. */
  wantedMs: 20_000,
  /** …and has so long to do it, in milliseconds, before the other machines are left in peace. */
  answerMs: 5_000,
  /** The first look waits so long for what others tell, in milliseconds: they answer within one hop, or are out of reach. */
  firstMs: 400,
  /** A machine whose stream ended is asked again after so long, in milliseconds. */
  againMs: 5_000,
  /** Streams of one other machine that are served at once: one, and one that is being replaced. */
  streamsPerPeer: 2,
  /** A machine that doesn't take what it is told for so long looks no more, in milliseconds. */
  stallMs: 10_000,
  /** Newest jobs that are looked at: making the view of one takes a part of a millisecond, and few are under way. */
  jobsLooked: 100,
  /** Scenes that are told. */
  bundlesTold: 32,
  /** Flows that are told: of a farm of a hundred more than anybody reads. */
  flowsTold: 64,
  /** Machines named as those that have all of a scene. */
  wholeNamed: 6,
  /** Machines named in one sentence. */
  sentenceNames: 3,
} as const;
