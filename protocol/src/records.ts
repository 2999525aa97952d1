import type { DiaryRecord } from './diary.ts';
import type { Field, Holders, SignedField } from './fields.ts';
import type { FrameRange } from './frames.ts';
import type { AttemptId, BlobHash, FarmId, JobId, PeerId, TaskIndex } from './ids.ts';
import type { OutputFile } from './plan.ts';

/**
 * The replicated records (DESIGN.md section 3, SPEC R20 to R39). Each is a join-semilattice; `merge.ts` is the
 * only way in. Schemas are loose: fields of newer versions are kept and passed on (SPEC R26).
 */

/** Signed by `author` over a domain-separated form of the rest; see `signing.ts`. */
export interface Signed {
  author: PeerId;
  signature: Uint8Array;
}

export interface FarmRecord {
  kind: 'farm';
  id: FarmId;
  founder: PeerId;
  name: Field<string>;
  /** The farm that this one dissolved into (SPEC R36). */
  mergedInto?: Field<FarmId>;
}

export type MemberRole = 'artist' | 'machine';

/** One admission; a set of them, since two members may admit the same newcomer. */
export interface Admission extends Signed {
  role: MemberRole;
  /** The farm that it admits to: one for another farm counts for nothing here (SPEC R63). */
  farm?: FarmId;
  wallTime: number;
}

/** One removal: final, never purged (SPEC R35). What it names of the removed peer's signed words stands. */
export interface Removal extends Signed {
  reason: string;
  wallTime: number;
  /** Peers whose admission or removal by the removed one the remover knew: these stand (SPEC R64). */
  stands?: PeerId[];
  /** Marks of the jobs that stand by the removed one's word (SPEC R143); where there is no list, all do. */
  jobs?: Uint8Array[];
}

export interface MemberRecord {
  kind: 'member';
  peer: PeerId;
  name: SignedField<string>;
  /** By `admissionKey`: one author may admit the same peer to one farm after another. */
  admissions: Record<string, Admission>;
  /** By author. */
  removals: Record<PeerId, Removal>;
}

/** Whether a machine takes work: `active`, `paused` at once, or `draining` (ends what it runs). */
export type NodeDesired = 'active' | 'draining' | 'paused';

/** Hours of the week in which a machine works, in minutes from Monday 00:00 by its own clock. */
export interface WorkingHours {
  spans: { start: number; end: number }[];
}

/** Whether a machine is to leave its farm, once what only it holds is elsewhere (SPEC R161). */
export interface Leaving {
  wanted: boolean;
  /** Why, for people; it goes into the removal. */
  reason: string;
}

export interface NodeRecord {
  kind: 'node';
  peer: PeerId;
  fields: {
    /** What the farm wants of it. */
    desired?: SignedField<NodeDesired>;
    /** What its owner wants: only the node itself writes it; both must be active (SPEC R37). */
    ownerDesired?: SignedField<NodeDesired>;
    tags?: SignedField<string[]>;
    hours?: SignedField<WorkingHours>;
    slots?: SignedField<number>;
    leaving?: SignedField<Leaving>;
  };
}

/** What a person asked for; immutable, and signed by the submitting node (SPEC R31). */
export interface JobSpec extends Signed {
  id: JobId;
  name: string;
  /** A job type's name, e.g. `blender-animation`. */
  type: string;
  /** Settings as that type's schema parsed them. */
  settings: Record<string, unknown>;
  /** The scene and all its files; absent where the job type needs none. */
  bundle?: BlobHash;
  plan: BlobHash;
  /** Tasks in the plan, so that progress is known before the plan is there. */
  tasks: number;
  /** The farm-wide order counter: the highest seen plus one; ties fall to the lower peer, then id (SPEC R50). */
  order: number;
  /** Jobs that must be done first. */
  after: JobId[];
  /** Where the submitting machine collects the output; means nothing elsewhere. */
  outputFolder: string;
  wallTime: number;
}

export type JobDesired = 'active' | 'paused' | 'canceled';

/** One signed request about tasks: `redo` discards their results, `retry` only voids failures (SPEC R33). */
export interface TaskRequest extends Signed {
  kind: 'redo' | 'retry';
  /** The tasks' new redo or retry level: the highest seen plus one. */
  level: number;
  tasks: FrameRange[];
  /** For a redo, the newest attempt among the results that its author saw and discards. */
  newest?: AttemptId;
  wallTime: number;
}

export interface Deletion extends Signed {
  wallTime: number;
  /** The job was done, so that jobs that wait for it may go on. */
  done?: boolean;
}

