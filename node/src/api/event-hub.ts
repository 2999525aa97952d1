import type { JobId, LiveEvent, PeerId, TaskIndex } from '@cuadro/protocol';
import type { Changes, CoreQueries } from '../core/interface.ts';
import type { Clock } from '../system/interface.ts';
import type { EventSource } from './interface.ts';
import {
  BATCH_INTERVAL_MS,
  BATCH_TASKS_MAX,
  EVENT_TASKS_KEPT,
  EVENTS_KEPT,
  GATHER_MS,
  LISTENER_GRACE_MS,
  PENDING_TASKS_MAX,
} from './options.ts';

type Entry = { id: number; event: LiveEvent };

/** Turns notices of change into live events that carry whole views, at a bounded rate. */
export interface EventHub extends EventSource {
  /** Something changed in the core. Cheap; the views are made later, once for many notices. */
  notify(changes: Changes): void;
  /** A running task went on, where the core's changes do not say so already. */
  progress(job: JobId, index: TaskIndex): void;
  /** An event that is told as it is, at once: steps of a submission. */
  emit(event: LiveEvent): void;
  readonly listeners: number;
  /** Tells what is pending at once; tests and an ordered end use it. */
  flush(): void;
  stop(): Promise<void>;
}

export interface EventHubComponents {
  queries: Pick<CoreQueries, 'farm' | 'job' | 'nodes' | 'taskViews'>;
  clock: Clock;
  /** Resolves once all that the queries say by now is on disk: nothing is shown before. At once where it is left out. */
  durable?: () => Promise<void>;
}

export interface EventHubInit {
  eventsKept?: number;
  batchIntervalMs?: number;
  gatherMs?: number;
  listenerGraceMs?: number;
  pendingTasksMax?: number;
}

/**
 * Ids start at the wall time in milliseconds: ids of an earlier run of the node are then never taken for this
 * run's, so a client that comes back after a restart is told to read everything anew.
 */
export function createEventHub(components: EventHubComponents, init: EventHubInit = {}): EventHub {
  return new Hub(components, init);
}

class Hub implements EventHub {
  readonly #queries: EventHubComponents['queries'];
  readonly #clock: Clock;
  readonly #durable: EventHubComponents['durable'];
  readonly #options: Required<EventHubInit>;
  readonly #listeners = new Set<(entry: Entry) => void>();
  readonly #kept: Entry[] = [];
  #keptTasks = 0;
  #lastId: number;
  readonly #jobs = new Set<JobId>();
  readonly #removed = new Set<JobId>();
  readonly #tasks = new Map<JobId, Set<TaskIndex>>();
  readonly #nodes = new Set<PeerId>();
  #pendingTasks = 0;
  #farm = false;
  /** A diary has changed. */
  #night = false;
  /** Too much changed to tell it one by one: the next batch is a reset. */
  #overflow = false;
  /** Something was left untold while nobody listened. */
  #gap = false;
  #batch: LiveEvent[] = [];
  #sending: Promise<void> = Promise.resolve();
  #cancelTimer: (() => void) | undefined;
  #lastBatchAt = Number.NEGATIVE_INFINITY;
  #lastListenedAt: number;
  #stopped = false;

