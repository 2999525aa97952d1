import type { KnownRecord, Signer } from '@cuadro/protocol';
import type { BlobStore } from '../blobs/interface.ts';
import type { CoreQueries } from '../core/interface.ts';
import type { RecordStore } from '../store/interface.ts';
import type { Clock, Logger, Random } from '../system/interface.ts';

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
  store: Pick<RecordStore, 'getLocal' | 'setLocal' | 'listLocal'>;
  signer: Signer;
  driver: {
    readonly queries: CoreQueries;
    /** Merges and resolves once durable. */
    merge(records: KnownRecord[]): Promise<void>;
  };
}

/** What the submitting machine alone knows of a job: kept in the store's local space. */
export interface LocalJob {
  folder: string;
  overwrite: boolean;
}

export const localJobKey = (job: string): string => `job/${job}`;
