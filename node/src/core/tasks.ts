import {
  atLevels,
  compareText,
  countingResult,
  emptyTask,
  type JobId,
  type JobRecord,
  type PeerId,
  type PlanView,
  type TaskCounts,
  type TaskIndex,
  type TaskRecord,
  type TaskRequest,
  type TaskState,
} from '@cuadro/protocol';
import { CopyCounts } from './copy-counts.ts';
import { TaskRecords } from './task-records.ts';

/** Task states by their code in the columns. */
const STATES = ['open', 'rendered', 'done', 'failed', 'skipped'] as const satisfies readonly TaskState[];
const CODES: Readonly<Record<TaskState, number>> = { open: 0, rendered: 1, done: 2, failed: 3, skipped: 4 };
const OPEN = CODES.open;
const hasResult = (code: number): boolean => code === CODES.rendered || code === CODES.done;
const isBad = (code: number): boolean => code === CODES.failed || code === CODES.skipped;

/** What a table tells its job as tasks change. */
export interface TableListener {
  /** Something that views show. */
  changed(index: TaskIndex): void;
  /** It may have become free to be granted. */
  freed(index: TaskIndex): void;
  /** What all tasks of the group waited for is there, or is gone again. */
  unblocked(group: number): void;
  blocked(group: number): void;
  /** A same-numbered task that it needs lost its result. */
  lostInput(index: TaskIndex): void;
}

interface Group {
  start: TaskIndex;
  count: number;
  withResult: number;
  bad: number;
  open: number;
  redoSum: number;
  /** Groups whose tasks wait for tasks of this one. */
  dependents: { group: number; match: 'same' | 'all' }[];
  /** Groups that must have all their results first. */
  needsAll: number[];
  needsSame: number[];
}

/**
 * The tasks of one job, as columns: an open task of which nothing is written costs five bytes and no object. Keeps
 * the figures of `deriveJob` (SPEC R80) step by step; cost is per changed task, not per job.
 */
export class TaskTable {
  readonly job: JobId;
  readonly counts: TaskCounts;
  /** Whose copies the results are. */
  copies: CopyCounts;
  view: PlanView | undefined;
  readonly records = new TaskRecords();
  readonly #listener: TableListener;
  #codes: Uint8Array;
  #groups: Group[] = [];
  #redo: Float64Array | undefined;
  #retry: Float64Array | undefined;
  readonly #applied = new Map<string, TaskRequest>();

  constructor(job: JobRecord, listener: TableListener) {
    const total = job.spec.tasks;
    this.job = job.id;
    this.#listener = listener;
    this.#codes = new Uint8Array(total);
    this.copies = new CopyCounts(total);
    this.counts = { total, open: total, rendered: 0, done: 0, failed: 0, skipped: 0 };
  }