  constructor(components: EventHubComponents, init: EventHubInit) {
    this.#queries = components.queries;
    this.#clock = components.clock;
    this.#durable = components.durable;
    this.#options = {
      eventsKept: init.eventsKept ?? EVENTS_KEPT,
      batchIntervalMs: init.batchIntervalMs ?? BATCH_INTERVAL_MS,
      gatherMs: init.gatherMs ?? GATHER_MS,
      listenerGraceMs: init.listenerGraceMs ?? LISTENER_GRACE_MS,
      pendingTasksMax: init.pendingTasksMax ?? PENDING_TASKS_MAX,
    };
    this.#lastId = Math.max(0, Math.floor(components.clock.wallTime()));
    this.#lastListenedAt = Number.NEGATIVE_INFINITY;
  }

  get lastId(): number {
    return this.#lastId;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  since(afterId: number): Entry[] | undefined {
    if (afterId === this.#lastId) return [];
    const oldest = this.#kept[0];
    if (oldest === undefined || afterId > this.#lastId || afterId < oldest.id - 1) return undefined;
    return this.#kept.slice(afterId - oldest.id + 1);
  }

  subscribe(listener: (entry: Entry) => void): () => void {
    this.#listeners.add(listener);
    // A listener starts from the id that the gap used up; from here on events follow on again.
    this.#gap = false;
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0)
        this.#lastListenedAt = this.#clock.now();
    };
  }

  notify(changes: Changes): void {
    if (this.#unheard()) return;
    for (const job of changes.jobs) this.#jobs.add(job);
    for (const job of changes.removed) this.#remove(job);
    for (const { job, indices } of changes.tasks) for (const index of indices) this.#addTask(job, index);
    for (const peer of changes.nodes) this.#nodes.add(peer);
    this.#farm ||= changes.farm;
    this.#night ||= changes.diary === true;
    this.#schedule();
  }

  progress(job: JobId, index: TaskIndex): void {
    if (this.#unheard()) return;
    this.#addTask(job, index);
    this.#schedule();
  }

  emit(event: LiveEvent): void {
    if (this.#stopped) return;
    this.#append(event);
  }

  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#lastBatchAt = this.#clock.now();
    if (this.#overflow) this.#tellReset();
    else this.#tellBatch();
    this.#sendBatch();
    if (this.#pendingTasks > 0) this.#schedule();
  }

  /** The queries run ahead of the disk by what is being written: views are told once that is there. */
  #sendBatch(): void {
    const batch = this.#batch;
    this.#batch = [];
    const send = (): void => {
      for (const event of batch) this.#append(event);
    };
    const durable = this.#durable;
    if (durable === undefined) send();
    else if (batch.length > 0) {
      // Where the disk takes nothing more the node ends, and what was not written is told to nobody.
      this.#sending = this.#sending.then(durable).then(send, () => undefined);
    }
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.flush();
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#durable !== undefined) await this.#sending;
    this.#listeners.clear();
  }

  /**
   * Whether nobody has listened for a while: views are then not made at all. What is kept no longer follows on
   * from what comes next, so it is dropped and whoever resumes is told to read anew.
   */
  #unheard(): boolean {
    if (this.#stopped) return true;
    if (this.#listeners.size > 0) return false;
    if (this.#clock.now() - this.#lastListenedAt < this.#options.listenerGraceMs) return false;
    if (!this.#gap) {
      this.#gap = true;
      this.#forgetPending();
      this.#kept.length = 0;
      this.#keptTasks = 0;
      this.#lastId += 1;
    }
    return true;
  }

  #remove(job: JobId): void {
    this.#removed.add(job);
    this.#jobs.delete(job);
    this.#pendingTasks -= this.#tasks.get(job)?.size ?? 0;
    this.#tasks.delete(job);
  }

  #addTask(job: JobId, index: TaskIndex): void {
    if (this.#overflow) return;
    let indices = this.#tasks.get(job);
    if (indices === undefined) this.#tasks.set(job, (indices = new Set()));
    if (indices.has(index)) return;
    indices.add(index);
    this.#pendingTasks += 1;
    if (this.#pendingTasks > this.#options.pendingTasksMax) {
      this.#forgetPending();
      this.#overflow = true;
    }
  }

  #forgetPending(): void {
    this.#jobs.clear();
    this.#removed.clear();
    this.#tasks.clear();
    this.#nodes.clear();
    this.#pendingTasks = 0;
    this.#farm = false;
    this.#night = false;
  }

  #schedule(): void {
    if (this.#cancelTimer !== undefined || this.#stopped) return;
    const due = this.#lastBatchAt + this.#options.batchIntervalMs - this.#clock.now();
    this.#cancelTimer = this.#clock.after(Math.max(this.#options.gatherMs, due), () => this.flush());
  }

  #tellReset(): void {
    this.#overflow = false;
    this.#forgetPending();
    this.#batch.push({ kind: 'reset' });
  }

  #tellBatch(): void {
    for (const job of this.#removed) this.#batch.push({ kind: 'job-removed', job });
    this.#removed.clear();
    this.#tellTasks();
    for (const id of this.#jobs) {
      const job = this.#queries.job(id);
      if (job !== undefined) this.#batch.push({ kind: 'job', job });
    }
    this.#jobs.clear();
    if (this.#nodes.size > 0) {
      for (const node of this.#queries.nodes())
        if (this.#nodes.has(node.peer)) this.#batch.push({ kind: 'node', node });
      this.#nodes.clear();
    }
    if (this.#farm) {
      this.#farm = false;
      this.#batch.push({ kind: 'farm', farm: this.#queries.farm() });
    }
    if (this.#night) {
      this.#night = false;
      this.#batch.push({ kind: 'night', at: this.#clock.wallTime() });
    }
  }

  /** Takes turns among the jobs, so that a huge one doesn't hide the others' changes. */
  #tellTasks(): void {
    let left = BATCH_TASKS_MAX;
    for (const [job, indices] of this.#tasks) {
      if (left <= 0) break;
      const share = Math.min(left, Math.max(1, Math.ceil(BATCH_TASKS_MAX / this.#tasks.size)), indices.size);
      const told = takeFirst(indices, share);
      this.#pendingTasks -= told.length;
      left -= told.length;
      if (indices.size === 0) this.#tasks.delete(job);
      const tasks = this.#queries.taskViews(job, told);
      if (tasks.length > 0) this.#batch.push({ kind: 'tasks', job, tasks });
    }
  }

  #append(event: LiveEvent): void {
    this.#lastId += 1;
    const entry = { id: this.#lastId, event };
    this.#kept.push(entry);
    this.#keptTasks += weightOf(event);
    while (this.#kept.length > this.#options.eventsKept || this.#keptTasks > EVENT_TASKS_KEPT) {
      const dropped = this.#kept.shift();
      if (dropped === undefined) break;
      this.#keptTasks -= weightOf(dropped.event);
    }
    for (const listener of this.#listeners) listener(entry);
  }
}

function weightOf(event: LiveEvent): number {
  return event.kind === 'tasks' ? event.tasks.length : 0;
}

/** Removes and returns the `count` oldest entries of a set, or all. */
function takeFirst(set: Set<number>, count: number): number[] {
  const taken: number[] = [];
  for (const value of set) {
    if (taken.length === count) break;
    taken.push(value);
    set.delete(value);
  }
  return taken;
}
