import type { Epoch, PeerId, Pulse } from '@cuadro/protocol';

/**
 * Who leads, as this node sees it (SPEC R40 to R44). A node looks for a coordinator, follows one, or leads. States
 * hold only what they need; `election.ts` has the transitions.
 */

export interface Looking {
  role: 'looking';
  /** Monotonic time at which the search began, and at which the first member was met in it. */
  since: number;
  metAt: number | undefined;
}

export interface Following {
  role: 'following';
  epoch: Epoch;
  /** Monotonic time of the latest pulse, whichever way it came. */
  heardAt: number;
  /** Of the latest pulse. */
  sequence: number;
  /** Of the latest pulse whose rows were taken: they may come later than the rest of it (SPEC R121). */
  rowsSequence: number;
  successors: readonly PeerId[];
  /** The direct connection to the coordinator is cut since. */
  cutAt: number | undefined;
  /** A redial was refused: nobody listens there any more. */
  refusedAt: number | undefined;
  /** Members that were asked whether they lost the coordinator too → their answer, once it is there. */
  asked: Map<PeerId, boolean | undefined>;
  /** When they were asked last. */
  askedAt: number | undefined;
  /** Members that asked this node. */
  doubters: Set<PeerId>;
  beaconDueAt: number;
  /** The latest pulse names this node among those whose beacons don't arrive. */
  namedStale: boolean;
}

export interface Leading {
  role: 'leading';
  epoch: Epoch;
  /** Monotonic time at which it began. */
  since: number;
  /** Monotonic times at which results are to be looked at (SPEC R59): all, and those out of reach. */
  holdersCheckAt: number;
  awayCheckAt: number;
  /** Some machine was out of reach for long at the latest look. */
  someAway: boolean;
  /** Pulses of this reign; it goes on through a rise of the term. */
  pulses: number;
  pulseDueAt: number;
  /** What the latest of them said besides rows, and the members of a large farm that came since (SPEC R123). */
  latest: Pulse | undefined;
  newcomers: Set<PeerId>;
  /** Followers as the latest pulse told them: what counts when coordinators meet. */
  followers: number;
  /** Monotonic time from which on a beacon proves a follower: after a long gap, older ones lie in the sockets (R115). */
  followersFrom: number;
  /** Monotonic time at which another coordinator was heard last; undefined before the first. */
  rivalAt?: number;
  /** Successors of the reign before. */
  inherited: readonly PeerId[];
  /** What a new coordinator waits for before it grants. */
  collecting: { until: number; waiting: Set<PeerId> } | undefined;
  /** Machines whose rows changed since the latest pulse. */
  changed: Set<PeerId>;
  /** Machine → the pulse that told its row last. */
  told: Map<PeerId, number>;
}

export type Reign = Looking | Following | Leading;

/** Why the farm has the coordinator that it has. */
export type ReignCause = 'first' | 'lost' | 'yielded' | 'found';

/** One entry of the history that people see. */
export interface PastReign {
  epoch: Epoch;
  /** Milliseconds since 1970, for display. */
  wallTime: number;
  cause: ReignCause;
  /** For how long nobody led before it, as this node saw it, in milliseconds. */
  leaderlessMs: number;
  /** When it knew what the others hold and could grant, milliseconds since 1970; known to the one that led. */
  collectedAt?: number;
  /** When its first grant went out, milliseconds since 1970; known to the one that led. */
  firstGrantAt?: number;
}
