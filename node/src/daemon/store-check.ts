import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type BlobHash,
  CuadroError,
  type JobId,
  type KnownRecord,
  type PeerId,
  heldOfTask,
  recordKey,
} from '@cuadro/protocol';
import { filesOfBundle } from '../blobs/bundle-files.ts';
import { isJob } from '../jobs/pins.ts';
import type { Loaded } from '../store/interface.ts';
import type { Startable } from '../system/interface.ts';
import { startError } from '../system/start-error.ts';
import { openFoundation } from './foundation.ts';

/** What `cuadro doctor --store` found in the data folder of a node that doesn't run. */
export interface StoreReport {
  readonly records: number;
  /** Stored records that can't be read, or whose signature is bad. */
  readonly badRecords: number;
  /** The database was damaged, and what can be read of it stands in its place, as of now. */
  readonly rescued: boolean;
  /** Why records that were stored may be missing, found now or before (SPEC R173). */
  readonly lacks?: NonNullable<Loaded['lacks']>;
  /** Where records may be missing: jobs that none tells of, and of which files are kept here. */
  readonly unknownJobs: readonly JobId[];
  /** Keys of this node's own notes that are damaged, and count as absent. */
  readonly badNotes: readonly string[];
  readonly files: number;
  readonly fileBytes: number;
  /** Files whose bytes are not what their name says; they are put aside, in `quarantine/`. */
  readonly corrupt: readonly BlobHash[];
  /** Files that the records say are here, and that aren't: each with the record that says so. */
  readonly missing: readonly { readonly hash: BlobHash; readonly record: string }[];
}

/**
 * Nothing to mend, and nothing to fetch again. A damaged database that was put aside before a start is none of both any
 * more, once all jobs of which files are kept are known again.
 */
export const isClean = ({ lacks, badRecords, ...lists }: StoreReport): boolean => {
  const { unknownJobs, badNotes, corrupt, missing } = lists;
  const listed = unknownJobs.length + badNotes.length + corrupt.length + missing.length;
  return badRecords + listed === 0 && (lacks === undefined || lacks === 'aside');
};

export interface StoreCheckOptions {
  readonly signal: AbortSignal;
  /** Called after each file that was read. */
  readonly onProgress?: (done: { files: number; of: number }) => void;
}

/**
 * Reads every record and every file of a data folder, as the node does in its own time, and compares what the records
 * promise with what is there. Damaged files are put aside, and so is a damaged database; nothing else is changed. That
 * records may be missing is marked for the node's next start, as its own start marks it.
 * @throws CuadroError `data-folder-in-use` while a node runs there, `no-data` where no node has been,
 * `store-unwritable`.
 */
export async function checkStore(dataFolder: string, options: StoreCheckOptions): Promise<StoreReport> {
  // A check of nothing would found a node here.
  if (!existsSync(join(dataFolder, 'records'))) throw new CuadroError('no-data', { path: dataFolder });
  const started: Startable[] = [];
  try {
    const foundation = await openFoundation({ dataFolder }, started);
    const { blobs, store, signer, leftOut: badRecords } = foundation;
    const corrupt: BlobHash[] = [];
    const missing: { hash: BlobHash; record: string }[] = [];
    const seen = new Set<BlobHash>();
    const { blobs: of } = await blobs.usage();
    for await (const { hash, state } of blobs.check({ signal: options.signal })) {
      if (state === 'corrupt') corrupt.push(hash);
      if (state === 'missing') continue;
      seen.add(hash);
      options.onProgress?.({ files: seen.size, of });
    }
    let records = 0;
    const jobs = new Set<JobId>();
    const scenes: { bundle: BlobHash; record: string }[] = [];
    const expect = (hash: BlobHash, record: string): void => {
      if (!seen.has(hash)) missing.push({ hash, record });
    };
    await store.load({
      each: (record) => {
        records += 1;
        if (record.kind === 'job') jobs.add(record.id);
        const key = recordKey(record);
        for (const hash of promised(record, signer.peer)) expect(hash, key);
        const bundle = promisedScene(record, signer.peer);
        if (bundle !== undefined) scenes.push({ bundle, record: key });
      },
    });
    for (const { bundle, record } of scenes) {
      // None where the list itself is damaged or gone, which is told of the list, or of a newer kind.
      for (const hash of await filesOfBundle(blobs, bundle).catch(() => [])) expect(hash, record);
    }
    const badNotes = await store.listDamagedLocal();
    const { usedBytes: fileBytes } = await blobs.usage();
    const { lacks } = foundation;
    const owners = lacks === undefined ? [] : blobs.pinOwners();
    const unknownJobs = owners.filter((owner) => isJob(owner) && !jobs.has(owner));
    return {
      ...{ records, badRecords, unknownJobs, badNotes, files: seen.size, fileBytes, corrupt, missing },
      rescued: lacks === 'rescued',
      ...(lacks !== undefined && { lacks }),
    };
  } catch (error) {
    throw startError(error, dataFolder);
  } finally {
    for (const component of started.reverse()) await component.stop();
  }
}

/** Files of which the record says that `peer` holds them. */
function promised(record: KnownRecord, peer: PeerId): BlobHash[] {
  if (record.kind === 'job') {
    const { spec, holders, deleted } = record;
    if (deleted !== undefined) return [];
    const bundle = promisedScene(record, peer);
    return [
      ...(holders.plan[peer]?.held === true ? [spec.plan] : []),
      ...(bundle === undefined ? [] : [bundle]),
    ];
  }
  return record.kind === 'task' ? heldOfTask(record, peer) : [];
}

/** The bundle of which the record says that `peer` holds it, with all that belongs to it. */
function promisedScene(record: KnownRecord, peer: PeerId): BlobHash | undefined {
  const isHeld =
    record.kind === 'job' && record.deleted === undefined && record.holders.bundle[peer]?.held === true;
  return isHeld ? record.spec.bundle : undefined;
}
