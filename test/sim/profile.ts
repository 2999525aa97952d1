import { Dice } from './dice.ts';

/** What a run is like; everything follows from its seed. */
export interface Profile {
  readonly machines: number;
  readonly slots: number;
  /** Whether all are members of one farm from the begin; else they find each other. */
  readonly isFounded: boolean;
  /** Whether it is two farms, each with jobs of its own, which a person makes one. */
  readonly isSplit: boolean;
  /** Messages as bytes and signatures as keys make them. */
  readonly isExact: boolean;
  /** Whether machines write diaries, as they do in the simulated night. */
  readonly keepsDiary?: boolean;
  /** Clocks are wrong by at most this share, and wall clocks by so many milliseconds. */
  readonly clockSkew: number;
  readonly wallSkewMs: number;
  /** Whether clocks add what their machines slept, as the node's own does; else they stand still for good. */
  readonly addsSleep?: boolean;
  /** Whether machines come to lead as they have just woken, and their sleep shows only then; for profiles by hand. */
  readonly wakesToLead?: boolean;
  /** Whether files rot, and are read, where others are copying what they belong to; for profiles by hand. */
  readonly rotsInCopies?: boolean;
  /** Whether whoever leads has slow links to all others; for profiles by hand. */
  readonly leadsFromAfar?: boolean;
  /** Length of the phase with faults, in virtual milliseconds. */
  readonly faultyMs: number;
  readonly jobs: number;
  /** What a task takes on average. */
  readonly taskMs: number;
  /** Whether a machine is destroyed, removed by somebody, or comes new; at most one of each. */
  readonly destroys: boolean;
  readonly removes: boolean;
  /** Whether the removed machine's node was changed: it takes no record of its removal, and goes on as a member. */
  readonly isStubborn?: boolean;
  readonly joins: boolean;
  /** Machines that somebody has leave the farm in order. */
  readonly leaves: number;
  /** Whether one machine is switched off when all else is healed, and stays so. */
  readonly staysOff: boolean;
  /** Mean time between two faults, and between two things that people do. */
  readonly faultEveryMs: number;
  readonly actEveryMs: number;
}

/** One run in so many goes through the codec and real signatures. */
const EXACT_EVERY = 8;
/** Share of runs in which machines leave, of those where none is lost. */
const LEAVES = 0.35;
/** Share of runs in which a clock adds what its machine slept. */
const ADDS_SLEEP = 0.5;

export function profileOf(seed: bigint): Profile {
  const dice = new Dice(seed).fork('profile');
  const machines = dice.weighted([
    [1, 2],
    [3, 3],
    [3, 4],
    [5, 5],
    [2, 6],
    [1, 7],
  ]);
  const isFounded = dice.chance(0.85);
  const fate = dice.float();
  return {
    machines,
    slots: dice.chance(0.2) ? 2 : 1,
    isFounded,
    isSplit: isFounded && machines >= 4 && fate >= 0.7 && fate < 0.85,
    isExact: dice.whole(1, EXACT_EVERY) === 1,
    clockSkew: dice.chance(0.3) ? 0.02 : 0.0001,
    wallSkewMs: dice.chance(0.3) ? 86_400_000 : 50,
    // Thrown apart, so that all else of a seed stays as it was.
    addsSleep: new Dice(seed).fork('sleep').chance(ADDS_SLEEP),
    faultyMs: dice.between(30_000, 120_000),
    jobs: dice.whole(2, 6),
    taskMs: dice.weighted([
      [2, 1_500],
      [3, 4_000],
      [2, 10_000],
    ]),
    destroys: isFounded && machines >= 3 && fate < 0.2,
    removes: isFounded && machines >= 3 && fate >= 0.2 && fate < 0.35,
    // A machine that was changed, or only one that somebody has sold.
    isStubborn: fate >= 0.2 && fate < 0.275,
    staysOff: fate >= 0.35 && fate < 0.7,
    joins: isFounded && machines < 7 && dice.chance(0.2),
    leaves: isFounded && machines >= 3 && fate >= 0.35 ? leavesOf(seed, machines) : 0,
    faultEveryMs: dice.between(2_000, 7_000),
    actEveryMs: dice.between(2_000, 9_000),
  };
}

/** Thrown apart, so that all else of a seed stays as it was before machines left. Two at once leave two others. */
function leavesOf(seed: bigint, machines: number): number {
  const dice = new Dice(seed).fork('leaves');
  if (!dice.chance(LEAVES)) return 0;
  return machines >= 4 && dice.chance(0.3) ? 2 : 1;
}
