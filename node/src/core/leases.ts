import {
  attemptKey,
  compareEpochs,
  type AttemptId,
  type Beacon,
  type HeldAttempt,
  type PeerId,
  type TaskIndex,
} from '@cuadro/protocol';
import { recordLost } from './failure-policy.ts';
import type { Job } from './job.ts';
import { isRunning, setReachable, type Lease, type Machine } from './machine.ts';
import { BEACONS_OVERTAKING_MAX, VERSIONED_ENGINES } from './options.ts';
import { isLate } from './pulse.ts';
import type { BrainState } from './state.ts';
import { reachChanged } from './reach.ts';
import { forgetSceneless } from './scenes.ts';
import { stop, stopAgain } from './stops.ts';

/** Grants and leases (SPEC R52): made, renewed by beacons, taken back, and ended when a machine is gone. */

/** Successive beacons that may leave a grant out before it is free again: one may cross the grant on its way. */
const BEACONS_MISSED_MAX = 2;

export const RUNS_ALREADY = 'The machine has this task already, by an older grant.';

export function grantTask(state: BrainState, machine: Machine, job: Job, index: TaskIndex): void {
  const { epoch } = state;
  const task = job.table.view?.task(index);
  if (epoch === undefined || task === undefined) return;
  state.sequence++;
  const attempt: AttemptId = { epoch, sequence: state.sequence };
  const lease: Lease = {
    attempt,
    key: attemptKey(attempt),
    job: job.id,
    index,
    group: task.group,
    ...job.table.levels(index),
    peer: machine.peer,
    grantedAt: state.now,
    seen: false,
    missed: 0,
    stopping: undefined,
    fraction: 0,
    ...(!job.table.isOpen(index) && { substitute: true }),
  };
  placeLease(state, machine, job, lease);
  const reign = state.history.at(-1);
  if (reign !== undefined && reign.epoch.peer === state.self) reign.firstGrantAt ??= state.wallTime;
  const granted = state.out.grants.get(machine.peer);
  if (granted === undefined) state.out.grants.set(machine.peer, [lease]);
  else granted.push(lease);
}

function placeLease(state: BrainState, machine: Machine, job: Job, lease: Lease): void {
  if (machine.leases.size === 0) machine.leasedAt = state.now;
  machine.leases.set(lease.key, lease);
  state.holders.changed(machine);
  job.addLease(lease);
  const engine = job.table.view?.task(lease.index)?.requires.engine ?? '';
  const version = machine.claim?.capabilities.engines[engine];
  if (version !== undefined && VERSIONED_ENGINES.has(engine)) {
    job.bindVersion(engine, version, lease.attempt, false);
  }
  tellLease(state, job, lease);
}

/**
 * Takes over what a machine says it holds: a coordinator from beacons, a follower from the coordinator's rows.
 * False where it is of no use any more: its task has ended, is another's, or belongs to a lower level.
 */
export function adoptLease(state: BrainState, machine: Machine, held: HeldAttempt): boolean {
  const job = state.jobs.get(held.job);
  // Its record or plan may be on its way; the next beacon or row tells again.
  if (job === undefined || job.table.view?.task(held.task) === undefined) return true;
  if (!isOfUse(job, held) || job.leases.has(held.task)) return false;
  placeLease(state, machine, job, {
    attempt: held.attempt,
    key: attemptKey(held.attempt),
    job: job.id,
    index: held.task,
    group: job.table.groupOf(held.task),
    redo: held.redo,
    retry: held.retry,
    peer: machine.peer,
    seen: true,
    missed: 0,
    stopping: undefined,
    fraction: held.fraction,
    ...(held.substitute === true && { substitute: true }),
  });
  return true;
}

/** Whether an attempt can still make what its task lacks: it has not ended, and the attempt is of its redo level. */
export function isOfUse(job: Job, { task, redo, substitute }: HeldAttempt): boolean {
  if (redo < job.table.levels(task).redo) return false;
  return job.table.isOpen(task) || substitute === true;
}

/** The attempt has ended, or is given up: the task and the machine's place are free. */
export function releaseLease(state: BrainState, machine: Machine, lease: Lease): void {
  if (!machine.leases.delete(lease.key)) return;
  state.holders.changed(machine);
  machine.dryAt = undefined;
  freeTask(state, lease);
  state.out.node(machine.peer);
}

