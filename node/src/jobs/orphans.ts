import { rmdir } from 'node:fs/promises';
import type { JobId } from '@cuadro/protocol';
import {
  type JobsComponents,
  type LocalJob,
  localJobKey,
  submissionKey,
  type Submission,
} from './interface.ts';

/**
 * Takes back what a submission has left that a killed node could not finish: its pins, its output folder where it
 * is new and still empty, and its notes. Called at start, before anything is submitted. Unless the records are complete
 * it may have been finished, and its record be lost: then all of it waits for a later start (SPEC R173).
 */
export async function takeBackUnfinished(
  components: Pick<JobsComponents, 'blobs' | 'store' | 'driver'>,
  init: { isComplete: boolean },
): Promise<void> {
  const { blobs, store, driver } = components;
  for (const [key, value] of await store.listLocal(submissionKey(''))) {
    const job: JobId = key.slice(submissionKey('').length);
    const accepted = driver.queries.jobRecord(job) !== undefined;
    if (!accepted && !init.isComplete) continue;
    if (!accepted) {
      await blobs.unpinOwner(job);
      const { newFolder } = value as Submission;
      // Only where it is still empty: whatever was put into it meanwhile is somebody's.
      if (newFolder !== undefined) await rmdir(newFolder).catch(() => undefined);
    }
    await store.setLocal({ [key]: undefined, ...(!accepted && { [localJobKey(job)]: undefined }) });
  }
}

/**
 * Writes again where the files of these jobs go, by the record, which names the folder too: a damaged note of it costs
 * what only it said (SPEC R172).
 */
export async function recallFolders(
  { store, driver, signer, logger }: Pick<JobsComponents, 'store' | 'driver' | 'signer' | 'logger'>,
  isKnown: (job: JobId) => boolean,
): Promise<[JobId, LocalJob][]> {
  const recalled: [JobId, LocalJob][] = [];
  for (const id of driver.queries.jobIds()) {
    const record = driver.queries.jobRecord(id);
    if (record === undefined || record.deleted !== undefined || isKnown(id)) continue;
    if (record.spec.author !== signer.peer) continue;
    const local: LocalJob = { folder: record.spec.outputFolder, overwrite: false };
    await store.setLocal({ [localJobKey(id)]: local });
    recalled.push([id, local]);
    logger.warn('What this machine had noted of a job was damaged; its folder is known from the record.', {
      job: id,
    });
  }
  return recalled;
}
