import { JOB_ENDS } from './derive.ts';
import type { PeerId } from './ids.ts';
import { jobName, type NightFailure, type NightJob, type NightSource } from './night-facts.ts';
import type { NightEvent, NightJobView, NightNeed, NightTone } from './night-views.ts';
import { counted, lasting, listed, namedTasks, upperFirst, within } from './night-words.ts';

/** What became of jobs and their tasks, in sentences (SPEC R127). */

type Names = Pick<NightSource, 'nameOf'>;
type View = NightJob['view'];

/** Attempts that ended for one reason within so long of each other are told together. */
const TOGETHER_MS = 120_000;

export function jobEvents(names: Names, job: NightJob): NightEvent[] {
  const { view } = job;
  const title = jobName(view);
  const about = { job: view.id, machines: [] as PeerId[], lasts: false };
  const events: NightEvent[] = [
    {
      ...about,
      id: `submitted ${view.id}`,
      kind: 'submitted',
      at: view.submittedAt,
      machines: [view.submitter],
      sentence: `${title} was submitted on ${names.nameOf(view.submitter)}: ${sizeOf(job)}.`,
      tone: 'note',
    },
  ];
  if (JOB_ENDS.has(view.state) && view.changedAt !== undefined)
    events.push({
      ...about,
      id: `job-ended ${view.id}`,
      kind: 'job-ended',
      at: view.changedAt,
      sentence: `${title} ${endOf(job)}`,
      tone: toneOf(job),
    });
  return [...events, ...taskEvents(names, job)];
}

function taskEvents(names: Names, job: NightJob): NightEvent[] {
  const { view } = job;
  const title = jobName(view);
  const failed = job.failed.map(
    ({ task, name, at, message, machines }): NightEvent => ({
      id: `task-failed ${view.id} ${task}`,
      kind: 'task-failed',
      at,
      lasts: false,
      sentence: `${upperFirst(name)} of ${title} failed on ${counted(machines, 'machine')} and was given up: ${within(message)}.`,
      tone: 'bad',
      machines: [],
      job: view.id,
      task,
    }),
  );
  // A pulled cable loses several machines at once; what fails is one machine's own affair.
  const lost = together(job.lost, () => true).map((group) => groupEvent(names, job, 'attempts-lost', group));
  const isSame = (a: NightFailure, b: NightFailure): boolean => a.peer === b.peer && a.code === b.code;
  const failures = together(job.failures, isSame).map((group) =>
    groupEvent(names, job, 'failed-elsewhere', group),
  );
  return [...failed, ...lost, ...failures, ...againEvents(names, job)];
}

/** Frames that are rendered again for one reason come one after the other, as fast as they render. */
const AGAIN_TOGETHER_MS = 1_800_000;

/** Tasks whose first result could not be had, or wasn't known, told together. */
function againEvents({ nameOf }: Names, { view, again }: NightJob): NightEvent[] {
  const groups: NightJob['again'][number][][] = [];
  for (const one of [...again].sort((a, b) => a.at - b.at)) {
    const last = groups.at(-1);
    if (last !== undefined && one.at - (last.at(-1) ?? one).at <= AGAIN_TOGETHER_MS) last.push(one);
    else groups.push([one]);
  }
  return groups.map((group): NightEvent => {
    const [first] = group as [NightJob['again'][number]];
    const until = group.at(-1)?.at ?? first.at;
    const holders = [...new Set(group.flatMap(({ held }) => held))];
    const makers = [...new Set(group.map(({ by }) => by))];
    const tasks = namedTasks(group.map(({ name }) => name));
    const are = group.length === 1 ? 'was' : 'were';
    const away =
      holders.length === 0
        ? 'no copy of what was rendered first is left'
        : `what was rendered first is on ${listed(holders.map(nameOf))}, which couldn't be asked`;
    return {
      id: `rendered-again ${view.id} ${first.task} ${first.at}`,
      kind: 'rendered-again',
      at: first.at,
      ...(group.length > 1 && { until }),
      lasts: false,
      sentence: `${upperFirst(tasks)} of ${jobName(view)} ${are} rendered again by ${listed(makers.map(nameOf))}: ${away}.`,
      tone: 'odd',
      machines: [...new Set([...makers, ...holders])],
      job: view.id,
      ...(group.length === 1 && { task: first.task }),
    };
  });
}

/** What belongs together, and is close in time. */
function together(
  failures: readonly NightFailure[],
  isSame: (a: NightFailure, b: NightFailure) => boolean,
): NightFailure[][] {
  const groups: NightFailure[][] = [];
  for (const failure of [...failures].sort((a, b) => a.at - b.at)) {
    const group = groups.findLast(
      ([first, ...rest]) =>
        first !== undefined &&
        isSame(first, failure) &&
        failure.at - (rest.at(-1) ?? first).at <= TOGETHER_MS,
    );
    if (group === undefined) groups.push([failure]);
    else group.push(failure);
  }
  return groups;
}

function groupEvent(
  { nameOf }: Names,
  { view }: NightJob,
  kind: 'attempts-lost' | 'failed-elsewhere',
  group: readonly NightFailure[],
): NightEvent {
  const [first] = group as [NightFailure];
  const tasks = namedTasks([...new Set(group.map(({ name }) => name))]);
  const of = `${upperFirst(tasks)} of ${jobName(view)}`;
  const machines = [...new Set(group.map(({ peer }) => peer))];
  const machine = listed(machines.map(nameOf));
  const sentence =
    kind === 'attempts-lost'
      ? `${of} ran on ${machine} when ${machines.length === 1 ? 'it was' : 'they were'} lost, and went to other machines.`
      : `${of} failed on ${machine} and went back to the queue: ${within(first.message)}.`;
  return {
    id: `${kind} ${view.id} ${first.peer} ${first.at}`,
    kind,
    at: first.at,
    lasts: false,
    sentence,
    tone: kind === 'attempts-lost' ? 'note' : 'odd',
    machines,
    job: view.id,
    ...(group.length === 1 && { task: first.task }),
  };
}

