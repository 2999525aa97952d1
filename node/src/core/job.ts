import {
  compareAttempts,
  compareText,
  countingResult,
  jobControls,
  PlanView,
  type AttemptId,
  type BlobHash,
  type JobId,
  type JobRecord,
  type JobState,
  type PeerId,
  type Plan,
  type TaskIndex,
  type TaskRecord,
  type TaskResult,
} from '@cuadro/protocol';
import { AwayResults } from './away-results.ts';
import type { Lease } from './machine.ts';
import { DURATIONS_KEPT } from './options.ts';
import { coarseToFineOrder, sequentialOrder } from './order.ts';
import { ReadyQueue } from './ready-queue.ts';
import { failedOn, TaskTable, type TableListener } from './tasks.ts';
import { NewestThumbnails } from './thumbnails.ts';

/** What a job tells the brain. */
export interface JobListener {
  taskChanged(job: Job, index: TaskIndex): void;
  /** Tasks may be free that were not. */
  offered(job: Job): void;
  /** Tasks that run lost what they are made from. */
  inputsGone(job: Job, leases: Lease[]): void;
}

/** One job as the brain keeps it: its record, its tasks, what of it is granted, and figures for views. */
export class Job {
  readonly id: JobId;
  record: JobRecord;
  readonly table: TaskTable;
  state: JobState = 'queued';
  reason: string | undefined;
  /** Grants that are out, by task; none of them is being stopped. */
  readonly leases = new Map<TaskIndex, Lease>();
  /** Machines at work on it → how many leases. */
  readonly machines = new Map<PeerId, number>();
  /** Engine → the version that the job is bound to, and whether by a result or only by a grant (SPEC R51). */
  readonly versions = new Map<string, { version: string; attempt: AttemptId; made: boolean }>();
  /** Machine → tasks that failed there and that others rendered. */
  readonly spoiled = new Map<PeerId, number>();
  /** Task → monotonic time before which it isn't tried again where it failed. */
  readonly pauses = new Map<TaskIndex, number>();
  /** Machine → the time before which it isn't granted what needs the scene, and how long that pause is (SPEC R116). */
  readonly sceneless = new Map<PeerId, { readonly pauseMs: number; readonly until: number }>();
  /** Results that nobody within reach holds. */
  readonly away = new AwayResults();
  /** Stands in the list of jobs with tasks to grant. */
  offered = false;
  #changedAt: number | undefined;
  /** What the latest time was taken from is void now. */
  #isChangedAtVoid = false;
  #queues: ReadyQueue[] = [];
  readonly #listener: JobListener;
  readonly #spoilers = new Map<TaskIndex, PeerId[]>();
  readonly #durations = new Map<number, number[]>();
  readonly #thumbnails = new NewestThumbnails();

