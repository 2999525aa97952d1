import type { JobRecord, TaskRecord, TaskResult } from '@cuadro/protocol';

/**
 * The rules of the language that the checkers need, written once more from SPEC.md and not from the code that is
 * judged: whoever changes the one must be contradicted by the other.
 */

type Attempt = TaskResult['attempt'];
type Epoch = Attempt['epoch'];

export const nameOf = ({ epoch, sequence }: Attempt): string => `${epoch.term}.${sequence}.${epoch.peer}`;

/** Epochs by term, then peer (SPEC R40): positive where the first is the newer. */
export function newerEpoch(a: Epoch, b: Epoch): number {
  if (a.term !== b.term) return a.term - b.term;
  if (a.peer === b.peer) return 0;
  return a.peer > b.peer ? 1 : -1;
}

/** Attempts by epoch, then sequence (SPEC R41). */
export const newerAttempt = (a: Attempt, b: Attempt): number =>
  newerEpoch(a.epoch, b.epoch) || a.sequence - b.sequence;

export const isHeld = ({ holders }: TaskResult): boolean => Object.values(holders).some(({ held }) => held);

/** The level up to which people discarded results of a task (SPEC R33). */
export const redoAsked = (job: JobRecord, index: number): number => levelAsked(job, index, 'redo');

/** Whether a job's record says that a person discarded what was made of a task at this level. */
export const isDiscardedBy = (
  job: JobRecord | undefined,
  { index, redo }: Pick<TaskRecord, 'index' | 'redo'>,
): boolean => job !== undefined && redoAsked(job, index) > redo;

/** The level up to which people voided its failures. */
export const retryAsked = (job: JobRecord, index: number): number => levelAsked(job, index, 'retry');

function levelAsked(job: JobRecord, index: number, kind: 'redo' | 'retry'): number {
  let level = 0;
  for (const request of Object.values(job.requests)) {
    if (request.kind !== kind || request.level <= level) continue;
    const names = request.tasks.some(
      ({ start, end, step }) => index >= start && index <= end && (index - start) % step === 0,
    );
    if (names) level = request.level;
  }
  return level;
}

/** What counts of a task's results (SPEC R38), as far as people have not discarded it. */
export function counting(task: TaskRecord, job: JobRecord): TaskResult | undefined {
  if (task.redo < redoAsked(job, task.index)) return undefined;
  let best: TaskResult | undefined;
  for (const result of Object.values(task.results)) {
    if (!isHeld(result)) continue;
    if (best === undefined) best = result;
    else if (result.state !== best.state) best = result.state === 'done' ? result : best;
    else if (newerAttempt(best.attempt, result.attempt) > 0) best = result;
  }
  return best;
}

/** Tasks that failed on a machine and that others rendered, after which it gets no more of the job (SPEC R54). */
const SET_ASIDE = 3;

/** Whether a machine is set aside for a job, by the records of its tasks. */
export function isSetAside(peer: string, job: JobRecord, tasks: readonly TaskRecord[]): boolean {
  const spoiled = tasks.filter((task) => {
    const result = counting(task, job);
    const failed = Object.values(task.failures).some((one) => one.peer === peer && one.cause === 'failed');
    return failed && result !== undefined && result.peer !== peer;
  });
  return spoiled.length >= SET_ASIDE;
}

export const filesOf = ({ files }: TaskResult): string[] => files.map(({ blob }) => blob);
