import {
  attemptKey,
  type Config,
  CuadroError,
  emptyTask,
  type Failure,
  type DepartureView,
  type DoorView,
  type FetchedView,
  type RetentionView,
  type HereView,
  type JobRecord,
  type JobView,
  type LiveEvent,
  type SubmitBody,
  type TaskDetail,
  type TaskRecord,
  type TaskView,
} from '@cuadro/protocol';
import { doorView, fakeDoor, SELF } from './door.ts';
import { farmView, jobView, nightView, nodeView, swarmView, taskView } from './views.ts';
import { createEventHub, type EventHub } from '../../../node/src/api/event-hub.ts';
import type { ApiComponents } from '../../../node/src/api/interface.ts';
import { type Api, createApi } from '../../../node/src/api/server.ts';
import type { CoreQueries } from '../../../node/src/core/interface.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import type { Logger } from '../../../node/src/system/interface.ts';

export { farmView, jobView, nodeView, SELF, taskView };
export const TOKEN = 'secret-token-of-the-test';
export const JOB_A = 'aaaabbbbccccdddd';
export const JOB_B = 'aaaaccccddddeeee';
export const JOB_GONE = 'zzzzbbbbccccdddd';
export const HASH = 'a'.repeat(64);

/** The bytes of the one stored file: several chunks, so that ranges cross their bounds. */
export const CONTENT = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz');

export const config: Config = {
  name: 'studio',
  slots: 1,
  blender: '',
  ffmpeg: '',
  programs: [],
  allowScripts: false,
  confine: true,
  quotaGiB: 100,
  keepDays: 0,
  repairMiBps: 40,
  replaceHours: 24,
  reserveGiB: 5,
  outputFolder: '/tmp/output',
  port: 7700,
  network: true,
  serviceName: 'cuadro',
  interfaces: [],
  listen: ['0.0.0.0'],
  meshPort: 7701,
  lobbyPort: 7702,
};

export function hereView(): HereView {
  return {
    peer: SELF,
    name: 'studio',
    version: '0.1.0',
    pid: process.pid,
    address: 'http://127.0.0.1:7700',
    dataFolder: '/tmp/data',
    startedAt: 1_700_000_000_000,
    store: { usedBytes: 1, quotaBytes: 2, freeDiskBytes: 3, reserveBytes: 4, accepting: true },
    memoryBytes: 1e8,
    loopDelayP99Ms: 1,
    blender: { state: 'ready', path: '/usr/bin/blender', version: '3.4.1' },
    ffmpeg: { state: 'missing' },
    sessions: [],
  };
}

/** A farm of two jobs with three tasks each, which remembers what it was asked to do. */
export class FakeNode {
  readonly calls: { name: string; args: unknown[] }[] = [];
  readonly logged: { level: string; message: string; fields: Record<string, unknown> | undefined }[] = [];
  jobs: JobView[] = [jobView(JOB_A, 1), jobView(JOB_B, 12, { state: 'paused', name: 'Würfel "rot"' })];
  nodes = [nodeView()];
  farm = farmView;
  tasks: TaskView[] = [
    taskView(0, { state: 'rendered', copies: 1, renderMs: 500 }),
    taskView(1, { state: 'failed', failures: 3 }),
    taskView(2, { live: { running: true, fraction: 0.5, machine: 'studio' } }),
  ];
  config: Config = { ...config };
  here = hereView();
  door: DoorView = doorView();
  swarm = swarmView();
  /** What is to be freed, and was. */
  retention: RetentionView = { days: 0, jobs: [], freesBytes: 0 };
  /** Run by `fetch` before it answers, with the name under which its progress is told. */
  onFetch: ((fetch: string) => Promise<void>) | undefined;
  /** What a fetch answers instead. */
  fetched: Partial<FetchedView> = {};
  /** How far it is with leaving: one for each time that it is asked, the last one from then on. */
  departures: DepartureView[] = [{ state: 'staying', left: { results: 0, scenes: 0 }, message: 'It stays.' }];
  /** Thrown by whatever is asked next. */
  failure: Error | undefined;
  /** Run by `submit` before it answers. */
  onSubmit: ((body: SubmitBody, signal: AbortSignal) => Promise<void>) | undefined;
  /** What the node holds in memory is on disk once this resolves. */
  onDisk: Promise<void> = Promise.resolve();
  /** Told when a job is read: tests change it right after. */
  onRead: (() => void) | undefined;
  readonly #waiting: { name: string; resolve: () => void }[] = [];
  readonly hub: EventHub;
  readonly components: ApiComponents;

