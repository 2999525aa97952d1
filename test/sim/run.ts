import type { Changes } from '../../node/src/core/interface.ts';
import { leftMs, SETTLE_MS } from './bound.ts';
import { Busy } from './busy.ts';
import { Violation } from './checkers/checker.ts';
import { Checkers } from './checkers/checkers.ts';
import { SimFarm } from './farm.ts';
import { Faults } from './faults.ts';
import { Leavers } from './leavers.ts';
import type { Machine, Witness } from './machine.ts';
import { People } from './people.ts';
import { profileOf, type Profile } from './profile.ts';
import type { Tally } from './tally.ts';
import { Trace } from './trace.ts';

export interface RunInit {
  readonly trace?: (line: string) => void;
  /** Whether a sum over everything that happens is to be made. */
  readonly isTraced?: boolean;
  readonly profile?: Partial<Profile>;
}

export interface RunReport {
  readonly seed: bigint;
  readonly profile: Profile;
  readonly virtualMs: number;
  readonly events: number;
  readonly faults: number;
  readonly jobs: number;
  readonly results: number;
  /** How often each kind of thing happened. */
  readonly tally: Tally;
  /** Share of the time that the work left may take which it took. */
  readonly usedShare: number;
  readonly failure: { readonly rule: string; readonly sentence: string; readonly error: unknown } | undefined;
  /** Of the trace, where one was made. */
  readonly sum: string;
}

/** Lines of numbers that stay the same, so that a run may be told by them. */
const short = (peer: string): string => peer.slice(-4);

/** One whole run: a phase with faults and work, the healing, and what must then come to be. */
export async function simulate(seed: bigint, init: RunInit = {}): Promise<RunReport> {
  const profile = { ...profileOf(seed), ...init.profile };
  const isOn = init.isTraced === true || init.trace !== undefined;
  const trace = new Trace({ isOn, ...(init.trace !== undefined && { write: init.trace }) });
  const checkers = new Checkers();
  const farm: SimFarm = new SimFarm(
    seed,
    profile,
    witnessOf(trace, checkers, () => farm),
  );
  farm.note = (peer, what, more) =>
    trace.add(farm.timeline.now, peer === undefined ? '-' : (farm.of(peer)?.name ?? '?'), what, more);
  checkers.begin(farm);
  const faults = new Faults(farm, checkers);
  const people = new People(farm, (deed) => checkers.deed(deed));
  const leavers = new Leavers(farm, (deed) => checkers.deed(deed));
  let failure: RunReport['failure'];
  let usedShare = 0;
  try {
    lookAround(farm, checkers);
    faults.fates.plan(people, leavers);
    await faultyPhase(farm, faults, people);
    usedShare = await healedPhase({ farm, faults, people, leavers, checkers });
    farm.tally.outcome('old gossip heard once more', farm.wire.traffic.replayed);
    farm.tally.outcome('gossip out of order', farm.wire.traffic.disordered);
  } catch (error) {
    const rule = error instanceof Violation ? error.rule : 'error';
    failure = { rule, sentence: (error as Error).message, error };
    trace.add(farm.timeline.now, '-', 'FAILED', `${rule}: ${(error as Error).message}`);
  }
  return {
    seed,
    profile,
    virtualMs: farm.timeline.now,
    events: farm.timeline.events,
    faults: faults.log.count,
    jobs: people.jobs.length,
    results: checkers.results,
    tally: farm.tally,
    usedShare,
    failure,
    sum: isOn ? trace.sum() : '',
  };
}

/** Everything that is seen goes into the trace first, then to those who judge. */
export function witnessOf(trace: Trace, checkers: Checkers, farm: () => SimFarm): Witness {
  const note = (machine: Machine, what: string, more?: unknown): void =>
    trace.add(farm().timeline.now, machine.name, what, more);
  return {
    note: (peer, what, more) => farm().note(peer, what, more),
    decided: (machine, effects, input) => checkers.decided(machine, effects, input),
    sent: (machine, to, message) => {
      if (trace.isOn) note(machine, `> ${short(to)}`, message);
      checkers.sent(machine, to, message);
    },
    heard: (machine, from, message, isGossip) => {
      if (trace.isOn) note(machine, `< ${short(from)}`, message.kind);
      checkers.heard(machine, from, message, isGossip);
    },
    ran: (machine, grant) => {
      note(machine, 'run', grant);
      checkers.ran(machine, grant);
    },
    ended: (machine, attempt, how) => {
      note(machine, 'ended', `${attempt} ${how}`);
      checkers.ended(machine, attempt);
    },
    crashed: (machine) => checkers.crashed(machine),
    changed: (machine, changes) => {
      if (trace.isOn) note(machine, 'changed', changesOf(changes));
      checkers.changed(machine, changes);
    },
  };
}

