import type {
  ActivityView,
  BlobHash,
  ChangeView,
  Config,
  DepartureView,
  DoorView,
  FetchedView,
  HereView,
  JobId,
  LiveEvent,
  NightView,
  PeerId,
  PreflightView,
  RetentionView,
  RouteBody,
  SubmittedView,
  SwarmView,
  TaskIndex,
} from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';

/**
 * What the local API needs of the rest of the node, declared by its consumer. The composition root gives it.
 * All methods throw `CuadroError`s of the protocol's catalogue for what a user can cause.
 */
export interface ApiComponents {
  queries: CoreQueries;
  jobs: JobActions;
  door: DoorActions;
  here: HereActions;
  /** What the machines did in the last hours. */
  activity: { read(hours: number): Promise<ActivityView> };
  /** What the night did. */
  night: { read(hours: number): Promise<NightView> };
  /** How scenes and frames travel. */
  swarm: { read(): Promise<SwarmView> };
  /** What goes of jobs that are done and collected. */
  retention: {
    plan(days?: number): Promise<RetentionView>;
    free(days: number, options: { signal: AbortSignal }): Promise<RetentionView>;
  };
  content: ContentReader;
  events: EventSource;
  /** Resolves once all that the queries say by now is on disk: nothing is answered before. */
  durable(): Promise<void>;
  /** Prometheus text. */
  metrics: { render(): string };
}

/** Changes that people make to jobs and machines: signed, merged and durable before they answer. */
export interface JobActions {
  submit(body: RouteBody<'submit'>, options: { signal: AbortSignal }): Promise<SubmittedView>;
  preflight(body: RouteBody<'preflight'>, options: { signal: AbortSignal }): Promise<PreflightView>;
  setJob(job: JobId, change: RouteBody<'setJob'>): Promise<ChangeView>;
  requeue(job: JobId, tasks: 'failed' | 'all' | string[]): Promise<ChangeView>;
  deleteJob(job: JobId): Promise<ChangeView>;
  fetch(
    job: JobId,
    to: string,
    options: { overwrite: boolean; fetch?: string; signal: AbortSignal },
  ): Promise<FetchedView>;
  setNode(peer: PeerId, change: RouteBody<'setNode'>): Promise<ChangeView>;
}

/** The farm's door: who is in, who wants in, what else is around. Changes are durable before they answer. */
export interface DoorActions {
  door(): DoorView;
  /** Lets newcomers of the local network in by themselves for so long from now on. */
  openDoor(forMs: number): Promise<ChangeView>;
  closeDoor(): Promise<ChangeView>;
  /**
   * Admits a newcomer, named by its three words, its peer id or its name; the only one that waits by default.
   * @throws CuadroError `door-empty`, `newcomer-not-found`, `newcomer-ambiguous`, `door-refused`.
   */
  admit(newcomer: string | undefined): Promise<ChangeView>;
  refuse(newcomer: string | undefined): Promise<ChangeView>;
  /** @throws CuadroError `node-not-found`, `door-refused`. */
  removeMember(member: string, reason: string): Promise<ChangeView>;
  /**
   * Wants this farm and another to merge: by id or name, the only one that was found by default.
   * @throws CuadroError `no-other-farm`, `farm-not-found`, `farm-ambiguous`, `door-refused`.
   */
  mergeFarm(farm: string | undefined): Promise<ChangeView>;
  /** @throws CuadroError `address-invalid`, `lobby-unreachable`, `door-refused`. */
  joinAddress(address: string): Promise<ChangeView>;
  /** Leaves the farm at once, whatever only this machine holds. @throws CuadroError `door-refused`. */
  leaveNow(): Promise<ChangeView>;
  /** Founds a farm of this machine's own, where it has none. @throws CuadroError `door-refused`. */
  foundFarm(): Promise<ChangeView>;
}

export interface HereActions {
  here(): Promise<HereView>;
  config(): Config;
  setConfig(change: Partial<Config>): Promise<Config>;
  /** How far this machine is with leaving its farm. */
  departure(): DepartureView;
  /** Asks the process to end in order; answers before it does. */
  stop(): ChangeView;
}

/** What a file belongs to. */
export interface ContentPlace {
  job?: JobId;
  task?: TaskIndex;
}

export interface OpenContent {
  sizeBytes: number;
  /** Verified bytes from `start` to before `end`; nothing else is read. @throws CuadroError `blob-corrupt`. */
  read(range: { start: number; end: number }): Promise<AsyncIterable<Uint8Array>>;
}

export interface ContentReader {
  /**
   * A stored file; fetched first from the machines that hold it, where this one doesn't. What a job and a task are
   * named for finds them at once.
   * @throws CuadroError `blob-not-found`, `blob-unreachable`, `blob-corrupt`.
   */
  open(hash: BlobHash, options: { signal: AbortSignal } & ContentPlace): Promise<OpenContent>;
  /** The log of an attempt: the running one's so far, or a stored one. @throws CuadroError `attempt-not-found`. */
  log(job: JobId, task: TaskIndex, attempt: string | undefined): Promise<string>;
}

/** Live events numbered by one counter; the last `EVENTS_KEPT` can be resumed from. */
export interface EventSource {
  /** Id of the newest event; before the first, a number that no earlier run of the node reached. */
  readonly lastId: number;
  /** Events after `afterId` still kept, or undefined where some of them are gone (the client must reset). */
  since(afterId: number): { id: number; event: LiveEvent }[] | undefined;
  subscribe(listener: (entry: { id: number; event: LiveEvent }) => void): () => void;
}