  constructor() {
    const queries = this.#queries();
    this.hub = createEventHub({ queries, clock: createSystemClock() });
    this.components = {
      queries,
      events: this.hub,
      jobs: this.#jobActions(),
      door: fakeDoor(
        () => this.door,
        (name, ...args) => this.#call(name, ...args),
      ),
      retention: {
        plan: async (days) => {
          this.#call('plan', days);
          return this.retention;
        },
        free: async (days) => {
          this.#call('free', days);
          return this.retention;
        },
      },
      night: { read: async (hours) => nightView(hours) },
      swarm: { read: async () => this.swarm },
      activity: {
        read: async () => ({ start: 0, barMs: 900_000, machines: [] }),
      },
      here: {
        here: async () => this.here,
        config: () => this.config,
        setConfig: async (change) => {
          this.#call('setConfig', change);
          return (this.config = { ...this.config, ...change });
        },
        departure: () =>
          (this.departures.length > 1 ? this.departures.shift() : this.departures[0]) as DepartureView,
        stop: () => {
          this.#call('stop');
          return { machines: 1, message: 'The node is stopping.' };
        },
      },
      content: {
        open: async (hash) => {
          this.#call('open', hash);
          if (hash !== HASH) throw new CuadroError('blob-not-found', { hash });
          const read = async ({ start, end }: { start: number; end: number }) =>
            chunksOf(CONTENT.subarray(start, end), 7);
          return { sizeBytes: CONTENT.length, read };
        },
        log: async (job, task, attempt) => {
          this.#call('log', job, task, attempt);
          if (attempt === 'none') throw new CuadroError('attempt-not-found', { attempt });
          return 'Fra:1 Mem:10M\nError: it went wrong\n';
        },
      },
      durable: () => this.onDisk,
      metrics: { render: () => '# TYPE cuadro_test counter\ncuadro_test 1\n' },
    };
  }

  get logger(): Logger {
    const at = (level: string) => (message: string, fields?: Record<string, unknown>) => {
      this.logged.push({ level, message, fields });
    };
    const logger: Logger = {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: () => logger,
    };
    return logger;
  }