  /** Takes the plan, which alone knows the groups and what waits for what; everything is counted anew. */
  setPlan(view: PlanView, job: JobRecord): void {
    const total = view.taskCount;
    this.view = view;
    this.#codes = new Uint8Array(total);
    this.copies = new CopyCounts(total);
    Object.assign(this.counts, { total, open: total, rendered: 0, done: 0, failed: 0, skipped: 0 });
    this.#groups = view.plan.groups.map((group, i) => {
      const { start, count } = view.groupSpan(i);
      return {
        start,
        count,
        withResult: 0,
        bad: 0,
        open: count,
        redoSum: 0,
        dependents: [],
        needsAll: group.after.filter((need) => need.match === 'all').map((need) => need.group),
        needsSame: group.after.filter((need) => need.match === 'same').map((need) => need.group),
      };
    });
    for (const [i, group] of view.plan.groups.entries()) {
      for (const { group: needed, match } of group.after) {
        this.#groups[needed]?.dependents.push({ group: i, match });
      }
    }
    this.#redo = undefined;
    this.#retry = undefined;
    this.#applied.clear();
    for (const index of this.records.keys()) this.#countRedo(index, 0);
    this.applyRequests(job);
    for (const index of this.records.keys()) this.refresh(index);
  }

  get groupCount(): number {
    return this.#groups.length;
  }

  groupOf(index: TaskIndex): number {
    return this.view?.groupOf(index) ?? -1;
  }

  /** The state by records and dependencies; a job's end is not in it. */
  state(index: TaskIndex): TaskState | undefined {
    const code = this.#codes[index];
    return code === undefined ? undefined : STATES[code];
  }

  isOpen(index: TaskIndex): boolean {
    return this.#codes[index] === OPEN;
  }

  /** The first task that is open, by its index. */
  firstOpen(): TaskIndex | undefined {
    const index = this.#codes.indexOf(OPEN);
    return index < 0 ? undefined : index;
  }

  /** Tasks in one of these states, in order: a page of them, found without a look at what comes after it. */
  inStates(states: readonly TaskState[], { offset, limit }: { offset: number; limit: number }): TaskIndex[] {
    const wanted = STATES.map((state) => states.includes(state));
    const inAll = states.reduce((sum, state) => sum + this.counts[state], 0);
    const most = Math.min(limit, inAll - offset);
    const found: TaskIndex[] = [];
    let left = offset;
    for (let index = 0; index < this.#codes.length && found.length < most; index++) {
      if (wanted[this.#codes[index] as number] !== true) continue;
      if (left > 0) left--;
      else found.push(index);
    }
    return found;
  }

  /** All tasks that have a result, in order. */
  withResult(): TaskIndex[] {
    return this.inStates(['rendered', 'done'], { offset: 0, limit: Number.POSITIVE_INFINITY });
  }

  withResultIn(group: number): number {
    return this.#groups[group]?.withResult ?? 0;
  }

  openIn(group: number): number {
    return this.#groups[group]?.open ?? 0;
  }

  /** Whether tasks of the group wait for all of another. */
  isBlocked(group: number): boolean {
    const needs = this.#groups[group]?.needsAll ?? [];
    return needs.some((needed) => {
      const { withResult, count } = this.#groups[needed] as Group;
      return withResult < count;
    });
  }

  /** Whether everything that the task needs has a result. */
  hasInputs(index: TaskIndex): boolean {
    const group = this.groupOf(index);
    if (group < 0 || this.isBlocked(group)) return false;
    return this.#sameInputs(index, group).every((input) => hasResult(this.#codes[input] as number));
  }

  /** The first task that this one needs and whose state the test accepts. */
  findInput(index: TaskIndex, test: (state: TaskState) => boolean): TaskIndex | undefined {
    for (const { start, count } of this.view?.dependencies(index) ?? []) {
      for (let input = start; input < start + count; input++) {
        if (test(this.state(input) as TaskState)) return input;
      }
    }
    return undefined;
  }

  /** Groups of which its tasks need all tasks, and those of which each needs the one of its own number. */
  needsOf(group: number): { all: readonly number[]; same: readonly number[] } {
    const { needsAll, needsSame } = this.#groups[group] ?? { needsAll: [], needsSame: [] };
    return { all: needsAll, same: needsSame };
  }

  /** Tasks of its own number that this one needs. */
  sameInputs(index: TaskIndex): TaskIndex[] {
    return this.#sameInputs(index, this.groupOf(index));
  }

  /** How many of the tasks that this one needs have no result yet. */
  inputsMissing(index: TaskIndex): number {
    const group = this.#groups[this.groupOf(index)];
    if (group === undefined) return 0;
    const ofAll = group.needsAll.map((needed) => this.#groups[needed] as Group);
    const missing = ofAll.reduce((sum, { count, withResult }) => sum + count - withResult, 0);
    const same = this.#sameInputs(index, this.groupOf(index));
    return missing + same.filter((input) => !hasResult(this.#codes[input] as number)).length;
  }

  /** The record as the job's requests leave it. */
  effective(index: TaskIndex): TaskRecord | undefined {
    const record = this.records.get(index);
    if (record === undefined || this.#redo === undefined) return record;
    return atLevels(record, this.#redo[index] ?? 0, this.#retry?.[index] ?? 0);
  }

  levels(index: TaskIndex): { redo: number; retry: number } {
    const record = this.effective(index);
    if (record !== undefined) return { redo: record.redo, retry: record.retry };
    return { redo: this.#redo?.[index] ?? 0, retry: this.#retry?.[index] ?? 0 };
  }

  /** The record to which something is to be added: never undefined, at the levels that hold now. */
  forWriting(index: TaskIndex): TaskRecord {
    const { redo, retry } = this.levels(index);
    return this.effective(index) ?? emptyTask(this.job, index, redo, retry);
  }

  /** Sum of the redo levels of what the task is made from (SPEC R39). */
  inputRedo(index: TaskIndex): number {
    const group = this.#groups[this.groupOf(index)];
    if (group === undefined) return 0;
    const ofAll = group.needsAll.reduce((sum, needed) => sum + (this.#groups[needed] as Group).redoSum, 0);
    const same = this.#sameInputs(index, this.groupOf(index));
    return same.reduce((sum, input) => sum + this.levels(input).redo, ofAll);
  }

  /** Tasks that wait directly for this one. */
  *dependents(index: TaskIndex): Generator<TaskIndex> {
    const number = this.view?.task(index)?.number;
    for (const { group, match } of this.#groups[this.groupOf(index)]?.dependents ?? []) {
      if (match === 'all') {
        const { start, count } = this.#groups[group] as Group;
        for (let i = start; i < start + count; i++) yield i;
      } else if (number !== undefined) {
        const same = this.view?.indexOf(group, number);
        if (same !== undefined) yield same;
      }
    }
  }

  /** Takes a merged record. */
  put(record: TaskRecord): void {
    const before = this.levels(record.index).redo;
    this.records.set(record.index, record);
    this.#countRedo(record.index, before);
    this.refresh(record.index);
    this.#listener.changed(record.index);
  }

  /** Raises the levels of the tasks that new requests name. */
  applyRequests(job: JobRecord): void {
    const known = [...this.#applied].some(([key, request]) => job.requests[key] !== request);
    // Two requests signed under one key: the greater replaced the other, whose levels are void.
    if (known) this.#voidLevels();
    for (const [key, request] of Object.entries(job.requests)) {
      if (this.#applied.has(key)) continue;
      this.#applied.set(key, request);
      this.#apply(request);
    }
  }

  #voidLevels(): void {
    this.#applied.clear();
    for (let index = 0; index < this.#codes.length; index++) {
      const before = this.levels(index).redo;
      if (this.#redo !== undefined) this.#redo[index] = 0;
      if (this.#retry !== undefined) this.#retry[index] = 0;
      this.#countRedo(index, before);
      this.refresh(index);
      this.#listener.changed(index);
    }
  }

  #apply(request: TaskRequest): void {
    const total = this.#codes.length;
    this.#redo ??= new Float64Array(total);
    this.#retry ??= new Float64Array(total);
    const levels = request.kind === 'redo' ? this.#redo : this.#retry;
    for (const { start, end, step } of request.tasks) {
      const first = start >= 0 ? start : start + Math.ceil(-start / step) * step;
      for (let index = first; index <= end && index < total; index += step) {
        if ((levels[index] as number) >= request.level) continue;
        const before = this.levels(index).redo;
        levels[index] = request.level;
        this.#countRedo(index, before);
        this.refresh(index);
        this.#listener.changed(index);
      }
    }
  }

  #countRedo(index: TaskIndex, before: number): void {
    const group = this.#groups[this.groupOf(index)];
    if (group !== undefined) group.redoSum += this.levels(index).redo - before;
  }

  /** Derives one task's state anew, and that of those that wait for it. */
  refresh(index: TaskIndex): void {
    const before = this.#codes[index];
    if (before === undefined) return;
    const record = this.effective(index);
    const result = record && countingResult(record);
    let code = CODES[result?.state ?? (record?.failed === undefined ? 'open' : 'failed')];
    if (code === OPEN && this.#inputsAreBad(index)) code = CODES.skipped;
    this.copies.put(index, result?.holders);
    if (code !== before) this.#change(index, before, code);
    if (code === OPEN) this.#listener.freed(index);
  }

  #change(index: TaskIndex, before: number, code: number): void {
    this.#codes[index] = code;
    this.counts[STATES[before] as TaskState]--;
    this.counts[STATES[code] as TaskState]++;
    this.#listener.changed(index);
    const group = this.#groups[this.groupOf(index)];
    if (group === undefined) return;
    const [wasComplete, wasBad] = [group.withResult === group.count, group.bad > 0];
    group.withResult += Number(hasResult(code)) - Number(hasResult(before));
    group.bad += Number(isBad(code)) - Number(isBad(before));
    group.open += Number(code === OPEN) - Number(before === OPEN);
    const complete = group.withResult === group.count;
    for (const dependent of group.dependents) {
      if (dependent.match === 'same') this.#tellSame(index, dependent.group, code);
      else {
        if (wasBad !== group.bad > 0) this.#refreshGroup(dependent.group);
        if (!wasComplete && complete && !this.isBlocked(dependent.group)) {
          this.#listener.unblocked(dependent.group);
        }
        if (wasComplete && !complete) this.#listener.blocked(dependent.group);
      }
    }
  }

  #tellSame(index: TaskIndex, group: number, code: number): void {
    const number = this.view?.task(index)?.number as number;
    const dependent = this.view?.indexOf(group, number);
    if (dependent === undefined) return;
    this.refresh(dependent);
    if (!hasResult(code)) this.#listener.lostInput(dependent);
  }

  #refreshGroup(group: number): void {
    const { start, count } = this.#groups[group] as Group;
    for (let index = start; index < start + count; index++) this.refresh(index);
  }

  #inputsAreBad(index: TaskIndex): boolean {
    const group = this.groupOf(index);
    const { needsAll, needsSame } = this.#groups[group] ?? { needsAll: [], needsSame: [] };
    if (needsAll.some((needed) => (this.#groups[needed] as Group).bad > 0)) return true;
    if (needsSame.length === 0) return false;
    return this.#sameInputs(index, group).some((input) => isBad(this.#codes[input] as number));
  }

  #sameInputs(index: TaskIndex, group: number): TaskIndex[] {
    const needs = this.#groups[group]?.needsSame ?? [];
    if (needs.length === 0) return [];
    const number = this.view?.task(index)?.number as number;
    return needs.flatMap((needed) => this.view?.indexOf(needed, number) ?? []);
  }
}

/** The machines on which attempts at the task failed, in a fixed order. */
export function failedOn(task: TaskRecord | undefined): PeerId[] {
  if (task === undefined) return [];
  const failed = Object.values(task.failures).filter((failure) => failure.cause === 'failed');
  if (failed.length === 0) return [];
  return [...new Set(failed.map((failure) => failure.peer))].sort(compareText);
}
