import type {
  AttemptId,
  BlobHash,
  FailureCause,
  Grant,
  JobRecord,
  OutputFile,
  PlannedTask,
  TaskResult,
  Work,
} from '@cuadro/protocol';

/** What a worker's engine gave for one task, durably stored. */
export interface TaskOutput {
  files: OutputFile[];
  thumbnail?: BlobHash;
  renderMs: number;
  inputRedo?: number;
}

/** What a runner is given for one attempt. */
export interface TaskContext {
  grant: Grant;
  job: JobRecord;
  task: PlannedTask;
  /** Empty, exists, this attempt's own; deleted when it ended. */
  folder: string;
  /** Not made yet; its folder exists. */
  logFile: string;
  signal: AbortSignal;
  progress: (progress: { fraction: number; remainingMs?: number; text?: string }) => void;
  /**
   * Resolves when it is this attempt's turn to use its engine; rejects with the signal's reason. A runner of
   * `PREPARED_AHEAD` is started while the attempt before it still uses the engine, and must wait here.
   */
  engineTurn(): Promise<void>;
  /** The engine is free for the next task; what follows (verifying, storing) may overlap with it. */
  engineFree(): void;
}

/** Runs tasks of one kind of work. It throws errors with a stable `code`; see `failures.ts`. */
export type TaskRunner = (context: TaskContext) => Promise<TaskOutput>;

/**
 * Kinds of work whose runners get ready (make folders, rebuild the scene) while the task before them renders, so
 * that the engine goes on at once.
 */
export const PREPARED_AHEAD: ReadonlySet<Work['kind']> = new Set<Work['kind']>(['blender-frame']);

/** What runners may know of other tasks. */
export interface TaskReader {
  /** The result to use now, while machines come and go (SPEC R59). */
  resultAtHand(job: string, index: number): TaskResult | undefined;
  plannedTask(job: string, index: number): PlannedTask | undefined;
  inputRedo(job: string, index: number): number;
}

/** How an attempt ended; the core's `AttemptOutcome`. */
export type AttemptEnd =
  | ({ kind: 'result'; log?: BlobHash; wallTime: number } & TaskOutput)
  | {
      kind: 'failure';
      cause: FailureCause;
      code: string;
      message: string;
      lines: string[];
      log?: BlobHash;
      wallTime: number;
    }
  /** `lacks` where nobody within reach had its scene. */
  | { kind: 'stopped'; reason: string; lacks?: 'scene' };

/** What the worker tells the driver. */
export interface WorkerReports {
  progress(attempt: AttemptId, progress: { fraction: number; remainingMs?: number; text?: string }): void;
  ended(attempt: AttemptId, end: AttemptEnd): void;
}
