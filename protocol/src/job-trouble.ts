import type { TaskIndex } from './ids.ts';
import { counted, namedTasks, upperFirst, within } from './night-words.ts';
import type { AttemptView, JobView, TaskDetail } from './views.ts';

/** What stopped a job, and what a person does about it: of the command line and the dashboard. */

/** Failed tasks that are looked at: each is a request, and failures of one job are mostly of one kind. */
export const FAILED_LOOKED_AT = 20;

export interface JobTrouble {
  /** One sentence on what stopped it. */
  sentence: string;
  /** One sentence on what to do next. */
  next: string;
  /** The attempt that tells, where an attempt of a task stopped it. */
  told?: { task: TaskIndex; name: string; attempt: string; peer: string; machine: string; hasLog: boolean };
}

/** Whether there is anything to look at: failed tasks of a job that nobody has canceled. */
export const hasFailures = ({ state, counts }: Pick<JobView, 'state' | 'counts'>): boolean =>
  counts.failed > 0 && state !== 'canceled' && state !== 'deleted';

/**
 * What stopped a job, or some of its tasks; undefined where all is well. `failed` are its first failed tasks, at most
 * `FAILED_LOOKED_AT`.
 */
export function jobTrouble(
  job: Pick<JobView, 'state' | 'counts' | 'reason'>,
  failed: readonly TaskDetail[],
): JobTrouble | undefined {
  if (job.state === 'skipped' && job.reason !== undefined) return { sentence: job.reason, next: AWAITED };
  if (!hasFailures(job)) return undefined;
  const told = failed.flatMap((task) => verdictOf(task) ?? []);
  const kinds = [...Map.groupBy(told, ({ code }) => code).values()];
  // The most frequent kind; of two as frequent ones that of the first failed task.
  const kind = kinds.reduce<Verdict[]>((most, one) => (one.length > most.length ? one : most), []);
  const [first] = kind;
  if (first === undefined) return undefined;
  const { task, attempt } = first;
  const { attempt: key, peer, machine, hasLog } = attempt;
  return {
    sentence: `${whatFailed(job, failed)}${wherever(told, kind, first)}: ${within(first.message)}.`,
    next: NEXT[first.code] ?? LOOK,
    told: { task: task.index, name: task.name, attempt: key, peer, machine, hasLog },
  };
}

interface Verdict {
  task: TaskDetail;
  /** The attempt that the verdict is of. */
  attempt: AttemptView;
  code: string;
  message: string;
}

const GIVEN_UP = 'It failed: ';

/** Why a task was given up, as `why` says it, and the attempt that it was said of. */
function verdictOf(task: TaskDetail): Verdict | undefined {
  const attempts = task.attempts.filter(({ state }) => state === 'failed' || state === 'lost');
  const said = task.why.startsWith(GIVEN_UP) ? task.why.slice(GIVEN_UP.length) : undefined;
  const attempt = attempts.findLast(({ message }) => message === said) ?? attempts.at(-1);
  if (attempt === undefined) return undefined;
  return { task, attempt, code: attempt.code ?? '', message: said ?? attempt.message ?? task.why };
}

function whatFailed({ counts }: Pick<JobView, 'counts'>, failed: readonly TaskDetail[]): string {
  const names = failed.map(({ name }) => name);
  return `${upperFirst(counts.failed > names.length ? counted(counts.failed, 'task') : namedTasks(names))} failed`;
}

/** Which task and machine stand for all that failed. */
function wherever(all: readonly Verdict[], kind: readonly Verdict[], { task, attempt }: Verdict): string {
  const { machine } = attempt;
  if (all.length > 1) {
    const one = `${task.name} on ${machine}`;
    if (kind.length === all.length) return `, ${one}`;
    return kind.length * 2 > all.length ? `, most of them like ${one}` : ` for several reasons, ${one}`;
  }
  const machines = new Set(task.attempts.map(({ peer }) => peer)).size;
  return machines > 1 ? ` on ${counted(machines, 'machine')}, at last on ${machine}` : ` on ${machine}`;
}

const AWAITED = 'It goes on by itself once that job is done; where that will never be, submit it again.';
const LOOK = 'Read the log, mend the cause, and requeue the failed tasks.';
const SCENE = 'Mend the scene and submit it again: this job keeps it as it was submitted.';
const CRASH =
  'Read the log, and requeue the failed tasks; where they fail again, mend the scene and submit it again.';
const INSTALL = 'Install what is missing on the machines, and requeue the failed tasks.';

/** By the code of the failure. A requeue renders the scene as it was submitted, so it mends nothing in it. */
const NEXT: Readonly<Record<string, string>> = {
  'load-failed': SCENE,
  'not-in-scene': SCENE,
  'no-camera': SCENE,
  'no-output': SCENE,
  'python-exception': SCENE,
  'frame-wrong-size': SCENE,
  'denoiser-missing': 'Use a Blender that has the denoiser, or submit the scene again without denoising.',
  'engine-missing': INSTALL,
  'command-not-found': INSTALL,
  'no-h264': INSTALL,
  'out-of-memory':
    'Requeue the failed tasks on machines with more memory, or make the scene lighter and submit it again.',
  'machine-lost': 'See why these machines vanished before the failed tasks are requeued.',
  crashed: CRASH,
  hung: CRASH,
  'render-failed': CRASH,
};
