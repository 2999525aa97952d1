import type { KnownRecord, Signer } from '@cuadro/protocol';
import type { BlobStore } from '../blobs/interface.ts';
import type { CoreQueries } from '../core/interface.ts';
import type { RecordStore } from '../store/interface.ts';
import type { Clock, Logger, Random } from '../system/interface.ts';
import type { TemporaryFiles } from '../system/temporary-files.ts';

/**
 * What people do with jobs, turned into signed records: submit, change, requeue, delete, and collect what was
 * rendered. Everything here answers only once its records are durable.
 */

/** What the parts of this room share. */
export interface JobsComponents {
  clock: Clock;
  random: Random;
  logger: Logger;
  blobs: BlobStore;
  /** Names of files on their way into output folders; the same that `blobs` takes its names from. */
  temporaries: TemporaryFiles;
  store: Pick<RecordStore, 'getLocal' | 'setLocal' | 'listLocal' | 'listLocalText'>;
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
}

/** A submission under way, noted before anything of it is stored: after a kill it says what to take back. */
export interface Submission {
  /** The output folder, where it was made for this job. */
  newFolder?: string;
}

export const localJobKey = (job: string): string => `job/${job}`;
export const submissionKey = (job: string): string => `submission/${job}`;
