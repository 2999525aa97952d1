import {
  attemptKey,
  compareAttempts,
  compareText,
  heldBy,
  JOB_ENDS,
  jobControls,
  type AttemptView,
  type FarmView,
  type JobView,
  type NodeView,
  type TaskCounts,
  type TaskDetail,
  type TaskIndex,
  type TaskState,
  type TaskView,
} from '@cuadro/protocol';
import { remainingMs } from './forecast.ts';
import type { Job } from './job.ts';
import { isRunning } from './machine.ts';
import { onlyOn, submitterSafety } from './safety.ts';
import type { BrainState } from './state.ts';
import { machineName, whyIdle, whyTask, withJobNames } from './why.ts';

/** What the local API shows, made only when it is asked for. */

export function countsOf(job: Job): TaskCounts {
  const counts = { ...job.table.counts };
  if (JOB_ENDS.has(job.state)) {
    counts.skipped += counts.open;
    counts.open = 0;
  }
  return counts;
}

/** A task's state with its job's end in it. */
export function taskStateOf(job: Job, index: TaskIndex): TaskState | undefined {
  const state = job.table.state(index);
  return state === 'open' && JOB_ENDS.has(job.state) ? 'skipped' : state;
}

/** The states of which tasks are shown in this one. */
export function statesShownAs(job: Job, state: TaskState): TaskState[] {
  if (!JOB_ENDS.has(job.state)) return [state];
  if (state === 'skipped') return ['skipped', 'open'];
  return state === 'open' ? [] : [state];
}

export function jobView(state: BrainState, job: Job): JobView {
  const { record, table } = job;
  const { spec } = record;
  const controls = jobControls(record);
  const films = filmTasks(job);
  const film = filmOf(job, films);
  const only = onlyOn(state, job);
  return {
    id: job.id,
    order: spec.order,
    name: controls.name,
    type: spec.type,
    state: job.state,
    ...(job.reason !== undefined && { reason: withJobNames(state, job, job.reason) }),
    priority: controls.priority,
    notes: controls.notes,
    machineLimit: controls.machineLimit,
    counts: countsOf(job),
    oneCopyOnly: table.copies.onOne,
    acknowledged: record.acknowledged,
    holders: holdersOf(job),
    safety: submitterSafety(state, job, only),
    onlyOn: only,
    submitter: spec.author,
    outputFolder: spec.outputFolder,
    after: spec.after,
    submittedAt: spec.wallTime,
    ...(job.changedAt !== undefined && { changedAt: job.changedAt }),
    settings: spec.settings,
    thumbnails: job.thumbnails(),
    ...film,
    filmStale: films.some((index) => isStale(job, index)),
    live: liveOf(state, job),
  };
}

function liveOf(state: BrainState, job: Job): JobView['live'] {
  const running = runningOf(state, job);
  const isUnderWay = job.state === 'active' || job.state === 'queued';
  const remaining = isUnderWay ? remainingMs(state, job) : undefined;
  const first = isUnderWay && running === 0 ? job.table.firstOpen() : undefined;
  return {
    running,
    ...(remaining !== undefined && { remainingMs: remaining }),
    ...(first !== undefined && { waits: whyTask(state, job, first) }),
  };
}

function filmOf(job: Job, films: readonly TaskIndex[]): Pick<JobView, 'film' | 'filmTask'> {
  for (const filmTask of films) {
    const film = job.result(filmTask)?.files.find((file) => file.role === 'film');
    if (film !== undefined) return { film, filmTask };
  }
  return {};
}

function holdersOf(job: Job): number {
  const { bundle, plan } = job.record.holders;
  const holders = heldBy(plan);
  if (job.record.spec.bundle === undefined) return holders.length;
  const ofBundle = new Set(heldBy(bundle));
  return holders.filter((peer) => ofBundle.has(peer)).length;
}

function filmTasks(job: Job): TaskIndex[] {
  const view = job.table.view;
  if (view === undefined) return [];
  return view.plan.groups.flatMap((group, i) => (group.work.kind === 'film' ? view.groupSpan(i).start : []));
}

function runningOf(state: BrainState, job: Job): number {
  let running = 0;
  for (const lease of job.leases.values()) {
    const machine = state.machines.get(lease.peer);
    if (machine !== undefined && isRunning(machine, lease)) running++;
  }
  return running;
}

/** Whether what the task was made from was redone since (SPEC R39). */
function isStale(job: Job, index: TaskIndex): boolean {
  const made = job.result(index)?.inputRedo;
  return made !== undefined && job.table.inputRedo(index) > made;
}

export function taskView(state: BrainState, job: Job, index: TaskIndex): TaskView | undefined {
  const own = taskStateOf(job, index);
  if (own === undefined) return undefined;
  const task = job.table.view?.task(index);
  const record = job.table.effective(index);
  const result = job.result(index);
  const lease = job.leases.get(index);
  const machine = lease && state.machines.get(lease.peer);
  const running = lease !== undefined && machine !== undefined && isRunning(machine, lease);
  return {
    index,
    name: task?.name ?? `#${index}`,
    group: task === undefined ? '' : (job.table.view?.plan.groups[task.group]?.name ?? ''),
    number: task?.number ?? index,
    state: own,
    files: result?.files ?? [],
    ...(result?.thumbnail !== undefined && { thumbnail: result.thumbnail }),
    copies: result === undefined ? 0 : heldBy(result.holders).length,
    ...(result !== undefined && { renderMs: result.renderMs, machine: machineName(state, result.peer) }),
    failures: Object.keys(record?.failures ?? {}).length,
    stale: isStale(job, index),
    live: {
      running,
      ...(running && { fraction: lease.fraction, machine: machineName(state, lease.peer) }),
      ...(running && lease.remainingMs !== undefined && { remainingMs: lease.remainingMs }),
    },
  };
}

