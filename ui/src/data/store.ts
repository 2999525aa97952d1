import type { DoorView, FarmView, HereView, JobView, LiveEvent, NodeView, TaskView } from '@cuadro/protocol';
import { type RequestError, request } from './client.ts';
import { Connection } from './connection.ts';
import { EVENTS_WAITING_MAX, HERE_INTERVAL_MS, JOBS_WITH_TASKS_MAX, WAITS_INTERVAL_MS } from './limits.ts';
import { keep } from './same.ts';
import { JobTasks } from './job-tasks.ts';

export type SubmissionEvent = Extract<LiveEvent, { kind: 'submission' }>;

/**
 * What a view can watch: the farm, all jobs, one job, one job's tasks, the machines, this machine, the door,
 * the connection, the steps of a submission, or whether there is news of the night or of what travels.
 */
export type Topic =
  | 'farm'
  | 'jobs'
  | 'nodes'
  | 'here'
  | 'door'
  | 'connection'
  | 'night'
  | 'swarm'
  | `job:${string}`
  | `tasks:${string}`
  | `submission:${string}`;

export type ConnectionState =
  | { kind: 'connecting' }
  | { kind: 'live' }
  | { kind: 'lost'; since: number }
  | { kind: 'unauthorised'; message: string };

/**
 * The one live store: read once, then kept true by the node's events. The stream is opened first and the lists
 * are read after it, so nothing that happens in between is missed. Unchanged objects keep their identity.
 */
export class LiveStore {
  farm: FarmView | undefined;
  here: HereView | undefined;
  door: DoorView | undefined;
  /** When the door's view came, by this page's own clock. */
  doorAt = 0;
  /** In the order in which they run, as the node lists them. */
  jobs: readonly JobView[] = [];
  nodes: readonly NodeView[] = [];
  connection: ConnectionState = { kind: 'connecting' };
  /** Whether the lists were read once; until then views show that they load. */
  loaded = false;
  readonly submissions = new Map<string, SubmissionEvent>();

