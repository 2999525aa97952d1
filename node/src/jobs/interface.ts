import type { JobId, KnownRecord, Signer } from '@cuadro/protocol';
import type { BlobStore } from '../blobs/interface.ts';
import type { ContentSource } from '../blobs/source.ts';
import type { CoreQueries } from '../core/interface.ts';
import type { RecordStore } from '../store/interface.ts';
import type { Clock, Logger, Random } from '../system/interface.ts';
import type { TemporaryFiles } from '../system/temporary-files.ts';

/**
 * What people do with jobs, turned into signed records: submit, change, requeue, delete, and collect what was
 * rendered. Everything here answers only once its records are durable.
 */

/** How many machines hold something durably by now, this one included, and why it is only one. */
export interface Kept {
  machines: number;
  /** `none`: the farm has no other member. `unreachable`: none answers now. `late`: one is still at it. */
  others: 'enough' | 'none' | 'unreachable' | 'late';
}

/** Copies on other machines of what people do here. Answers within a bounded time, with what is true then. */
export interface Safekeeping {
  /** Whether no other machine can be reached now: what is kept here is all that can be. */
  alone(): boolean;
  /** Of a job that was merged: its record, plan and bundle. Merges `acknowledged` when it may (SPEC R60). */
  acknowledge(job: JobId): Promise<Kept>;
  /** Of records that were merged: a change. Nobody is asked any more once it is not wanted. */
  confirm(records: readonly KnownRecord[], isWanted?: () => boolean): Promise<Kept>;
  /** What this machine alone holds and has still to give away; undefined where there is nobody to give it to. */
  state(): { results: number; jobs: number; logs: number } | undefined;
  /** What of a job is damaged, gone or never was here and can't be had of anybody within reach: one sentence (SPEC R185). */
  lacking(job: JobId): string | undefined;
}

/** Of a farm of one. */
export const soleSafekeeping: Safekeeping = {
  alone: () => true,
  acknowledge: async () => ({ machines: 1, others: 'none' }),
  confirm: async () => ({ machines: 1, others: 'none' }),
  state: () => undefined,
  lacking: () => undefined,
};

/** How many machines hold what was accepted or changed, in words (DESIGN.md section 1: one copy is labelled so). */
export function machinesSentence({ machines, others }: Kept): string {
  if (machines > 1) return `Held by ${machines} machines.`;
  switch (others) {
    case 'none':
      return 'Held by this machine, the only one in the farm.';
    case 'unreachable':
      return 'Kept on this machine only, and will be sent: no other can be reached now.';
    case 'late':
    case 'enough':
      return 'Held by this machine so far; another one is taking its copy.';
  }
}

/** What the parts of this room share. */
export interface JobsComponents {
  clock: Clock;
  random: Random;
  logger: Logger;
  blobs: BlobStore;
  /** Brings what other machines made. */
  content: ContentSource;
  copies: Safekeeping;
  /** Names of files on their way into output folders; the same that `blobs` takes its names from. */
  temporaries: TemporaryFiles;
  store: Pick<RecordStore, 'getLocal' | 'setLocal' | 'listLocal' | 'eachLocalText'>;
  signer: Signer;
  driver: {
    readonly queries: CoreQueries;
    /** Merges and resolves once durable. */
    merge(records: KnownRecord[]): Promise<void>;
  };
}

/** What the submitting machine alone knows of a job: kept in the store's local space. */
export interface LocalJob {
  /** Empty for a job that makes no files. */
  folder: string;
  overwrite: boolean;
  /** Where the folder's disk was attached when the job was submitted; left out of the disk that the system runs from. */
  mountPoint?: string;
  /** The .blend that it was submitted from; jobs of older versions, and of no scene, have none. */
  scene?: string;
}

/** A submission under way, noted before anything of it is stored: after a kill it says what to take back. */
export interface Submission {
  /** The output folder, where it was made for this job. */
  newFolder?: string;
}

export const localJobKey = (job: string): string => `job/${job}`;
export const submissionKey = (job: string): string => `submission/${job}`;