/** Takes a grant back: the task may go elsewhere at once, the machine's place is free when it has stopped. */
export function takeBack(state: BrainState, lease: Lease, reason: string): void {
  if (lease.stopping !== undefined) return;
  stop(state, lease, reason);
  freeTask(state, lease);
}

function freeTask(state: BrainState, lease: Lease): void {
  const job = state.jobs.get(lease.job);
  if (job === undefined || job.leases.get(lease.index) !== lease) return;
  job.removeLease(lease);
  // A place under the job's limit of machines may be free, or its version unbound.
  if (!job.machines.has(lease.peer)) state.offersChanged();
  tellLease(state, job, lease);
  job.offer(lease.index);
}

function tellLease(state: BrainState, job: Job, lease: Lease): void {
  state.out.task(job.id, lease.index);
  state.out.job(job.id);
  state.out.node(lease.peer);
  state.out.farm = true;
}

/**
 * What the worker says it holds; everything else that it was granted is in doubt. Beacons that arrive together were
 * held up on their way, perhaps since before the grant: they count as one (SPEC R52).
 */
export function takeBeacon(state: BrainState, machine: Machine, beacon: Beacon): void {
  const { reign } = state;
  // The first beacon in a reign answers the collection: what it leaves out had ended before, or never arrived.
  const isAnswer = machine.followsSince === undefined;
  const isFirst = isAnswer && machine.followsAnother !== true; // Who stays with another has answered before.
  if (reign.role === 'leading') {
    reign.collecting?.waiting.delete(machine.peer);
    // Who answers a collection and stays with another makes no follower: followers decide which of two reigns stays.
    if (beacon.follows === undefined || beacon.follows.peer === state.self) {
      // While its beacons were missing, or came by way of others, it was granted nothing.
      if (machine.relayed === true || isLate(state, machine)) machine.dryAt = undefined;
      machine.followsSince ??= state.now;
      machine.beaconAt = state.now;
      machine.isProven = true;
      delete machine.relayed;
      delete machine.followsAnother;
    } else machine.followsAnother = true;
  }
  if (isOvertaken(machine, beacon)) return;
  if (machine.followsAnother === true) delete machine.isProven;
  if (beacon.sequence !== undefined) machine.beaconSequence = beacon.sequence;
  // Of a farm at rest every beacon says the same; told on each time, all rows would go to all twice a second.
  const isNews = machine.load !== beacon.load || machine.freeDiskBytes !== beacon.freeDiskBytes;
  machine.load = beacon.load;
  machine.freeDiskBytes = beacon.freeDiskBytes;
  if (isAnswer || isNews || beacon.held.length > 0) state.out.node(machine.peer);
  if (beacon.held.length === 0 && machine.leases.size === 0) return;
  const listed = new Map(beacon.held.map((held) => [attemptKey(held.attempt), held]));
  // Before any is released: what stands behind those that run is only kept ahead.
  const ran = new Set([...machine.leases.values()].filter((lease) => isRunning(machine, lease)));
  for (const lease of [...machine.leases.values()]) {
    const held = listed.get(lease.key);
    if (held !== undefined) {
      renewLease(state, lease, held);
      stopAgain(state, lease);
      continue;
    }
    if (isUnsaid(state, lease)) continue;
    const isOlder = state.epoch === undefined || compareEpochs(lease.attempt.epoch, state.epoch) < 0;
    const isFreed = isFirst && isOlder;
    const sinceMs = state.now - (lease.missedAt ?? Number.NEGATIVE_INFINITY);
    // Also answers may have been held up, each for another coordinator's asking.
    if (!isFreed && sinceMs < state.options.beaconIntervalMs / 2) continue;
    lease.missed++;
    lease.missedAt = state.now;
    if (lease.missed < BEACONS_MISSED_MAX && !isFreed) continue;
    // What was seen running and is no more without a word died with its worker; the rest never began.
    if (lease.seen && ran.has(lease) && !isAnswer) recordLost(state, lease);
    releaseLease(state, machine, lease);
  }
  const unplaced = beacon.held.filter((held) => state.jobs.get(held.job)?.hasPlan !== true);
  if (unplaced.length > 0) machine.unplaced = unplaced;
  else delete machine.unplaced;
  for (const [key, held] of listed) if (!machine.leases.has(key)) adoptOrStop(state, machine, held);
}