export interface JobRecord {
  kind: 'job';
  id: JobId;
  spec: JobSpec;
  control: {
    desired?: SignedField<JobDesired>;
    priority?: SignedField<number>;
    name?: SignedField<string>;
    notes?: SignedField<string>;
    /** At most this many machines at once; 0 is no limit. */
    machineLimit?: SignedField<number>;
    /** Share of failed tasks, 0 to 1, past which the job fails. */
    failureShare?: SignedField<number>;
  };
  /** Requests by `requestKey`: grow-only. */
  requests: Record<string, TaskRequest>;
  holders: { bundle: Holders; plan: Holders };
  /** Grow-only: durable on as many machines as could be reached, two at most (SPEC R60). */
  acknowledged: boolean;
  /** A tombstone absorbs the job's task records and is never purged (SPEC R34). */
  deleted?: Deletion;
}

/** Why an attempt ended without a result. Stops by an owner, a cancel or a losing copy are none of these (SPEC R53). */
export type FailureCause = 'failed' | 'lost';

export interface Failure {
  attempt: AttemptId;
  /** The machine that tried. */
  peer: PeerId;
  cause: FailureCause;
  /** A stable code such as `blender-crashed`. */
  code: string;
  /** One sentence for people. */
  message: string;
  /** The log's telling lines. */
  lines: string[];
  /** The whole log. */
  log?: BlobHash;
  /** Holders of the log (SPEC R132). */
  holders?: Holders;
  wallTime: number;
}

/** What one attempt gave. Ranks: rendered (one holder) < done (two, or one that was accepted as such). */
export interface TaskResult {
  attempt: AttemptId;
  /** The machine that made it. */
  peer: PeerId;
  state: 'rendered' | 'done';
  files: OutputFile[];
  /** Holders of the files, all of them. */
  holders: Holders;
  /** For display and forecasts, milliseconds. */
  renderMs: number;
  /** A thumbnail, best effort: its loss loses nothing. */
  thumbnail?: BlobHash;
  /** Sum of the redo levels of the tasks it was made from: a later redo of one makes it stale (SPEC R39). */
  inputRedo?: number;
  /** Version of the engine that made it, where that shows: a job never mixes versions (SPEC R51). */
  engineVersion?: string;
  log?: BlobHash;
  wallTime: number;
}

/** The coordinator's word that the task won't be tried again (SPEC R54). */
export interface FailedOutcome {
  attempt: AttemptId;
  /** The coordinator that decided. */
  peer: PeerId;
  code: string;
  message: string;
  wallTime: number;
}

export interface TaskRecord {
  kind: 'task';
  job: JobId;
  index: TaskIndex;
  /** The level this record's content belongs to: a higher one wins whole (SPEC R32). */
  redo: number;
  /** Within a redo level, a higher one voids failures and `failed`, never a result. */
  retry: number;
  /** Results by attempt key; the one that counts is derived (SPEC R38). */
  results: Record<string, TaskResult>;
  failed?: FailedOutcome;
  /** By attempt key. */
  failures: Record<string, Failure>;
}

export type KnownRecord = FarmRecord | MemberRecord | NodeRecord | JobRecord | TaskRecord | DiaryRecord;
export type RecordKind = KnownRecord['kind'];

/** The key under which a record is stored, synced and hashed (SPEC R20). */
export function recordKey(record: KnownRecord): string {
  switch (record.kind) {
    case 'farm':
      return `farm/${record.id}`;
    case 'member':
      return `member/${record.peer}`;
    case 'node':
      return `node/${record.peer}`;
    case 'job':
      return `job/${record.id}`;
    case 'task':
      return taskKey(record.job, record.index);
    case 'diary':
      return diaryKey(record.peer, record.page);
  }
}

/** The key of a page of a machine's diary. */
export const diaryKey = (peer: PeerId, page: number): string => `diary/${peer}/${page}`;

/** A task's key; the index is padded so that keys sort as tasks do. */
export function taskKey(job: JobId, index: TaskIndex): string {
  return `task/${job}/${String(index).padStart(10, '0')}`;
}

/** The key of a request within its job: requests of one author never clash (SPEC R33). */
export function requestKey(
  request: Pick<TaskRequest, 'kind' | 'level' | 'author'> & { part?: number },
): string {
  return `${request.kind}.${request.level}.${request.part ?? 0}.${request.author}`;
}

/** The key of an admission within its member's record. */
export function admissionKey({ author, farm }: Pick<Admission, 'author' | 'farm'>): string {
  return farm === undefined ? author : `${author}.${farm}`;
}

/** A task of which nothing has been written yet. */
export function emptyTask(job: JobId, index: TaskIndex, redo = 0, retry = 0): TaskRecord {
  return { kind: 'task', job, index, redo, retry, results: {}, failures: {} };
}