  constructor(record: JobRecord, listener: JobListener) {
    this.id = record.id;
    this.record = record;
    this.#listener = listener;
    this.table = new TaskTable(record, this.#tableListener());
    // Only now: what it changes is told to this job's own table.
    this.table.applyRequests(record);
  }

  get hasPlan(): boolean {
    return this.table.view !== undefined;
  }

  get priority(): number {
    return jobControls(this.record).priority;
  }

  /** @throws RangeError or CuadroError where the plan is not a sensible one. */
  setPlan(plan: Plan): void {
    const view = new PlanView(plan);
    const probe = {
      isFree: (index: TaskIndex) =>
        this.isWanted(index) &&
        !this.leases.has(index) &&
        this.table.hasInputs(index) &&
        !this.lacksInput(index),
      failedOn: (index: TaskIndex) => failedOn(this.table.effective(index)),
      notBefore: (index: TaskIndex) => this.pauses.get(index) ?? 0,
    };
    this.#queues = plan.groups.map((_, group) => {
      const span = view.groupSpan(group);
      const order = plan.order === 'sequential' ? sequentialOrder : coarseToFineOrder(span.count);
      return new ReadyQueue(span, order, probe);
    });
    this.#durations.clear();
    this.table.setPlan(view, this.record);
    for (const record of this.table.records.values()) this.#observe(record.index);
    this.#listener.offered(this);
  }

  queue(group: number): ReadyQueue | undefined {
    return this.#queues[group];
  }

  /** Whether no machine whatever could be granted a task now, or after a pause. */
  isDry(): boolean {
    return this.#queues.every((queue, group) => this.isBlocked(group) || queue.isEmpty());
  }

  /** Whether tasks of the group wait for all of another: for its results, or for machines that hold them. */
  isBlocked(group: number): boolean {
    if (this.table.isBlocked(group)) return true;
    return (
      this.away.size > 0 && this.table.needsOf(group).all.some((needed) => this.away.countIn(needed) > 0)
    );
  }

  /** Whether what it is made from is out of reach. */
  lacksInput(index: TaskIndex): boolean {
    if (this.away.size === 0) return false;
    return (
      this.isBlocked(this.table.groupOf(index)) ||
      this.table.sameInputs(index).some((input) => this.away.has(input))
    );
  }

  /** Nothing has come of it yet, or what has is out of reach for too long. */
  isWanted(index: TaskIndex): boolean {
    return this.table.isOpen(index) || this.away.substitutes.has(index);
  }

  /** Milliseconds since 1970 of the latest result or failure that counts, for display. */
  get changedAt(): number | undefined {
    if (this.#isChangedAtVoid) {
      this.#isChangedAtVoid = false;
      this.#changedAt = undefined;
      for (const index of this.table.records.keys()) this.#sawAt(this.#latestOf(index));
    }
    return this.#changedAt;
  }

  put(record: TaskRecord): void {
    const before = this.#latestOf(record.index);
    this.table.put(record);
    if (before === this.#changedAt && before !== this.#latestOf(record.index)) this.#isChangedAtVoid = true;
    this.#observe(record.index);
    this.#unbindVersions();
  }

  /** Takes a stored task. With the plan, what follows from it is derived at once; without, when all are there. */
  load(record: TaskRecord): void {
    if (!this.hasPlan) {
      this.table.records.set(record.index, record);
      return;
    }
    this.table.put(record);
    this.#observe(record.index);
  }

  /** Its stored tasks are in the table, and there is no plan: derives what follows from them. */
  loaded(): void {
    for (const index of this.table.records.keys()) {
      this.table.refresh(index);
      this.#observe(index);
    }
  }

  /** The task is free again without having changed. */
  offer(index: TaskIndex): void {
    if (!this.isWanted(index) || this.leases.has(index)) return;
    this.#queues[this.table.groupOf(index)]?.offer(index);
    this.#listener.offered(this);
  }

  /** Merges the new control record: the levels of tasks follow their requests. */
  setRecord(record: JobRecord): void {
    const isAsked = Object.keys(record.requests).length > Object.keys(this.record.requests).length;
    this.record = record;
    // It may name another holder of the scene.
    this.sceneless.clear();
    const requests = Object.keys(record.requests).length;
    this.table.applyRequests(record);
    if (isAsked) {
      this.#rebindVersions();
      this.#isChangedAtVoid = true;
    }
    if (requests > 0) for (const index of this.#spoilers.keys()) this.#observe(index);
  }

  addLease(lease: Lease): void {
    this.leases.set(lease.index, lease);
    this.machines.set(lease.peer, (this.machines.get(lease.peer) ?? 0) + 1);
  }

  removeLease(lease: Lease): void {
    if (this.leases.get(lease.index) !== lease) return;
    this.leases.delete(lease.index);
    const left = (this.machines.get(lease.peer) ?? 1) - 1;
    if (left > 0) this.machines.set(lease.peer, left);
    else this.machines.delete(lease.peer);
    this.#unbindVersions();
  }

  /** With nothing made and nothing running of an engine, a new version of it mixes with nothing (SPEC R51). */
  #unbindVersions(): void {
    for (const engine of this.versions.keys()) {
      const isMade = this.#groupsOf(engine).some((group) => this.table.withResultIn(group) > 0);
      if (!isMade && !this.#isRunning(engine)) this.versions.delete(engine);
    }
  }

  /** A redo may have discarded the result that an engine's version followed from: the oldest that is left says it now. */
  #rebindVersions(): void {
    const before = [...this.versions];
    this.versions.clear();
    for (const index of before.length > 0 ? this.table.records.keys() : []) this.#observeVersion(index);
    for (const [engine, bound] of before) {
      if (!this.versions.has(engine) && this.#isRunning(engine)) this.versions.set(engine, bound);
    }
  }

  #groupsOf(engine: string): number[] {
    const groups = this.table.view?.plan.groups ?? [];
    return groups.flatMap(({ requires }, group) => (requires.engine === engine ? group : []));
  }

  #isRunning(engine: string): boolean {
    const groups = this.#groupsOf(engine);
    for (const { group } of this.leases.values()) if (groups.includes(group)) return true;
    return false;
  }

  #observeVersion(index: TaskIndex, result = this.result(index)): void {
    const requires = this.table.view?.plan.groups[this.table.groupOf(index)]?.requires;
    if (result?.engineVersion === undefined || requires === undefined) return;
    this.bindVersion(requires.engine, result.engineVersion, result.attempt, true);
  }

  /** The oldest result binds the job, and the first grant only while there is no result. */
  bindVersion(engine: string, version: string, attempt: AttemptId, made: boolean): void {
    const bound = this.versions.get(engine);
    const outranks =
      bound === undefined || (made === bound.made ? compareAttempts(attempt, bound.attempt) < 0 : made);
    if (outranks) this.versions.set(engine, { version, attempt, made });
  }

  /** Median of the newest render times of a group, in milliseconds. */
  medianMs(group: number): number | undefined {
    const durations = this.#durations.get(group);
    if (durations === undefined || durations.length === 0) return undefined;
    return [...durations].sort((a, b) => a - b)[durations.length >> 1];
  }

  /** Thumbnails of the newest results, newest first. */
  thumbnails(): { task: TaskIndex; blob: BlobHash }[] {
    const { records } = this.table;
    return this.#thumbnails.of({
      count: records.size,
      indices: () => records.keys(),
      result: (index) => this.result(index),
    });
  }

  result(index: TaskIndex) {
    const record = this.table.effective(index);
    return record && countingResult(record);
  }

  #observe(index: TaskIndex): void {
    const record = this.table.effective(index);
    const result = record && countingResult(record);
    this.#sawAt(record && latestOf(record, result));
    if (result !== undefined) {
      const group = this.table.groupOf(index);
      const requires = this.table.view?.plan.groups[group]?.requires;
      if (requires !== undefined) {
        this.#keepDuration(group, result.renderMs);
        this.#observeVersion(index, result);
      }
      if (result.thumbnail !== undefined) this.#thumbnails.keep(index, result.wallTime);
    }
    const spoilers = result === undefined ? [] : failedOn(record).filter((peer) => peer !== result.peer);
    this.#setSpoilers(index, spoilers);
  }

  #latestOf(index: TaskIndex): number | undefined {
    const record = this.table.effective(index);
    return record && latestOf(record, countingResult(record));
  }

  #sawAt(wallTime: number | undefined): void {
    if (wallTime !== undefined && wallTime > (this.#changedAt ?? 0)) this.#changedAt = wallTime;
  }

  #keepDuration(group: number, renderMs: number): void {
    const durations = this.#durations.get(group);
    if (durations === undefined) this.#durations.set(group, [renderMs]);
    else {
      durations.push(renderMs);
      if (durations.length > DURATIONS_KEPT) durations.shift();
    }
  }

  #setSpoilers(index: TaskIndex, peers: PeerId[]): void {
    const before = this.#spoilers.get(index);
    if (before === undefined && peers.length === 0) return;
    for (const peer of before ?? []) this.spoiled.set(peer, (this.spoiled.get(peer) ?? 1) - 1);
    for (const peer of peers) this.spoiled.set(peer, (this.spoiled.get(peer) ?? 0) + 1);
    if (peers.length > 0) this.#spoilers.set(index, peers);
    else this.#spoilers.delete(index);
  }

  #tableListener(): TableListener {
    return {
      changed: (index) => this.#listener.taskChanged(this, index),
      freed: (index) => this.offer(index),
      unblocked: () => this.#listener.offered(this),
      blocked: (group) =>
        this.#listener.inputsGone(
          this,
          [...this.leases.values()].filter((lease) => lease.group === group),
        ),
      lostInput: (index) => {
        const lease = this.leases.get(index);
        if (lease !== undefined) this.#listener.inputsGone(this, [lease]);
      },
    };
  }
}

function latestOf({ failures }: TaskRecord, result: TaskResult | undefined): number | undefined {
  let latest = result?.wallTime;
  for (const { wallTime } of Object.values(failures)) latest = Math.max(latest ?? 0, wallTime);
  return latest;
}

/** Priority, then the farm-wide counter, then the submitter and the id (SPEC R50). */
export function compareJobs(a: Job, b: Job): number {
  return (
    b.priority - a.priority ||
    a.record.spec.order - b.record.spec.order ||
    compareText(a.record.spec.author, b.record.spec.author) ||
    compareText(a.id, b.id)
  );
}
