import type {
  AttemptId,
  BlobHash,
  Capabilities,
  DiaryRecord,
  Epoch,
  FarmRecord,
  FarmView,
  Grant,
  JobId,
  JobView,
  KnownRecord,
  MemberRecord,
  Message,
  NodeView,
  PeerId,
  Plan,
  PlannedTask,
  TaskDetail,
  TaskIndex,
  TaskRecord,
  TaskResult,
  TaskState,
  TaskView,
  JobRecord,
  NodeRecord,
  FailureCause,
  OutputFile,
} from '@cuadro/protocol';

/**
 * The farm's brain as one deterministic step function: inputs in, effects out, no clock, no randomness, no I/O.
 * Time enters only as the monotonic `now` (milliseconds) of each input. The driver carries effects out in order;
 * what stands behind a `persist` happens only once that write is durable.
 */

interface At {
  /** Monotonic milliseconds; never lower than the input's before. */
  now: number;
  /** Milliseconds since 1970, for display in the records that the core itself makes; the latest seen without it. */
  wallTime?: number;
  /** What was decided from this monotonic time on waits for a write, and was not said yet; absent where nothing waits. */
  unsaidSince?: number;
}

/** How an attempt of this machine's worker ended. */
export type AttemptOutcome =
  | {
      kind: 'result';
      files: OutputFile[];
      renderMs: number;
      thumbnail?: BlobHash;
      log?: BlobHash;
      /** What the film was made from (SPEC R39). */
      inputRedo?: number;
      wallTime: number;
    }
  | {
      kind: 'failure';
      cause: FailureCause;
      code: string;
      message: string;
      lines: string[];
      log?: BlobHash;
      wallTime: number;
    }
  /** `lacks` where nobody within reach of this machine had its scene (SPEC R116). */
  | { kind: 'stopped'; reason: string; lacks?: 'scene' };

export type CoreInput = At &
  (
    | { kind: 'start' }
    /** Records from this machine's people or a peer; signatures already checked. They are merged, persisted if new. */
    | { kind: 'records'; from: PeerId; records: KnownRecord[] }
    /** A plan asked for by `need-plan`, decoded and checked. */
    | { kind: 'plan'; job: JobId; plan: Plan }
    /** What a member says; `gossiped` where it came by way of others, which proves no connection. */
    | { kind: 'message'; from: PeerId; message: Message; gossiped?: boolean }
    /** The connection to a member: there, cut, refused by its machine (nobody listens), or without an answer. */
    | { kind: 'peer'; peer: PeerId; state: 'reachable' | 'lost' | 'refused' | 'silent' }
    /** This node's own time stood still for so long, in milliseconds: it doubts itself before it accuses others. */
    | { kind: 'gap'; ms: number }
    /** Digest of this node's records, for beacons and pulses (SPEC R45). */
    | { kind: 'root'; root: string }
    /** What this machine's worker can do now; a new one replaces the old. */
    | {
        kind: 'worker';
        capabilities: Capabilities;
        slots: number;
        bundles: BlobHash[];
        accepting: boolean;
        idleReason?: string;
        /** Why it accepts nothing, for its diary; the brain has no use for it. */
        idleKind?: 'hours' | 'disk' | 'slots' | 'fault';
      }
    | { kind: 'load'; load: number; freeDiskBytes: number }
    | { kind: 'progress'; attempt: AttemptId; fraction: number; remainingMs?: number; text?: string }
    | { kind: 'ended'; attempt: AttemptId; outcome: AttemptOutcome }
    /** Asked for by `wake-at`. */
    | { kind: 'wake' }
  );

/** What changed, for live events; job ids and, where tasks changed, their indices. */
export interface Changes {
  jobs: JobId[];
  removed: JobId[];
  tasks: { job: JobId; indices: TaskIndex[] }[];
  nodes: PeerId[];
  /** What the farm's view tells: also with every grant, so nothing may be derived anew from all records for it. */
  farm: boolean;
  /** The farm's or a member's record changed, and with it perhaps who belongs to the farm. */
  members?: true;
  /** Something was written into a machine's diary. */
  diary?: true;
}

export type CoreEffect =
  /** Make these records (and the term, if given) durable before any later effect. */
  | { kind: 'persist'; records: KnownRecord[]; removed: string[]; term?: number }
  | { kind: 'send'; to: PeerId; message: Message }
  | { kind: 'gossip'; topic: 'claims' | 'pulse'; message: Message }
  /** What this node itself changed, for the others; durable by then. */
  | { kind: 'publish'; records: KnownRecord[] }
  /** This machine's worker runs the task; `ahead` while its slots are all taken. */
  | { kind: 'run'; grant: Grant; job: JobRecord; task: PlannedTask }
  | { kind: 'stop-attempt'; attempt: AttemptId; reason: string }
  | { kind: 'need-plan'; job: JobId; plan: BlobHash }
  /** Give a `wake` input at this monotonic time, unless a later effect names another; undefined cancels. */
  | { kind: 'wake-at'; at: number | undefined }
  | { kind: 'changed'; changes: Changes };

export interface CoreInit {
  self: PeerId;
  /** This machine's name until a node record says otherwise. */
  name: string;
  /** The highest term ever persisted; the core starts its own reign above it. */
  term: number;
  /** Everything stored, in any order. */
  records: Iterable<KnownRecord>;
  options?: Partial<CoreOptions>;
}

