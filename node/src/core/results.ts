import { attemptKey, compareEpochs, mergeRecords, type PeerId, type ResultMessage } from '@cuadro/protocol';
import { recordFailure } from './failure-policy.ts';
import type { Job } from './job.ts';
import { releaseLease, takeBack } from './leases.ts';
import { isSetAside } from './eligibility.ts';
import { sceneLacked } from './scenes.ts';
import type { BrainState } from './state.ts';
import { substituteFailed } from './reach.ts';
import { keepTask, writeTask } from './task-writes.ts';

/** How an attempt ended, told by the machine that ran it (SPEC R53). Also of a lease long lost. */
export function takeResult(state: BrainState, from: PeerId, message: ResultMessage): void {
  const machine = state.machine(from);
  const key = attemptKey(message.attempt);
  const lease = machine.leases.get(key);
  const job = state.jobs.get(message.job);
  if (lease !== undefined && (lease.job !== message.job || lease.index !== message.task)) {
    state.ignore('unknown-attempt');
    return;
  }
  if (machine.unplaced !== undefined)
    machine.unplaced = machine.unplaced.filter((held) => attemptKey(held.attempt) !== key);
  if (job === undefined) state.ignore('unknown-job');
  else if (isSensible(state, from, job, message)) write(state, from, job, message);
  const { outcome } = message;
  if (lease !== undefined && job !== undefined && outcome.kind === 'stopped' && outcome.lacks === 'scene')
    sceneLacked(state, job, from);
  // After the record, so that a task that ended is not offered in between.
  if (lease !== undefined) releaseLease(state, machine, lease);
}

function isSensible(state: BrainState, from: PeerId, job: Job, message: ResultMessage): boolean {
  const { outcome, attempt, task, redo, retry } = message;
  if (outcome.kind === 'stopped') return false;
  if (job.table.state(task) === undefined) {
    state.ignore('unknown-task');
    return false;
  }
  const content = outcome.kind === 'result' ? outcome.result : outcome.failure;
  if (content.peer !== from || attemptKey(content.attempt) !== attemptKey(attempt)) {
    state.ignore('foreign-sender');
    return false;
  }
  // An attempt of this very reign that was never granted is made up.
  const { epoch } = state;
  if (epoch !== undefined && compareEpochs(attempt.epoch, epoch) === 0 && attempt.sequence > state.sequence) {
    state.ignore('unknown-attempt');
    return false;
  }
  const now = job.table.levels(task);
  // Results belong to their redo level; failures to their retry level too.
  const current = redo === now.redo && (outcome.kind === 'result' || retry === now.retry);
  // A film of a frame that was discarded meanwhile is made anew, as if it had been stopped (SPEC R39).
  const made = outcome.kind === 'result' ? outcome.result.inputRedo : undefined;
  const isStale = made !== undefined && made < job.table.inputRedo(task);
  if (!current || isStale) state.ignore('stale-level');
  return current && !isStale;
}

function write(state: BrainState, from: PeerId, job: Job, message: ResultMessage): void {
  const { outcome, attempt, task } = message;
  const record = job.table.forWriting(task);
  if (outcome.kind === 'result') {
    const result = outcome.result;
    const results = { [attemptKey(attempt)]: result };
    const next = mergeRecords(record, { ...record, results });
    if (next === record) return;
    // Whoever made it tells the others itself.
    if (from === state.self) writeTask(state, job, next);
    else keepTask(state, job, next);
    job.pauses.delete(task);
    // Who may have what changes when this result shows that others could do what one could not.
    if (job.spoiled.size > 0) noticeSetAside(state, job);
    stopLosers(state, job, task, attemptKey(attempt));
  } else if (outcome.kind === 'failure') {
    if (job.table.isOpen(task)) recordFailure(state, job, record, outcome.failure);
    else if (job.away.has(task)) substituteFailed(state, job, { index: task });
    else state.ignore('task-ended');
  }
}

/** Another copy of a task that has its result is of no use. */
export function stopLosers(state: BrainState, job: Job, task: number, except?: string): void {
  const lease = job.leases.get(task);
  if (lease === undefined || lease.key === except || job.table.isOpen(task)) return;
  // Whether a substitute is still of use is the coordinator's to say: it knows who can be reached.
  if (lease.substitute === true && (state.epoch === undefined || job.away.has(task))) return;
  takeBack(state, lease, 'Another machine finished it first.');
}

/** Who may have tasks of the job may have changed: results show that others could do what one could not. */
export function noticeSetAside(state: BrainState, job: Job): void {
  state.offersChanged();
  for (const lease of [...job.leases.values()]) {
    if (!isSetAside(state, lease.peer, job)) continue;
    const machine = state.machines.get(lease.peer);
    if (machine !== undefined && lease.fraction === 0 && !lease.seen) {
      takeBack(state, lease, 'This machine is set aside for the job.');
    }
  }
}
