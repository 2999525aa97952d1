import {
  attemptKey,
  compareAttempts,
  compareText,
  mergeRecords,
  type FailedOutcome,
  type Failure,
  type TaskRecord,
} from '@cuadro/protocol';
import type { Job } from './job.ts';
import type { Lease } from './machine.ts';
import type { CoreOptions } from './interface.ts';
import type { BrainState } from './state.ts';
import { substituteFailed } from './reach.ts';
import { writeTask } from './task-writes.ts';

/**
 * What failures mean (SPEC R53, R54). A failed attempt goes to another machine, or waits where there is none;
 * the third ends the task. Lost attempts count by themselves. Stops come here never: they are no failures.
 */

export function recordFailure(state: BrainState, job: Job, record: TaskRecord, failure: Failure): void {
  const { index } = record;
  let next = mergeRecords(record, { ...record, failures: { [attemptKey(failure.attempt)]: failure } });
  // The verdict is the coordinator's; a worker only keeps what happened to it.
  const verdict = state.epoch === undefined ? undefined : judge(next, state.options);
  if (verdict !== undefined) {
    next = { ...next, failed: { ...verdict, peer: state.self } };
    job.pauses.delete(index);
  } else if (failure.cause === 'failed') {
    const failed = countOf(next, 'failed');
    const pauses = state.options.retryPausesMs;
    const pause = pauses[Math.min(failed, pauses.length) - 1] ?? 0;
    job.pauses.set(index, state.now + pause);
    state.pauses.push(state.now + pause);
  }
  writeTask(state, job, next);
}

/** Failures of two halves of a farm may be enough only once they meet. */
export function judgeMerged(state: BrainState, job: Job, index: number): void {
  const record = job.table.effective(index);
  if (record === undefined || !job.table.isOpen(index)) return;
  const verdict = judge(record, state.options);
  if (verdict !== undefined) writeTask(state, job, { ...record, failed: { ...verdict, peer: state.self } });
}

/** Writes that the lease's machine vanished with the task. */
export function recordLost(state: BrainState, lease: Lease): void {
  const job = state.jobs.get(lease.job);
  if (job === undefined) return;
  if (lease.substitute === true) {
    substituteFailed(state, job, lease);
    return;
  }
  const { redo, retry } = job.table.levels(lease.index);
  if (lease.redo !== redo || lease.retry !== retry || !job.table.isOpen(lease.index)) return;
  state.accuse('lost-attempt');
  recordFailure(state, job, job.table.forWriting(lease.index), {
    attempt: lease.attempt,
    peer: lease.peer,
    cause: 'lost',
    code: 'machine-lost',
    message: 'The machine vanished while it ran this.',
    lines: [],
    wallTime: state.wallTime,
  });
}

/** Whether a task's failures are enough, and what to say of it: the most frequent cause, by its last attempt. */
export function judge(
  record: TaskRecord,
  options: Pick<CoreOptions, 'attemptsMax' | 'lostMax'>,
): Omit<FailedOutcome, 'peer'> | undefined {
  if (countOf(record, 'failed') >= options.attemptsMax) return telling(record, 'failed');
  if (countOf(record, 'lost') < options.lostMax) return undefined;
  const last = telling(record, 'lost');
  const message = `${countOf(record, 'lost')} machines vanished while they ran it, so no further one is risked.`;
  return last && { ...last, message };
}

function countOf(record: TaskRecord, cause: Failure['cause']): number {
  return Object.values(record.failures).filter((failure) => failure.cause === cause).length;
}

function telling(record: TaskRecord, cause: Failure['cause']): Omit<FailedOutcome, 'peer'> | undefined {
  const failures = Object.values(record.failures).filter((failure) => failure.cause === cause);
  const times = (code: string) => failures.filter((failure) => failure.code === code).length;
  const [best] = failures.sort(
    (a, b) =>
      times(b.code) - times(a.code) || compareAttempts(b.attempt, a.attempt) || compareText(a.code, b.code),
  );
  if (best === undefined) return undefined;
  const { attempt, code, message, wallTime } = best;
  return { attempt, code, message, wallTime };
}
