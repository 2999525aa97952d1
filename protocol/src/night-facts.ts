import type { ToldEntry } from './diary.ts';
import type { PeerId, TaskIndex } from './ids.ts';
import type { JobView, NodeView } from './views.ts';

/** What the night is told from: diaries, and what the records of jobs and tasks say. */

/** An attempt that ended without a result. */
export interface NightFailure {
  readonly task: TaskIndex;
  readonly name: string;
  readonly peer: PeerId;
  readonly at: number;
  readonly code: string;
  readonly message: string;
}

export interface NightJob {
  readonly view: JobView;
  /** Tasks that make films, and those of them that have a result. */
  readonly films: number;
  readonly filmsMade: number;
  /** Results in the time that is told. */
  readonly made: number;
  /** Tasks that were given up. */
  readonly failed: readonly (Omit<NightFailure, 'peer'> & { readonly machines: number })[];
  /** Attempts that failed where the task has come to a result, or is still tried. */
  readonly failures: readonly NightFailure[];
  /** Attempts whose machine vanished with them. */
  readonly lost: readonly NightFailure[];
  /** Tasks of which there is a second result. */
  readonly again: readonly {
    readonly task: TaskIndex;
    readonly name: string;
    readonly at: number;
    readonly by: PeerId;
    /** Machines that hold the first result. */
    readonly held: readonly PeerId[];
  }[];
}

/** When a machine rendered, in spans that don't overlap, and what came of it. */
export interface NightWork {
  readonly spans: readonly { readonly from: number; readonly to: number }[];
  readonly results: number;
  readonly failures: number;
}

export interface NightSource {
  readonly from: number;
  readonly to: number;
  readonly nodes: readonly NodeView[];
  readonly diary: readonly ToldEntry[];
  readonly jobs: readonly NightJob[];
  readonly work: ReadonlyMap<PeerId, NightWork>;
  readonly nameOf: (peer: PeerId) => string;
}

export const jobName = ({ order, name }: Pick<JobView, 'order' | 'name'>): string => `#${order} ${name}`;