const changesOf = ({ jobs, tasks, removed }: Changes): unknown => ({
  jobs,
  removed,
  tasks: tasks.map(({ job, indices }) => `${job}/${indices.join(',')}`),
});

/** Twice a second those look who judge by what lasts. */
export function lookAround(farm: SimFarm, checkers: Checkers): void {
  farm.timeline.after(LOOK_AROUND_MS, () => {
    checkers.look();
    lookAround(farm, checkers);
  });
}

async function faultyPhase(farm: SimFarm, faults: Faults, people: People): Promise<void> {
  const { profile, timeline, dice } = farm;
  const busy = new Busy(farm, people);
  for (const machine of farm.machines) timeline.after(dice.between(0, 3_000), () => machine.start());
  const again = (everyMs: number, act: () => void): void => {
    timeline.after(Math.min(dice.longTailed(everyMs), WITHIN_MS), () => {
      if (farm.isHealed) return;
      act();
      again(everyMs, act);
    });
  };
  timeline.after(profile.isFounded ? 2_000 : 6_000, () => {
    const [at] = farm.up().filter(({ queries }) => queries?.farmRecord() !== undefined);
    if (at !== undefined) people.submit(at);
    again(profile.actEveryMs, () => people.act());
    busy.begin();
    faults.begin();
    again(profile.faultEveryMs, () => faults.strike());
  });
  await timeline.run(profile.faultyMs);
  busy.end();
  const pauseMs = faults.log.longestPauseMs(timeline.now);
  if (pauseMs > FAULT_WITHIN_MS) throw new Error(`No fault for ${pauseMs} ms.`);
}

/** Replicas that can talk are equal so long after the last change (DESIGN.md section 1, promise 4). */
const CONVERGE_MS = 5_000;
/** How often it is looked whether work is left, and by those who judge by what lasts. */
const LOOK_MS = 250;
const LOOK_AROUND_MS = 500;
/** People go to and fro between the machines of two farms so long at most. */
const UNITE_MS = 10 * SETTLE_MS;
/** Faults in the time of faults come at most so far apart; sums of times are not exact to the last digit. */
const FAULT_WITHIN_MS = 10_000;
const WITHIN_MS = FAULT_WITHIN_MS - 1;

interface Parts {
  readonly farm: SimFarm;
  readonly people: People;
  readonly leavers: Leavers;
  readonly checkers: Checkers;
}

async function healedPhase({ faults, ...parts }: Parts & { readonly faults: Faults }): Promise<number> {
  const { farm, people, leavers, checkers } = parts;
  const { timeline } = farm;
  farm.isHealed = true;
  farm.workshop.isCalm = true;
  faults.heal();
  farm.note(undefined, 'healed');
  let boundMs = await morning(parts);
  let begun = timeline.now;
  // At rest for as long as records may take to be the same everywhere.
  let restMs = 0;
  while (timeline.now < begun + boundMs && restMs < CONVERGE_MS) {
    await timeline.run(timeline.now + LOOK_MS);
    restMs = farm.isAtRest() && !leavers.isUnderWay ? restMs + LOOK_MS : 0;
    if (restMs === 0) people.giveUpRemoved();
    const isLate = timeline.now >= begun + boundMs / 2 && restMs === 0;
    if (isLate && people.switchOn()) {
      // It brings along what its owner wants of it, and whatever was said at it alone.
      boundMs = await morning(parts);
      begun = timeline.now;
    }
  }
  if (leavers.isUnderWay) throw new Violation('leaving', `A machine has not left after ${boundMs} ms.`);
  checkers.end(restMs >= CONVERGE_MS, boundMs);
  return (timeline.now - begun) / boundMs;
}

/** All that are on find one another, and people let everything go on: answers how long the rest may take from here. */
async function morning({ farm, people, leavers, checkers }: Parts): Promise<number> {
  await settle(farm);
  await unite(farm, people);
  checkers.settled();
  const someone = farm.up()[0];
  if (someone !== undefined) people.release(someone);
  return leftMs(farm, leavers);
}

/** As long as a farm takes, and once more where a task that had begun before took a machine down meanwhile. */
async function settle(farm: SimFarm): Promise<void> {
  const { timeline, machines } = farm;
  for (;;) {
    const lives = machines.map(({ host }) => host.life);
    await timeline.run(timeline.now + SETTLE_MS);
    if (!farm.isAnyAwaited() && machines.every(({ host }, at) => host.life === lives[at])) return;
  }
}

/** People let in who is outside, and make one of several farms, until nobody is left apart. */
async function unite(farm: SimFarm, people: People): Promise<void> {
  const { timeline } = farm;
  const until = timeline.now + UNITE_MS;
  while (farm.farms().size > 1) {
    if (timeline.now >= until)
      throw new Violation('one farm', `${farm.farms().size} are left after ${UNITE_MS} ms.`);
    people.openDoor();
    people.mergeFarms();
    await timeline.run(timeline.now + SETTLE_MS);
  }
}
