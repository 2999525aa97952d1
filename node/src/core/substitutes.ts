import { countingResult, heldBy, resultWithin, type PeerId, type TaskIndex } from '@cuadro/protocol';
import type { Job } from './job.ts';
import { takeBack } from './leases.ts';
import { AWAY_CHECK_MS } from './options.ts';
import { awaySince, isWithinReach } from './reach.ts';
import type { BrainState } from './state.ts';

/**
 * Results whose holders are all out of reach (SPEC R59). What needs them waits and says so; what only one machine
 * held is made again after a while, and what two held only where something waits for it. The coordinator alone keeps
 * this, and only while it leads: records say nothing of who can be reached.
 */

/** Looks at results anew where holders went or came back, and decides on substitutes. Called in each step. */
export function runSubstitutes(state: BrainState): void {
  const { reign } = state;
  if (reign.role !== 'leading') {
    for (const job of state.awayJobs) forget(state, job);
    return;
  }
  if (state.inDoubt || reign.collecting !== undefined) return;
  if (reign.holdersCheckAt <= state.now) lookAtAll(state);
  if (state.awayJobs.size === 0 || reign.awayCheckAt > state.now) return;
  reign.awayCheckAt = state.now + AWAY_CHECK_MS;
  for (const job of state.awayJobs) {
    if (state.jobs.get(job.id) !== job) state.awayJobs.delete(job);
    for (const [index] of [...job.away.entries()]) decide(state, job, index);
  }
}

/** When `runSubstitutes` has something to do; undefined where nothing. */
export function substitutesDeadline(state: BrainState): number | undefined {
  const { reign } = state;
  if (reign.role !== 'leading' || state.inDoubt || reign.collecting !== undefined) return undefined;
  const next = Math.min(reign.holdersCheckAt, state.awayJobs.size > 0 ? reign.awayCheckAt : Infinity);
  return next === Infinity ? undefined : next;
}

function lookAtAll(state: BrainState): void {
  const { reign, options } = state;
  if (reign.role !== 'leading') return;
  const away = new Set<PeerId>();
  reign.holdersCheckAt = Number.POSITIVE_INFINITY;
  for (const peer of state.others()) {
    // One that is heard by way of others may fall silent, and nothing else tells of that.
    const since = awaySince(state, peer) ?? state.machines.get(peer)?.awaySince;
    if (since === undefined) continue;
    const due = since + options.holderAwayMs;
    if (due > state.now) reign.holdersCheckAt = Math.min(reign.holdersCheckAt, due);
    else away.add(peer);
  }
  reign.someAway = away.size > 0;
  if (!reign.someAway) return;
  for (const job of state.jobs.values()) {
    // Sets of more than two holders aren't counted apart; it takes as many to be away.
    const mayBeAway = away.size > 2 || job.table.copies.someHeldOnlyBy((peer) => away.has(peer));
    if (!mayBeAway || !mayNeed(job)) continue;
    const { copies } = job.table;
    const perhaps = copies.mayBeHeldOnlyBy((peer) => away.has(peer), away.size > 2);
    for (const index of new Set([...perhaps, ...job.away.indices()])) lookAt(state, job, index);
  }
}

/** Of a job that is done nothing waits for anything; only what one machine alone holds is made again. */
function mayNeed(job: Job): boolean {
  if (!job.hasPlan) return false;
  if (job.state === 'done') return job.table.copies.onOne > 0;
  // A job that is queued has no results yet.
  return job.state === 'active' || job.state === 'paused' || job.state === 'waiting';
}

/** One task's results changed, or who holds them can be reached again. */
export function lookAt(state: BrainState, job: Job, index: TaskIndex): void {
  const { reign } = state;
  if (reign.role !== 'leading' || !(reign.someAway || job.away.has(index))) return;
  const record = job.table.effective(index);
  const result = record && countingResult(record);
  if (
    record === undefined ||
    result === undefined ||
    resultWithin(record, (peer) => isWithinReach(state, peer))
  ) {
    backInReach(state, job, index);
    return;
  }
  const holders = Object.values(record.results).flatMap(({ holders: all }) => heldBy(all));
  const since = Math.max(...holders.map((peer) => awaySince(state, peer) ?? state.now));
  if (
    state.now - since < state.options.holderAwayMs ||
    !job.away.add(index, job.table.groupOf(index), since)
  ) {
    return;
  }
  state.awayJobs.add(job);
  reign.awayCheckAt = Math.min(reign.awayCheckAt, state.now);
  tell(state, job, index);
  for (const dependent of job.table.dependents(index)) {
    const lease = job.leases.get(dependent);
    // What has begun has what it needs.
    if (lease !== undefined && lease.fraction === 0)
      takeBack(state, lease, 'What it is made from is out of reach.');
  }
}

function backInReach(state: BrainState, job: Job, index: TaskIndex): void {
  if (!job.away.delete(index)) return;
  if (job.away.size === 0) state.awayJobs.delete(job);
  const lease = job.leases.get(index);
  const isItsOwn = lease !== undefined && job.table.effective(index)?.results[lease.key] !== undefined;
  if (lease?.substitute === true && !isItsOwn) {
    takeBack(state, lease, 'A machine that holds the result is back.');
  }
  tell(state, job, index);
  for (const dependent of job.table.dependents(index)) job.offer(dependent);
}

/**
 * Its reign is over. What waited is offered again: its job may stand among the offers no more, and the next reign of this
 * node would find nothing away, and so nothing that comes back (SPEC R140).
 */
function forget(state: BrainState, job: Job): void {
  const waited = new Set<TaskIndex>();
  for (const index of job.away.indices()) {
    job.away.delete(index);
    for (const dependent of job.table.dependents(index)) waited.add(dependent);
  }
  state.awayJobs.delete(job);
  for (const index of waited) job.offer(index);
  state.touch(job);
}

function decide(state: BrainState, job: Job, index: TaskIndex): void {
  lookAt(state, job, index);
  const away = job.away.get(index);
  if (away === undefined || job.away.substitutes.has(index) || away.notBefore > state.now) return;
  const { renderAgainMs, substituteMs } = state.options;
  if (isNeeded(job, index)) away.neededSince ??= state.now;
  else delete away.neededSince;
  const isDue = twoHold(job, index)
    ? away.neededSince !== undefined && state.now - away.neededSince >= substituteMs
    : state.now - away.since >= renderAgainMs;
  if (!isDue || !sceneWithinReach(state, job)) return;
  job.away.substitutes.add(index);
  // A job that is done has work again.
  state.touch(job);
  job.offer(index);
}

/**
 * Whether two machines hold one of its results. What was done once says so for good, also where one of the two has left
 * since, or found its copy damaged: then the other is as alone as the one that rendered it was.
 */
function twoHold(job: Job, index: TaskIndex): boolean {
  const results = Object.values(job.table.effective(index)?.results ?? {});
  return results.some(({ holders }) => heldBy(holders).length >= 2);
}

/** Whether a task could run but for this result. */
function isNeeded(job: Job, index: TaskIndex): boolean {
  for (const dependent of job.table.dependents(index)) {
    if (job.table.isOpen(dependent) && job.table.hasInputs(dependent)) return true;
  }
  return false;
}

function sceneWithinReach(state: BrainState, { record }: Job): boolean {
  if (record.spec.bundle === undefined) return true;
  return heldBy(record.holders.bundle).some((peer) => isWithinReach(state, peer));
}

function tell(state: BrainState, job: Job, index: TaskIndex): void {
  state.out.task(job.id, index);
  state.out.job(job.id);
  state.touch(job);
}