export function taskDetail(state: BrainState, job: Job, index: TaskIndex): TaskDetail | undefined {
  const view = taskView(state, job, index);
  if (view === undefined) return undefined;
  return {
    ...view,
    attempts: attemptsOf(state, job, index),
    heldBy: heldBy(job.result(index)?.holders ?? {}).map((peer) => machineName(state, peer)),
    why: whyTask(state, job, index),
  };
}

function attemptsOf(state: BrainState, job: Job, index: TaskIndex): AttemptView[] {
  const record = job.table.effective(index);
  const ended = [
    ...Object.values(record?.failures ?? {}).map((failure) => ({
      id: failure.attempt,
      view: {
        state: failure.cause,
        code: failure.code,
        message: failure.message,
        lines: failure.lines,
        hasLog: failure.log !== undefined,
        at: failure.wallTime,
      },
      peer: failure.peer,
    })),
    ...Object.values(record?.results ?? {}).map((result) => ({
      id: result.attempt,
      view: {
        state: result.state,
        lines: [],
        hasLog: result.log !== undefined,
        renderMs: result.renderMs,
        at: result.wallTime,
      },
      peer: result.peer,
    })),
  ];
  const lease = job.leases.get(index);
  const machine = lease && state.machines.get(lease.peer);
  const running =
    lease !== undefined && machine !== undefined && isRunning(machine, lease)
      ? [
          {
            id: lease.attempt,
            view: { state: 'running' as const, lines: [], hasLog: false },
            peer: lease.peer,
          },
        ]
      : [];
  return [...ended, ...running]
    .sort((a, b) => compareAttempts(a.id, b.id))
    .map(({ id, view, peer }) => ({
      attempt: attemptKey(id),
      peer,
      machine: machineName(state, peer),
      ...view,
    }));
}

export function nodeViews(state: BrainState): NodeView[] {
  // Whoever was removed, or is only known from its records, is no machine of the farm.
  const peers =
    state.farm === undefined ? [state.self, ...state.machines.keys()] : [state.self, ...state.others()];
  return [...new Set(peers)].sort(compareText).map((peer) => nodeView(state, peer));
}

function nodeView(state: BrainState, peer: string): NodeView {
  const machine = state.machines.get(peer);
  const fields = state.nodes.get(peer)?.fields;
  const { desired, ownerDesired } = state.desiredOf(peer);
  const capabilities = machine?.claim?.capabilities;
  const idleReason = machine === undefined ? "It can't be reached." : whyIdle(state, machine);
  const running = [...(machine?.leases.values() ?? [])].flatMap((lease) => {
    if (machine === undefined || !isRunning(machine, lease)) return [];
    const name = state.jobs.get(lease.job)?.table.view?.task(lease.index)?.name ?? `#${lease.index}`;
    return [{ job: lease.job, task: lease.index, name, fraction: lease.fraction }];
  });
  return {
    peer,
    name: machineName(state, peer),
    here: peer === state.self,
    coordinator: peer === state.coordinator?.peer,
    desired,
    ownerDesired,
    leaving: state.isLeaving(peer) && !state.isRemoved(peer),
    slots: machine?.claim?.slots ?? fields?.slots?.value ?? 0,
    tags: [...new Set([...(capabilities?.tags ?? []), ...(fields?.tags?.value ?? [])])].sort(compareText),
    ...(fields?.hours !== undefined && { hours: fields.hours.value }),
    live: {
      reachable: machine?.reachable ?? false,
      running,
      load: machine?.load ?? 0,
      freeDiskBytes: machine?.freeDiskBytes ?? 0,
      ...(capabilities !== undefined && { capabilities }),
      ...(idleReason !== undefined && { idleReason }),
    },
  };
}

export function farmView(state: BrainState): FarmView {
  const jobs: Record<string, number> = {};
  for (const job of state.jobs.values()) jobs[job.state] = (jobs[job.state] ?? 0) + 1;
  let running = 0;
  let nodes = 0;
  for (const machine of state.machines.values()) {
    if (machine.reachable) nodes++;
    for (const lease of machine.leases.values()) if (isRunning(machine, lease)) running++;
  }
  return {
    id: state.farm?.id ?? '',
    name: state.farm?.name.value ?? '',
    members: 1 + state.others().length,
    ...(state.coordinator !== undefined && { coordinator: state.coordinator.peer }),
    epochTerm: state.coordinator?.term ?? 0,
    coordinators: state.history.map(
      ({ epoch, wallTime, cause, leaderlessMs, collectedAt, firstGrantAt }) => ({
        peer: epoch.peer,
        name: machineName(state, epoch.peer),
        term: epoch.term,
        at: wallTime,
        cause,
        leaderlessMs,
        ...(collectedAt !== undefined && { collectedAt }),
        ...(firstGrantAt !== undefined && { firstGrantAt }),
      }),
    ),
    jobs,
    live: { running, nodes },
  };
}