  /** Resolves when something of this name is asked for. */
  called(name: string): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ name, resolve });
    });
  }

  /** Failed attempts of a job whose logs only this machine holds. */
  onlyLogs: { peer: string; attempts: number } | undefined;

  setJob(id: string, change: Partial<JobView>): void {
    this.jobs = this.jobs.map((job) => (job.id === id ? { ...job, ...change } : job));
    this.hub.notify({ jobs: [id], removed: [], tasks: [], nodes: [], farm: false });
  }

  emit(event: LiveEvent): void {
    this.hub.emit(event);
  }

  #call(name: string, ...args: unknown[]): void {
    this.calls.push({ name, args });
    for (const wait of this.#waiting) if (wait.name === name) wait.resolve();
    if (this.failure !== undefined) {
      const { failure } = this;
      this.failure = undefined;
      throw failure;
    }
  }

  #queries(): CoreQueries {
    const known = (id: string): JobView | undefined => this.jobs.find((job) => job.id === id);
    const record = (id: string): JobRecord | undefined => {
      if (id === JOB_GONE) return { id, deleted: {} } as unknown as JobRecord;
      const job = known(id);
      return job && ({ id, spec: { order: job.order, name: job.name }, control: {} } as unknown as JobRecord);
    };
    const queries: Partial<CoreQueries> = {
      self: SELF,
      isCoordinator: true,
      farm: () => {
        this.#call('farm');
        return this.farm;
      },
      jobs: () => {
        this.#call('jobs');
        this.onRead?.();
        return this.jobs;
      },
      job: (id) => {
        this.onRead?.();
        return known(id);
      },
      jobRecord: record,
      jobIds: () => this.jobs.map((job) => job.id),
      findTask: (_, text) => {
        const number = /^(?:frame )?(\d+)$/.exec(text)?.[1];
        return number === undefined
          ? undefined
          : this.tasks.find((task) => task.number === Number(number))?.index;
      },
      tasks: (_, { offset, limit, state }) => {
        this.#call('tasks');
        const all = this.tasks.filter((task) => state === undefined || task.state === state);
        return { total: all.length, tasks: all.slice(offset, offset + limit) };
      },
      taskViews: (_, indices) => this.tasks.filter((task) => indices.includes(task.index)),
      task: (_, index) => this.#taskDetail(index),
      nodes: () => this.nodes,
      removed: () => new Set(),
      tasksWithFailure: (id) => (id === this.jobs[0]?.id && this.onlyLogs !== undefined ? [0] : []),
      taskRecord: (id) => this.#failedTask(id),
    };
    return queries as CoreQueries;
  }

  #failedTask(id: string): TaskRecord {
    const { peer = SELF, attempts = 0 } = this.onlyLogs ?? {};
    const failures = Array.from({ length: attempts }, (_, i): [string, Failure] => {
      const attempt = { epoch: { term: 1, peer }, sequence: i + 1 };
      const holders = { [peer]: { held: true, counter: 1 } };
      const told = { code: 'broken', message: 'It broke.', lines: [], wallTime: 0 };
      return [attemptKey(attempt), { attempt, peer, cause: 'failed', log: `${i}`, holders, ...told }];
    });
    return { ...emptyTask(id, 0), failures: Object.fromEntries(failures) };
  }

  #taskDetail(index: number): TaskDetail | undefined {
    const task = this.tasks[index];
    if (task === undefined) return undefined;
    const failed = {
      attempt: `1.${index + 1}.${SELF}`,
      peer: SELF,
      machine: 'studio',
      state: 'failed' as const,
      code: 'blender-crashed',
      message: 'Blender crashed.',
      lines: ['Error: it went wrong'],
      hasLog: true,
      at: 1_700_000_000_000,
    };
    return {
      ...task,
      attempts: task.failures > 0 ? [failed] : [],
      heldBy: task.files.length > 0 ? ['studio', 'attic'].slice(0, task.copies) : [],
      why: 'It waits for a free machine.',
    };
  }

  #jobActions(): ApiComponents['jobs'] {
    const changed = (message: string) => ({ machines: 1, message });
    return {
      submit: async (body, { signal }) => {
        this.#call('submit', body);
        await this.onSubmit?.(body, signal);
        const job = jobView('nnnnbbbbccccdddd', 13, { name: body.name ?? 'new', state: 'queued' });
        this.jobs = [...this.jobs, job];
        const findings = [
          {
            code: 'missing-file',
            severity: 'warning' as const,
            message: 'wood.png is missing.',
            subject: 'wood.png',
          },
        ];
        return { job, findings, machines: 1, message: 'Kept on this machine.' };
      },
      preflight: async (body) => {
        this.#call('preflight', body);
        const bad = body.path?.includes('bad') === true;
        const findings = bad
          ? [{ code: 'no-camera', severity: 'error' as const, message: 'The scene has no camera.' }]
          : [];
        return { ok: !bad, findings };
      },
      setJob: async (job, change) => {
        this.#call('setJob', job, change);
        return changed(`The job is ${change.desired ?? 'changed'}.`);
      },
      requeue: async (job, tasks) => {
        this.#call('requeue', job, tasks);
        return changed('1 task is rendered again.');
      },
      deleteJob: async (job) => {
        this.#call('deleteJob', job);
        return changed('The job is deleted.');
      },
      fetch: async (job, to, { overwrite, fetch }) => {
        this.#call('fetch', job, to, overwrite);
        if (fetch !== undefined) await this.onFetch?.(fetch);
        return {
          folder: to,
          written: 2,
          alreadyThere: 1,
          keptForeign: ['0001.png'],
          missing: [],
          away: [],
          ...this.fetched,
        };
      },
      setNode: async (peer, change) => {
        this.#call('setNode', peer, change);
        return changed(`The machine is ${change.ownerDesired ?? change.desired ?? 'changed'}.`);
      },
    };
  }
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A server over a fake node on a free port, stopped with the test that is given. */
export async function startFake(
  init: Partial<Parameters<typeof createApi>[1]> = {},
  context?: { after(callback: () => Promise<void>): void },
): Promise<{ node: FakeNode; api: Api }> {
  const node = new FakeNode();
  const api = createApi(node.components, {
    port: 0,
    token: TOKEN,
    version: '0.1.0',
    logger: node.logger,
    clock: createSystemClock(),
    ...init,
  });
  context?.after(() => api.stop());
  await api.start();
  return { node, api };
}