const nounOf = ({ type }: View): string => (type.startsWith('blender') ? 'frame' : 'task');

function sizeOf({ view, films }: NightJob): string {
  const frames = counted(view.counts.total - films, nounOf(view));
  return films === 0 ? frames : `${frames} and ${films === 1 ? 'a film' : `${films} films`}`;
}

/** `All 240 frames and the film`, `118 of 120 frames`. */
function madeOf({ view, films, filmsMade }: NightJob): string {
  const { total, done, rendered } = view.counts;
  const made = done + rendered - filmsMade;
  const all = total - films;
  const noun = nounOf(view);
  const frames =
    made === all
      ? `${all === 1 ? 'its' : `all ${all}`} ${noun}${all === 1 ? '' : 's'}`
      : `${made} of ${counted(all, noun)}`;
  return filmsMade > 0 ? `${frames} and the film` : frames;
}

function endOf(job: NightJob): string {
  const { view } = job;
  const took = lasting((view.changedAt ?? view.submittedAt) - view.submittedAt);
  const why = view.reason === undefined ? '' : ` ${view.reason}`;
  switch (view.state) {
    case 'done':
      return `is done: ${madeOf(job)}, ${took} after it was submitted.`;
    case 'failed':
      return `failed ${took} after it was submitted, with ${madeOf(job)} there.${why}`;
    case 'canceled':
      return `was canceled, with ${madeOf(job)} there.`;
    default:
      return `ended as ${view.state}.${why}`;
  }
}

/** The same where the state stands beside it. */
function resultOf(job: NightJob): string {
  const { view } = job;
  const took = lasting((view.changedAt ?? view.submittedAt) - view.submittedAt);
  const why = view.reason === undefined ? '' : ` ${view.reason}`;
  return `${upperFirst(madeOf(job))} in ${took}.${why}`;
}

function toneOf({ view }: NightJob): NightTone {
  if (view.state === 'done') return 'good';
  return view.state === 'failed' || view.counts.failed > 0 ? 'bad' : 'note';
}

/** One or two sentences on a job: how far it came, what failed and why, and where its frames are. */
export function jobSummary(names: Names, job: NightJob): NightJobView {
  const { view } = job;
  const { id, order, name, state } = view;
  const parts = [JOB_ENDS.has(state) ? resultOf(job) : progressOf(job)];
  const [first] = job.failed;
  if (first !== undefined) {
    const tasks = upperFirst(namedTasks(job.failed.map((one) => one.name)));
    parts.push(`${tasks} failed: ${within(first.message)}.`);
  }
  const where = whereFrames(names, view);
  if (where !== undefined) parts.push(where);
  return { job: id, order, name, state, sentence: parts.join(' '), tone: toneOf(job) };
}

function progressOf(job: NightJob): string {
  const { view, made } = job;
  const now = { waiting: 'It waits', queued: 'It is in the queue', paused: 'It is paused' } as const;
  const state = view.state as keyof typeof now;
  const begin = now[state] ?? 'It is being rendered';
  const left = view.live.remainingMs === undefined ? '' : `, about ${lasting(view.live.remainingMs)} left`;
  const wait = view.live.waits === undefined || view.live.running > 0 ? '' : ` ${view.live.waits}`;
  return `${begin}: ${madeOf(job)} ${made > 0 ? `there, ${made} of them made in this time` : 'there'}${left}.${wait}`;
}

function whereFrames({ nameOf }: Names, view: View): string | undefined {
  const there = view.counts.done + view.counts.rendered;
  if (there === 0) return undefined;
  const { collected } = view.live;
  const here =
    collected !== undefined && collected > 0
      ? ` ${counted(collected, 'file')} collected in ${view.outputFolder}.`
      : '';
  if (view.oneCopyOnly === 0) return `Every result is on two machines at least.${here}`;
  const alone = view.onlyOn.filter(({ results }) => results > 0);
  const names = alone.map(({ peer, results }) => `${nameOf(peer)} (${results})`);
  const where = names.length === 0 ? '' : `, on ${listed(names)}`;
  return `${counted(view.oneCopyOnly, 'result')} ${view.oneCopyOnly === 1 ? 'has' : 'have'} one copy only${where}.${here}`;
}

/** What of a job waits for somebody. */
export function jobNeeds(job: NightJob): NightNeed[] {
  const { view, failed } = job;
  const title = jobName(view);
  const needs: NightNeed[] = [];
  const [first] = failed;
  if (first !== undefined && view.state !== 'canceled')
    needs.push({
      id: `failed ${view.id}`,
      job: view.id,
      sentence: `${upperFirst(namedTasks(failed.map(({ name }) => name)))} of ${title} failed everywhere: ${within(first.message)}. Mend the cause and render ${failed.length === 1 ? 'it' : 'them'} again.`,
    });
  if (view.live.problem !== undefined)
    needs.push({ id: `problem ${view.id}`, job: view.id, sentence: `${title}: ${view.live.problem}` });
  if (view.state === 'paused')
    needs.push({
      id: `paused ${view.id}`,
      job: view.id,
      sentence: `${title} is paused until somebody resumes it.`,
    });
  return needs;
}