/** A brain that is given what was stored, in any order, and begins with `end` and the highest term ever persisted. */
export interface CoreLoading {
  take(record: KnownRecord): void;
  /** Jobs taken so far of which it spares much to give the plan before their tasks: each is looked at once then. */
  wantedPlans(): { job: JobId; plan: BlobHash }[];
  /** A plan, decoded and checked; those that are not given here are asked for after the start. */
  plan(job: JobId, plan: Plan): void;
  end(term: number): Core;
}

/** Every number of the brain that can be set; defaults with reasons in `options.ts`. */
export interface CoreOptions {
  leaseMs: number;
  /** How long a machine that refused a redial keeps its leases. */
  refusedMs: number;
  beaconIntervalMs: number;
  /** Tasks granted beyond a machine's slots, for each slot. */
  aheadPerSlot: number;
  attemptsMax: number;
  lostMax: number;
  setAsideAfter: number;
  /** Pauses between attempts on the same machine, growing. */
  retryPausesMs: readonly number[];
  pulseIntervalMs: number;
  /** Pulses that may be missed before a cut coordinator is taken for gone. */
  pulsesMissedMax: number;
  /** Pulses missed before a successor asks others whether they miss them, too; and before it stands with nobody to ask. */
  pulsesBeforeDoubt: number;
  pulsesBeforeLoneDoubt: number;
  /** Between one successor and the next. */
  successorStepMs: number;
  /** Without any pulse, every member may stand after this long. */
  leaderlessMs: number;
  /** A starting node looks for a pulse for so long after it met the first member, and for so long alone. */
  lookAmongMembersMs: number;
  lookAloneMs: number;
  /** How long a new coordinator waits for what others hold before it grants what nobody is known to hold. */
  collectMs: number;
  /** Results whose holders are out of reach are looked for after so long. */
  holderAwayMs: number;
  /** A result of which there is one copy, out of reach for so long, is made again (SPEC R59). */
  renderAgainMs: number;
  /** A result of two copies, out of reach while something waits for it for so long, gets a substitute. */
  substituteMs: number;
}

/** Read access for the API, the submission and the collection; never changes anything. */
export interface CoreQueries {
  readonly self: PeerId;
  /** The reign that this node leads or follows. */
  readonly epoch: Epoch | undefined;
  readonly isCoordinator: boolean;
  farm(): FarmView;
  farmRecord(): FarmRecord | undefined;
  memberRecords(): MemberRecord[];
  /** Whom the farm removed, by what came in last: what they held is withdrawn already, also before that is durable. */
  removed(): ReadonlySet<PeerId>;
  jobs(): JobView[];
  job(id: JobId): JobView | undefined;
  jobRecord(id: JobId): JobRecord | undefined;
  /** Other machines that have or fetch a scene, by what they claim (SPEC R50); no record says so. */
  claimantsOf(bundle: BlobHash): PeerId[];
  /** One record as it is stored, by its key. */
  record(key: string): KnownRecord | undefined;
  /** Keys of all records: of a job and its tasks, or of everything that belongs to no job. */
  recordKeys(job?: JobId): Iterable<string>;
  jobIds(): JobId[];
  /** Jobs of which any record is held: also those of which only tasks have come, and their own record has not (R187). */
  heldJobIds(): JobId[];
  nodeRecord(peer: PeerId): NodeRecord | undefined;
  /** All pages of all machines' diaries. */
  diaryRecords(): DiaryRecord[];
  taskRecord(job: JobId, index: TaskIndex): TaskRecord | undefined;
  plannedTask(job: JobId, index: TaskIndex): PlannedTask | undefined;
  /** `frame 7`, `7`, `film`, `#12` → index. */
  findTask(job: JobId, text: string): TaskIndex | undefined;
  /** Tasks that a person's text names, `3-9` included; undefined where one names none. */
  findTasks(job: JobId, texts: readonly string[]): TaskIndex[] | undefined;
  taskState(job: JobId, index: TaskIndex): TaskState | undefined;
  tasks(
    job: JobId,
    options: { offset: number; limit: number; state?: TaskState },
  ): { total: number; tasks: TaskView[] };
  taskViews(job: JobId, indices: readonly TaskIndex[]): TaskView[];
  task(job: JobId, index: TaskIndex): TaskDetail | undefined;
  /** Tasks whose result counts files to collect: every index with a result. */
  tasksWithResult(job: JobId): TaskIndex[];
  /** Tasks on which attempts failed. */
  tasksWithFailure(job: JobId): TaskIndex[];
  /** The result to use now: the one that counts, or what stands in for it while its holders are away (SPEC R59). */
  resultAtHand(job: JobId, index: TaskIndex): TaskResult | undefined;
  /** Sum of the redo levels of the tasks that this one was or would be made from (SPEC R39). */
  inputRedo(job: JobId, index: TaskIndex): number;
  /** Tasks that are made from any of these, transitively (a film of its frames). */
  dependents(job: JobId, indices: readonly TaskIndex[]): TaskIndex[];
  nodes(): NodeView[];
  /** The next value of the farm-wide order counter (SPEC R50). */
  nextOrder(): number;
  /** What peers sent that was of no use, by reason: for metrics, and for finding a faulty node. */
  ignored(): Readonly<Record<string, number>>;
  /** How often this node, or the coordinator in it, found another machine wanting: for metrics (see `Accusation`). */
  accused(): Readonly<Record<string, number>>;
}

export interface Core extends CoreQueries {
  step(input: CoreInput): CoreEffect[];
}
