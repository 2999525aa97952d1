import { heldBy } from './fields.ts';
import { compareAttempts, type JobId, type PeerId, type TaskIndex } from './ids.ts';
import { PRIORITY_DEFAULT } from './limits.ts';
import { atLevels } from './merge.ts';
import type { PlanView } from './plan.ts';
import type { JobRecord, TaskRecord, TaskResult } from './records.ts';

/**
 * Status, progress and what may run are one pure function of the records, so all dashboards agree (SPEC R80).
 * What runs right now is live and stands elsewhere.
 */

/** `open` may run or wait; the rest are ends (`rendered` becomes `done` once it has its second copy). */
export type TaskState = 'open' | 'rendered' | 'done' | 'failed' | 'skipped';
export type JobState =
  | 'waiting'
  | 'queued'
  | 'active'
  | 'paused'
  | 'done'
  | 'failed'
  | 'canceled'
  | 'skipped'
  | 'deleted';

/** Share of a job's tasks, and the least number of them, that must fail before finishing makes no sense. */
export const FAILURE_SHARE_DEFAULT = 0.1;
export const FAILED_TASKS_MIN = 3;

export const JOB_ENDS: ReadonlySet<JobState> = new Set(['done', 'failed', 'canceled', 'skipped', 'deleted']);

/** The redo and retry level that a job's requests demand of a task. */
export function requestedLevels(job: JobRecord, index: TaskIndex): { redo: number; retry: number } {
  const levels = { redo: 0, retry: 0 };
  for (const request of Object.values(job.requests)) {
    const covers = request.tasks.some(
      ({ start, end, step }) => index >= start && index <= end && (index - start) % step === 0,
    );
    if (covers) levels[request.kind] = Math.max(levels[request.kind], request.level);
  }
  return levels;
}

/**
 * The result that counts: of those that any machine holds, done before rendered, then the oldest attempt, so that a
 * result once shown changes as rarely as can be (SPEC R38).
 */
export function countingResult(task: TaskRecord): TaskResult | undefined {
  return resultWithin(task, anyMachine);
}

const anyMachine = (): boolean => true;

/** In the same order, but only of those that one of these machines holds: what can be had now (SPEC R59). */
export function resultWithin(
  task: TaskRecord,
  isWithinReach: (peer: PeerId) => boolean,
): TaskResult | undefined {
  let best: TaskResult | undefined;
  for (const result of Object.values(task.results)) {
    if (best !== undefined && !outranks(result, best)) continue;
    if (isHeld(result, isWithinReach)) best = result;
  }
  return best;
}

function isHeld({ holders }: TaskResult, isWithinReach: (peer: PeerId) => boolean): boolean {
  for (const peer in holders) if (holders[peer]?.held === true && isWithinReach(peer)) return true;
  return false;
}

function outranks(a: TaskResult, b: TaskResult): boolean {
  if (a.state !== b.state) return a.state === 'done';
  return compareAttempts(a.attempt, b.attempt) < 0;
}

/** A task's own state, dependencies aside. */
export function ownState(task: TaskRecord | undefined): Exclude<TaskState, 'skipped'> {
  if (task === undefined) return 'open';
  const result = countingResult(task);
  if (result !== undefined) return result.state;
  return task.failed === undefined ? 'open' : 'failed';
}

/** The task as the job's requests leave it: a result that a redo discarded is gone. */
export function effectiveTask(
  job: JobRecord,
  task: TaskRecord | undefined,
  index: TaskIndex,
): TaskRecord | undefined {
  if (task === undefined) return undefined;
  const { redo, retry } = requestedLevels(job, index);
  return atLevels(task, redo, retry);
}

export interface TaskCounts {
  total: number;
  open: number;
  rendered: number;
  done: number;
  failed: number;
  skipped: number;
}

export interface DerivedJob {
  state: JobState;
  /** One sentence for a state that needs one: why it waits, failed or was skipped. */
  reason?: string;
  counts: TaskCounts;
  /** Whether every result has at least two holders. */
  oneCopyOnly: number;
}

/**
 * What a job needs to know of others: their state by id; undefined where the record hasn't arrived. A job that was
 * deleted when it was done counts as done.
 */
export type StateOfJob = (job: JobId) => JobState | undefined;