/** A grant that waits for a write has not gone out: no beacon could list it (SPEC R122). */
function isUnsaid({ unsaidSince }: BrainState, { grantedAt }: Lease): boolean {
  return unsaidSince !== undefined && grantedAt !== undefined && grantedAt >= unsaidSince;
}

/**
 * Whether a later beacon came before, by way of others or by the stream (SPEC R117): it would free what was granted since.
 * Whoever was started again counts anew.
 */
function isOvertaken(machine: Machine, { sequence }: Beacon): boolean {
  const { beaconSequence: latest } = machine;
  if (sequence === undefined || latest === undefined) return false;
  return sequence <= latest && latest - sequence <= BEACONS_OVERTAKING_MAX;
}

function adoptOrStop(state: BrainState, machine: Machine, held: HeldAttempt): void {
  // What waits at a machine that takes no work would wait for as long as that lasts.
  const isIdle = !held.running && machine.claim?.wants === 0;
  if (!isIdle) {
    preferOlder(state, machine, held);
    if (adoptLease(state, machine, held)) return;
  }
  const reason = isIdle
    ? (machine.claim?.idleReason ?? 'This machine takes no work now.')
    : 'Another machine has this task, or it has ended.';
  state.out.stops.push({ peer: machine.peer, attempt: held.attempt, reason });
}

/**
 * The machine runs it already under a grant that was not known here when it was granted the task anew: it goes on with
 * that one, and gives the new one back when it comes (SPEC R145). Were the older stopped, the machine would give back
 * each new one until that has ended.
 */
function preferOlder(state: BrainState, machine: Machine, held: HeldAttempt): void {
  const job = state.jobs.get(held.job);
  const newer = job?.leases.get(held.task);
  if (job === undefined || newer?.peer !== machine.peer || newer.seen || !isOfUse(job, held)) return;
  takeBack(state, newer, RUNS_ALREADY);
}

/**
 * The job's plan has come: before anything of it is granted, what machines said that they hold of it is their lease. Of
 * one that was not heard since for a lease's time it would have ended.
 */
export function placeListed(state: BrainState, job: Job): void {
  if (state.epoch === undefined) return;
  for (const machine of state.machines.values()) {
    if (state.now - machine.heardAt >= state.options.leaseMs) continue;
    for (const held of machine.unplaced ?? []) if (held.job === job.id) adoptOrStop(state, machine, held);
  }
}

/** A beacon that came by way of others: its machine lives and holds what it lists, but no grant could reach it (R104). */
export function takeRelayedBeacon(state: BrainState, machine: Machine, beacon: Beacon): void {
  if (isOvertaken(machine, beacon)) return;
  noteHeard(state, machine);
  takeBeacon(state, machine, beacon);
  machine.relayed = true;
  if (machine.reachable) return;
  // It is out of reach from here on unless it is heard again: nobody else will say so.
  machine.awaySince = state.now;
  reachChanged(state, false);
}

/**
 * A beacon that came by way of others from whom this node is connected to: it may be older than what the stream told, or
 * newer than what the stream holds up. So it frees nothing, and what it lists was not missed (SPEC R104).
 */
export function renewListed(state: BrainState, machine: Machine, beacon: Beacon): void {
  if (isOvertaken(machine, beacon)) return;
  for (const held of beacon.held) {
    const lease = machine.leases.get(attemptKey(held.attempt));
    if (lease !== undefined) renewLease(state, lease, held);
  }
}

export function renewLease(state: BrainState, lease: Lease, held: HeldAttempt): void {
  lease.seen = true;
  lease.missed = 0;
  delete lease.missedAt;
  lease.fraction = held.fraction;
  if (held.remainingMs !== undefined) lease.remainingMs = held.remainingMs;
  if (held.text !== undefined) lease.text = held.text;
  state.out.task(lease.job, lease.index);
}

export function noteHeard(state: BrainState, machine: Machine): void {
  machine.heardAt = state.now;
  delete machine.refusedUntil;
  state.holders.heard(machine);
}