  readonly #jobs = new Map<string, JobView>();
  readonly #nodes = new Map<string, NodeView>();
  readonly #tasks = new Map<string, JobTasks>();
  readonly #watchers = new Map<Topic, Set<() => void>>();
  readonly #connection: Connection;
  /** Events that arrived while the lists were being read. */
  #waiting: LiveEvent[] | undefined;
  /** Counts reads of everything, so that an overtaken one is dropped. */
  #reading = 0;
  #hereTimer: ReturnType<typeof setTimeout> | undefined;
  #waitsTimer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.#connection = new Connection({
      opened: (resumed) => this.#opened(resumed),
      event: (event) => this.#receive(event),
      lost: () => this.#lost(),
    });
  }

  start(): void {
    this.#connection.start();
  }

  stop(): void {
    this.#connection.stop();
    clearTimeout(this.#hereTimer);
    clearTimeout(this.#waitsTimer);
  }

  retryNow(): void {
    this.#connection.retryNow();
  }

  watch(topic: Topic, watcher: () => void): () => void {
    const watchers = this.#watchers.get(topic) ?? new Set();
    watchers.add(watcher);
    this.#watchers.set(topic, watchers);
    if (topic === 'here') this.#readHereSoon();
    return () => {
      watchers.delete(watcher);
    };
  }

  job(id: string): JobView | undefined {
    return this.#jobs.get(id);
  }

  node(peer: string): NodeView | undefined {
    return this.#nodes.get(peer);
  }

  machineName(peer: string): string {
    return this.#nodes.get(peer)?.name ?? `${peer.slice(0, 10)}…`;
  }

  /** A job's tasks, read from the node the first time they are asked for. */
  tasks(id: string): JobTasks {
    let tasks = this.#tasks.get(id);
    if (tasks === undefined) {
      tasks = new JobTasks(id, () => this.#tell(`tasks:${id}`));
      this.#tasks.set(id, tasks);
      for (const old of this.#tasks.keys()) {
        if (this.#tasks.size <= JOBS_WITH_TASKS_MAX) break;
        if (old !== id && !this.#watched(`tasks:${old}`)) this.#tasks.delete(old);
      }
      void tasks.read();
    }
    return tasks;
  }

  #watched(topic: Topic): boolean {
    return (this.#watchers.get(topic)?.size ?? 0) > 0;
  }

  #tell(topic: Topic): void {
    for (const watcher of this.#watchers.get(topic) ?? []) watcher();
  }

  #setConnection(state: ConnectionState): void {
    this.connection = keep(this.connection, state);
    this.#tell('connection');
  }

  #opened(resumed: boolean): void {
    if (!resumed || !this.loaded) void this.#readAll();
    else this.#setConnection({ kind: 'live' });
  }

  #lost(): void {
    this.#reading++;
    this.#waiting = undefined;
    if (!this.loaded) this.#connection.forget();
    const since = this.connection.kind === 'lost' ? this.connection.since : Date.now();
    if (this.connection.kind !== 'unauthorised') this.#setConnection({ kind: 'lost', since });
    // The stream cannot say why it was refused; a plain request can.
    request('farm').catch((error: RequestError) => {
      if (error.status === 401 || error.status === 403) {
        this.#setConnection({ kind: 'unauthorised', message: error.message });
      }
    });
  }

  async #readAll(): Promise<void> {
    const reading = ++this.#reading;
    this.#waiting = [];
    try {
      const [farm, jobs, nodes, here, door] = await Promise.all([
        request('farm'),
        request('jobs'),
        request('nodes'),
        request('here'),
        request('door'),
      ]);
      if (reading !== this.#reading) return;
      this.farm = keep(this.farm, farm);
      this.here = keep(this.here, here);
      this.#putDoor(door);
      this.#replace(this.#jobs, jobs, (job) => job.id);
      this.#replace(this.#nodes, nodes, (node) => node.peer);
      for (const tasks of this.#tasks.values()) void tasks.read();
    } catch {
      // The stream breaks too where the node is gone; a refusal of one list is tried again like that.
      if (reading === this.#reading) setTimeout(() => this.#connectAnew(), HERE_INTERVAL_MS);
      return;
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.loaded = true;
    this.#listJobs();
    this.#listNodes();
    for (const event of waiting) this.#apply(event);
    this.#setConnection({ kind: 'live' });
    for (const topic of this.#watchers.keys()) this.#tell(topic);
  }

  #connectAnew(): void {
    this.#connection.stop();
    this.#connection.forget();
    this.#connection.start();
  }

  #replace<T>(map: Map<string, T>, views: readonly T[], key: (view: T) => string): void {
    const previous = new Map(map);
    map.clear();
    for (const view of views) map.set(key(view), keep(previous.get(key(view)), view));
  }

  #receive(event: LiveEvent): void {
    if (event.kind === 'reset') {
      void this.#readAll();
    } else if (this.#waiting !== undefined) {
      this.#waiting.push(event);
      if (this.#waiting.length > EVENTS_WAITING_MAX) void this.#readAll();
    } else {
      this.#apply(event);
    }
  }

  #apply(event: LiveEvent): void {
    switch (event.kind) {
      case 'reset':
        break;
      case 'farm':
        this.farm = keep(this.farm, event.farm);
        this.#tell('farm');
        // A machine that was removed is told by no event of its own.
        if (event.farm.members < this.#nodes.size) void this.#readNodes();
        break;
      case 'job':
        if (event.job.state === 'deleted') this.#remove(event.job.id);
        else this.#putJob(event.job);
        break;
      case 'job-removed':
        this.#remove(event.job);
        break;
      case 'tasks':
        this.#putTasks(event.job, event.tasks);
        break;
      case 'node':
        this.#nodes.set(event.node.peer, keep(this.#nodes.get(event.node.peer), event.node));
        this.#listNodes();
        this.#tell('nodes');
        if (event.node.here && this.#watched('here')) this.#readHereSoon();
        this.#readWaitsSoon();
        break;
      case 'door':
        this.#putDoor(event.door);
        break;
      case 'night':
        this.#tell('night');
        break;
      case 'swarm':
        this.#tell('swarm');
        break;
      case 'submission':
        this.submissions.set(event.submission, event);
        this.#tell(`submission:${event.submission}`);
        break;
      case 'fetch':
        // Whoever asked for it shows it: the command line.
        break;
    }
  }

  #putDoor(view: DoorView): void {
    const previous = this.door;
    this.door = keep(previous, view);
    if (this.door === previous) return;
    // The countdown goes on from when the node told it.
    this.doorAt = performance.now();
    this.#tell('door');
  }

  #putJob(view: JobView): void {
    const previous = this.#jobs.get(view.id);
    const job = keep(previous, view);
    if (job === previous) return;
    this.#jobs.set(view.id, job);
    if (previous?.state !== job.state || previous.counts.failed !== job.counts.failed) this.#tell('night');
    this.#listJobs();
    this.#tell('jobs');
    this.#tell(`job:${view.id}`);
  }

  #remove(id: string): void {
    if (!this.#jobs.delete(id)) return;
    this.#tasks.delete(id);
    this.#listJobs();
    this.#tell('jobs');
    this.#tell(`job:${id}`);
  }

  #putTasks(job: string, tasks: readonly TaskView[]): void {
    const held = this.#tasks.get(job);
    if (held === undefined) return;
    held.put(tasks);
    this.#tell(`tasks:${job}`);
  }

  #listJobs(): void {
    this.jobs = [...this.#jobs.values()].sort((a, b) => b.priority - a.priority || a.order - b.order);
  }

  #listNodes(): void {
    this.nodes = [...this.#nodes.values()].sort(
      (a, b) => Number(b.here) - Number(a.here) || a.name.localeCompare(b.name),
    );
  }

  async #readNodes(): Promise<void> {
    try {
      this.#replace(this.#nodes, await request('nodes'), (node) => node.peer);
      this.#listNodes();
      this.#tell('nodes');
    } catch {
      // The connection's own state says what is wrong.
    }
  }

  /** What the jobs that are looked at wait for may change with the machines, and no event of a job tells it. */
  #readWaitsSoon(): void {
    const waiting = this.jobs.filter(
      ({ id, live }) => live.waits !== undefined && this.#watched(`job:${id}`),
    );
    if (waiting.length === 0 || this.#waitsTimer !== undefined) return;
    this.#waitsTimer = setTimeout(() => {
      this.#waitsTimer = undefined;
      for (const { id } of waiting) {
        // A job that is gone meanwhile is told by an event of its own.
        request('job', { params: { job: id } }).then(
          (job) => this.#jobs.has(id) && this.#putJob(job),
          () => undefined,
        );
      }
    }, WAITS_INTERVAL_MS);
  }

  /** This machine's own figures have no event; they are read again when its node told of a change. */
  #readHereSoon(): void {
    if (this.#hereTimer !== undefined || !this.loaded) return;
    this.#hereTimer = setTimeout(() => void this.#readHere(), HERE_INTERVAL_MS);
  }

  async #readHere(): Promise<void> {
    this.#hereTimer = undefined;
    try {
      this.here = keep(this.here, await request('here'));
      this.#tell('here');
    } catch {
      // The connection's own state says what is wrong.
    }
  }
}
