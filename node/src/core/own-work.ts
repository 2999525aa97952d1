import {
  attemptKey,
  type AttemptId,
  type Epoch,
  type Grant,
  type Message,
  type PeerId,
  type PlannedTask,
  recordKey,
  type ResultMessage,
  type TaskIndex,
} from '@cuadro/protocol';
import type { AttemptOutcome, CoreInput } from './interface.ts';
import type { Job } from './job.ts';
import { adoptLease, isOfUse, releaseLease, RUNS_ALREADY, takeBack } from './leases.ts';
import { takeResult } from './results.ts';
import type { BrainState } from './state.ts';

/** What this machine's worker is granted by another coordinator, and what becomes of all that it was granted. */

/** Orders are taken from the coordinator that this node follows, and of its own epoch only (SPEC R40). */
function obeys(state: BrainState, from: PeerId, epoch: Epoch): boolean {
  if (epoch.peer !== from || state.reign.role !== 'following' || state.reign.epoch.peer !== from) {
    state.ignore('foreign-coordinator');
  } else if (!state.worker.obeys(epoch)) state.ignore('stale-epoch');
  else return true;
  return false;
}

export function takeGrants(
  state: BrainState,
  from: PeerId,
  { epoch, grants }: Extract<Message, { kind: 'grants' }>,
): void {
  if (!obeys(state, from, epoch)) return;
  const machine = { capabilities: state.machine(state.self).claim?.capabilities, now: state.now };
  const twice: Grant[] = [];
  for (const grant of grants) {
    const engine = plannedTask(state, grant)?.requires.engine;
    if (!state.worker.accept(epoch, grant, engine, machine)) continue;
    if (engine !== undefined && !run(state, grant)) twice.push(grant);
  }
  giveBackTwice(state, twice);
}

function plannedTask(state: BrainState, grant: Grant): PlannedTask | undefined {
  return state.jobs.get(grant.job)?.table.view?.task(grant.task);
}

/** The attempt begins, and shows as this machine's lease. False where an older one of this task is under way here. */
function run(state: BrainState, grant: Grant): boolean {
  const job = state.jobs.get(grant.job);
  const task = plannedTask(state, grant);
  if (job === undefined || task === undefined) return true;
  const { attempt, redo, retry } = grant;
  // The coordinator's grant is newer than its latest row: whoever had the task there has lost it.
  const mirrored = job.leases.get(grant.task);
  if (mirrored !== undefined && mirrored.peer !== state.self) {
    releaseLease(state, state.machine(mirrored.peer), mirrored);
  }
  const held = {
    attempt,
    job: grant.job,
    task: grant.task,
    redo,
    retry,
    running: false,
    fraction: 0,
    ...(grant.substitute === true && { substitute: true }),
  };
  if (adoptLease(state, state.machine(state.self), held)) {
    state.out.effects.push({ kind: 'run', grant, job: job.record, task });
    return true;
  }
  if (isOfUse(job, held)) return false;
  takeEnd(state, attempt, { kind: 'stopped', reason: 'The task had ended before it arrived here.' });
  tellAgain(state, job, grant.task);
  return true;
}

/**
 * Whoever granted these had not heard of the older grants. It hears of them before these come back to it: else it would
 * grant the tasks again as soon as they do, as often as the connection allows (SPEC R145).
 */
function giveBackTwice(state: BrainState, grants: readonly Grant[]): void {
  const ends = grants.flatMap(
    ({ attempt }) => state.worker.end(attempt, { kind: 'stopped', reason: RUNS_ALREADY }, state.now) ?? [],
  );
  // After all were taken: the beacon leaves out none of those that came with them.
  if (ends.length > 0 && state.reign.role === 'following') state.sayBeacon(state.reign.epoch.peer);
  for (const end of ends) tellEnd(state, end);
}

/**
 * A coordinator that grants what had ended lacks a record that stands here, whoever made it: until it has that, it would
 * grant the task again as soon as it is given back, hundreds of times a second (SPEC R113).
 */
function tellAgain(state: BrainState, job: Job, task: TaskIndex): void {
  const ofTask = job.table.records.get(task);
  for (const record of ofTask === undefined ? [job.record] : [job.record, ofTask]) {
    state.out.persist.set(recordKey(record), record);
    state.out.own.add(recordKey(record));
  }
}

/** Jobs that came to be known may be those of grants that came before them. */
export function beginEarly(state: BrainState): void {
  const twice: Grant[] = [];
  for (const grant of state.worker.early()) {
    const task = plannedTask(state, grant);
    if (task === undefined) continue;
    const { capabilities } = state.machine(state.self).claim ?? {};
    state.worker.begin(grant.attempt, task.requires.engine, capabilities);
    if (!run(state, grant)) twice.push(grant);
  }
  giveBackTwice(state, twice);
}

export function giveBackEarly(state: BrainState): void {
  for (const { attempt } of state.worker.overdueEarly(state.now)) {
    takeEnd(state, attempt, {
      kind: 'stopped',
      reason: "The job's plan has not arrived on this machine.",
    });
  }
}

export function takeStop(
  state: BrainState,
  from: PeerId,
  { epoch, attempts, reason }: Extract<Message, { kind: 'stop' }>,
): void {
  if (!obeys(state, from, epoch)) return;
  const early = new Set(state.worker.early().map(({ attempt }) => attemptKey(attempt)));
  for (const attempt of attempts) {
    if (!state.worker.holds(attempt)) continue;
    // Its task may be granted anew before it has ended, as to this machine (SPEC R146).
    const lease = state.machine(state.self).leases.get(attemptKey(attempt));
    if (early.has(attemptKey(attempt))) takeEnd(state, attempt, { kind: 'stopped', reason });
    else if (lease !== undefined) takeBack(state, lease, reason);
    else state.out.effects.push({ kind: 'stop-attempt', attempt, reason });
  }
}

export function takeProgress(state: BrainState, input: Extract<CoreInput, { kind: 'progress' }>): void {
  const { attempt, remainingMs, text } = input;
  const told = {
    fraction: Math.min(1, Math.max(0, input.fraction)),
    ...(remainingMs !== undefined && { remainingMs }),
    ...(text !== undefined && { text }),
  };
  state.worker.progress(attempt, told);
  const lease = state.machines.get(state.self)?.leases.get(attemptKey(attempt));
  if (lease === undefined) {
    state.ignore('unknown-attempt');
    return;
  }
  lease.seen = true;
  Object.assign(lease, told);
  state.out.task(lease.job, lease.index);
  state.out.node(state.self);
}

/** The end of an attempt of this machine: a record of its own, and a word to the coordinator. */
export function takeEnd(state: BrainState, attempt: AttemptId, outcome: AttemptOutcome): void {
  const message = state.worker.end(attempt, outcome, state.now);
  if (message === undefined) {
    state.ignore('unknown-attempt');
    return;
  }
  tellEnd(state, message);
}

function tellEnd(state: BrainState, message: ResultMessage): void {
  takeResult(state, state.self, message);
  if (state.reign.role === 'following') state.out.send(state.reign.epoch.peer, message);
}