/** A sign of life. */
export function heard(state: BrainState, machine: Machine): void {
  noteHeard(state, machine);
  if (machine.reachable) return;
  setReachable(machine, true, state.now);
  reachChanged(state, true);
  forgetSceneless(state);
  machine.dryAt = undefined;
  state.offersChanged();
  state.out.node(machine.peer);
}

export function takePeerState(
  state: BrainState,
  peer: PeerId,
  told: 'reachable' | 'lost' | 'refused' | 'silent',
): void {
  if (peer === state.self) return;
  const machine = state.machine(peer);
  if (told === 'reachable') {
    state.connectionChanged(peer, true);
    // A machine that was restarted counts its claims and beacons anew.
    machine.claimIsOld = true;
    delete machine.beaconSequence;
    heard(state, machine);
    return;
  }
  state.connectionChanged(peer, false);
  delete machine.isProven;
  if (told === 'refused') {
    machine.refusedUntil ??= state.now + state.options.refusedMs;
    state.holders.refused(machine);
  }
  outOfReach(state, machine);
}

/** Nothing is granted to it until it is heard again. */
function outOfReach(state: BrainState, machine: Machine): void {
  if (!machine.reachable) return;
  setReachable(machine, false, state.now);
  reachChanged(state, false);
  // Who is capable has changed, so tasks that wait for another machine may go to one where they failed.
  state.offersChanged();
  state.out.node(machine.peer);
  state.out.farm = true;
}

/** When the machine's leases end unless it is heard; undefined while it holds none. */
function deadlineOf(state: BrainState, machine: Machine): number | undefined {
  if (machine.peer === state.self || machine.leases.size === 0) return undefined;
  return Math.min(
    Math.max(machine.heardAt, machine.leasedAt) + state.options.leaseMs,
    machine.refusedUntil ?? Number.POSITIVE_INFINITY,
  );
}

/** Ends the leases of machines that were not heard in time. What they ran is lost, what they kept ahead is free. */
export function endOverdueLeases(state: BrainState): void {
  if (state.epoch === undefined || state.inDoubt || !((firstEnd(state) ?? Infinity) <= state.now)) return;
  for (const machine of state.machines.values()) {
    const deadline = deadlineOf(state, machine);
    if (deadline === undefined || deadline > state.now) continue;
    loseMachine(state, machine);
  }
}

/**
 * Whether a machine that fell silent is with another coordinator, or may be: it said so, or another one was heard since
 * it was. It has not vanished then (SPEC R111); its work may be done twice, which is no failure.
 */
function isElsewhere({ reign }: BrainState, machine: Machine): boolean {
  if (machine.followsAnother === true) return true;
  return reign.role === 'leading' && (reign.rivalAt ?? -Infinity) >= machine.heardAt;
}

function loseMachine(state: BrainState, machine: Machine): void {
  delete machine.unplaced;
  // Its connection may stand: whoever follows another says nothing here, and is not to be forgotten for it.
  outOfReach(state, machine);
  const leases = [...machine.leases.values()].map((lease) => ({ lease, ran: isRunning(machine, lease) }));
  state.accuse('silent');
  for (const { lease, ran } of leases) {
    if (ran && !isElsewhere(state, machine)) recordLost(state, lease);
    releaseLease(state, machine, lease);
  }
}

/**
 * The earliest end of a lease or a pause; undefined where there is none, where others lead, or while this node doubts
 * itself: nothing ends before it has heard a member, and a wake for it would be asked for again at once.
 */
export function leaseDeadline(state: BrainState): number | undefined {
  const { reign } = state;
  if (reign.role !== 'leading' || state.inDoubt) return undefined;
  // Nothing is granted while members are asked what they hold: pauses that ended meanwhile, or while another led, are
  // seen after that.
  const next = reign.collecting === undefined ? state.pauses.peek() : undefined;
  const end = firstEnd(state);
  return next === undefined || end === undefined ? (next ?? end) : Math.min(next, end);
}

/** When the first lease ends unless its machine is heard. */
function firstEnd(state: BrainState): number | undefined {
  let first: number | undefined;
  for (const machine of state.holders.first()) {
    const deadline = deadlineOf(state, machine);
    if (deadline !== undefined && (first === undefined || deadline < first)) first = deadline;
  }
  return first;
}