/** Derives one job by looking at every task: the definition; the core keeps the same figures step by step. */
export function deriveJob(
  job: JobRecord,
  plan: PlanView | undefined,
  taskOf: (index: TaskIndex) => TaskRecord | undefined,
  stateOfJob: StateOfJob,
  isUnclaimed = false,
): DerivedJob {
  const total = plan?.taskCount ?? job.spec.tasks;
  const states: TaskState[] = [];
  const counts: TaskCounts = { total, open: 0, rendered: 0, done: 0, failed: 0, skipped: 0 };
  let oneCopyOnly = 0;
  for (let index = 0; index < total; index++) {
    const task = effectiveTask(job, taskOf(index), index);
    let state: TaskState = ownState(task);
    if (state === 'open' && plan && needsEndedBadly(plan, states, index)) state = 'skipped';
    states.push(state);
    counts[state]++;
    const result = task && countingResult(task);
    if (result && heldBy(result.holders).length < 2) oneCopyOnly++;
  }
  const derived = jobState(job, counts, stateOfJob, isUnclaimed);
  if (JOB_ENDS.has(derived.state)) {
    counts.skipped += counts.open;
    counts.open = 0;
  }
  return { ...derived, counts, oneCopyOnly };
}

function needsEndedBadly(plan: PlanView, states: readonly TaskState[], index: TaskIndex): boolean {
  return plan.dependencies(index).some(({ start, count }) => {
    for (let i = start; i < start + count; i++) {
      if (states[i] === 'failed' || states[i] === 'skipped') return true;
    }
    return false;
  });
}

/** Said of a job for which nobody of the farm stands (SPEC R143). */
const UNCLAIMED =
  'The machine that submitted it is no member, and whoever removed it did not know of this job. It is rendered once somebody resumes it.';

/** A job's state from its record and its tasks' counts (SPEC R81), and from whether anybody stands for it (R143). */
export function jobState(
  job: JobRecord,
  counts: TaskCounts,
  stateOfJob: StateOfJob,
  isUnclaimed = false,
): { state: JobState; reason?: string } {
  if (job.deleted) return { state: 'deleted' };
  const ended = counts.open === 0;
  if (ended && counts.failed === 0 && counts.skipped === 0) return { state: 'done' };
  if (job.control.desired?.value === 'canceled') return { state: 'canceled' };
  const failure = failureReason(job, counts);
  if (failure !== undefined) return { state: 'failed', reason: failure };
  const blocker = job.spec.after.find((id) =>
    ['failed', 'canceled', 'skipped', 'deleted'].includes(stateOfJob(id) ?? ''),
  );
  if (blocker !== undefined) {
    return { state: 'skipped', reason: `It waits for job ${blocker}, which is ${stateOfJob(blocker)}.` };
  }
  if (isUnclaimed) return { state: 'paused', reason: UNCLAIMED };
  if (job.control.desired?.value === 'paused') return { state: 'paused' };
  const awaited = job.spec.after.find((id) => stateOfJob(id) !== 'done');
  if (awaited !== undefined) return { state: 'waiting', reason: `It waits for job ${awaited} to be done.` };
  return { state: counts.done + counts.rendered + counts.failed > 0 ? 'active' : 'queued' };
}

function failureReason(job: JobRecord, counts: TaskCounts): string | undefined {
  if (counts.failed === 0) return undefined;
  const share = job.control.failureShare?.value ?? FAILURE_SHARE_DEFAULT;
  const words = `${counts.failed} of ${counts.total} tasks failed.`;
  if (counts.open === 0) return words;
  const tooMany = counts.failed >= FAILED_TASKS_MIN && counts.failed >= share * counts.total;
  return tooMany ? `${words} Finishing it made no sense.` : undefined;
}

/** A job's name, priority and limits as people last set them. */
export function jobControls(job: JobRecord): {
  name: string;
  priority: number;
  desired: 'active' | 'paused' | 'canceled';
  notes: string;
  machineLimit: number;
} {
  return {
    name: job.control.name?.value ?? job.spec.name,
    priority: job.control.priority?.value ?? PRIORITY_DEFAULT,
    desired: job.control.desired?.value ?? 'active',
    notes: job.control.notes?.value ?? '',
    machineLimit: job.control.machineLimit?.value ?? 0,
  };
}
