import {
  attemptKey,
  countingResult,
  heldBy,
  heldLog,
  mergeHolders,
  resultWithin,
  type Failure,
  type Holders,
  type JobRecord,
  type PeerId,
  type TaskRecord,
  type TaskResult,
} from '@cuadro/protocol';

/** What needs another copy, judged by the records alone. */

/** Whether a machine's copy still counts: a member that was reached lately enough. */
export type IsLive = (peer: PeerId) => boolean;

/** By which copies are judged: whose count, and how many there are to be. */
export interface CopyRule {
  readonly isLive: IsLive;
  readonly copies: number;
}

export const liveHolders = (holders: Holders, isLive: IsLive): PeerId[] => heldBy(holders).filter(isLive);

/** Who holds all of a job's content. */
export function jobHolders({ spec, holders }: JobRecord, isLive: IsLive): PeerId[] {
  const plan = liveHolders(holders.plan, isLive);
  if (spec.bundle === undefined) return plan;
  const bundle = new Set(liveHolders(holders.bundle, isLive));
  return plan.filter((peer) => bundle.has(peer));
}

/**
 * Whether two hold it, by what was asked for and what is known by now: the copy of one that was removed while the other
 * took its own, or that found its own damaged, counts no more (SPEC R24).
 */
export function isHeldByTwo(
  holders: Holders,
  known: Holders | undefined,
  removed: ReadonlySet<PeerId>,
): boolean {
  return liveHolders(mergeHolders(holders, known ?? {}), (peer) => !removed.has(peer)).length >= 2;
}

/** As `isHeldByTwo`, of all of a job's content. */
export function isJobHeldByTwo(
  job: JobRecord,
  known: JobRecord | undefined,
  removed: ReadonlySet<PeerId>,
): boolean {
  const { plan, bundle } = known?.holders ?? { plan: {}, bundle: {} };
  const holders = {
    plan: mergeHolders(job.holders.plan, plan),
    bundle: mergeHolders(job.holders.bundle, bundle),
  };
  return jobHolders({ ...job, holders }, (peer) => !removed.has(peer)).length >= 2;
}

/** The result that needs a copy which this machine is to ask for: it holds it, and too few do. */
export function resultToCopy(
  task: TaskRecord | undefined,
  self: PeerId,
  { isLive, copies }: CopyRule,
): TaskResult | undefined {
  const result = task && (countingFrom(task, self) ?? substituteFrom(task, self));
  return result !== undefined && liveHolders(result.holders, isLive).length < copies ? result : undefined;
}

/** The failure whose log needs a copy which this machine is to ask for: it holds it, and too few do (SPEC R133). */
export function failureToCopy(
  task: TaskRecord | undefined,
  self: PeerId,
  { isLive, copies }: CopyRule,
): Failure | undefined {
  for (const key in task?.failures) {
    const failure = task.failures[key] as Failure;
    // One that stands under another attempt's name would be asked for again and again: its copy has the right one.
    if (heldLog(failure, self) === undefined || key !== attemptKey(failure.attempt)) continue;
    if (liveHolders(failure.holders ?? {}, isLive).length < copies) return failure;
  }
  return undefined;
}

function countingFrom(task: TaskRecord, self: PeerId): TaskResult | undefined {
  const result = countingResult(task);
  return result?.holders[self]?.held === true ? result : undefined;
}

/**
 * Made since the holder of the only copy went (SPEC R59): with a second copy of its own it counts before one that was
 * never done. One that was done goes on counting, and its last holder may stay away for good.
 */
function substituteFrom(task: TaskRecord, self: PeerId): TaskResult | undefined {
  if (heldBy(countingResult(task)?.holders ?? {}).length >= 2) return undefined;
  return resultWithin(task, (peer) => peer === self);
}

/** A result that two hold and that isn't called done yet: the first of them says it. */
export function resultToCallDone(task: TaskRecord | undefined, self: PeerId): TaskResult | undefined {
  return Object.values(task?.results ?? {}).find(({ state, holders }) => {
    const by = state === 'done' ? [] : heldBy(holders);
    return by.length >= 2 && by[0] === self;
  });
}

/** Whether this machine is to ask another to hold the job's content. */
export function jobNeedsCopy(job: JobRecord, self: PeerId, { isLive, copies }: CopyRule): boolean {
  if (job.deleted !== undefined) return false;
  const holders = jobHolders(job, isLive);
  // A machine that leaves counts no copy of its own, and gives away what it has (SPEC R162).
  if (!isLive(self)) return holders.length < copies && jobHolders(job, (peer) => peer === self).length > 0;
  if (!holders.includes(self) || holders.length >= copies) return false;
  // One of them asks: the submitter, or the first where that is away.
  return (holders.includes(job.spec.author) ? job.spec.author : holders[0]) === self;
}

/**
 * Whether this machine is to have all of a job's content, since nobody whose copy counts holds all of it and so nobody
 * asks it to: one that held it, wholly or in part, has it again (SPEC R185), and any does that only removed ones held
 * (SPEC R188).
 */
export function jobNeedsMending(
  job: JobRecord,
  self: PeerId,
  { isLive, removed }: { isLive: IsLive; removed: ReadonlySet<PeerId> },
): boolean {
  if (job.deleted !== undefined || removed.has(self)) return false;
  if (!hasHeldJob(job, self) && !isJobLeftBehind(job, removed)) return false;
  return jobHolders(job, isLive).length === 0;
}

/** Whether a machine says or said that it holds something of a job's content. */
export const hasHeldJob = ({ holders: { plan, bundle } }: JobRecord, peer: PeerId): boolean =>
  plan[peer] !== undefined || bundle[peer] !== undefined;

/** Whether only machines that are members no more ever held it. */
function isJobLeftBehind({ holders }: JobRecord, removed: ReadonlySet<PeerId>): boolean {
  const peers = [...Object.keys(holders.plan), ...Object.keys(holders.bundle)];
  return peers.length > 0 && peers.every((peer) => removed.has(peer));
}

/** A record of this one result, and nothing else. */
export function recordOf(task: TaskRecord, result: TaskResult): TaskRecord {
  const { job, index, redo, retry } = task;
  return {
    kind: 'task',
    job,
    index,
    redo,
    retry,
    results: { [attemptKey(result.attempt)]: result },
    failures: {},
  };
}

/** A record of this one failure, and nothing else. */
export function recordOfFailure(task: TaskRecord, failure: Failure): TaskRecord {
  const { job, index, redo, retry } = task;
  const failures = { [attemptKey(failure.attempt)]: failure };
  return { kind: 'task', job, index, redo, retry, results: {}, failures };
}

/** The counter under which this machine's own entry says that it holds something (SPEC R24). */
export function holdingCounter(self: PeerId, known: readonly (Holders | undefined)[]): number {
  const entry = known.reduce<Holders>((all, holders) => mergeHolders(all, holders ?? {}), {})[self];
  return entry?.held === true ? entry.counter : (entry?.counter ?? 0) + 1;
}

export function withHolder(holders: Holders, peer: PeerId, counter: number): Holders {
  return mergeHolders(holders, { [peer]: { held: true, counter } });
}
