import { rmdir } from 'node:fs/promises';
import type { JobId } from '@cuadro/protocol';
import { type JobsComponents, localJobKey, submissionKey, type Submission } from './interface.ts';

/**
 * Takes back what a submission has left that a killed node could not finish: its pins, its output folder where it
 * is new and still empty, and its notes. Called at start, before anything is submitted.
 */
export async function takeBackUnfinished(
  components: Pick<JobsComponents, 'blobs' | 'store' | 'driver'>,
): Promise<void> {
  const { blobs, store, driver } = components;
  for (const [key, value] of await store.listLocal(submissionKey(''))) {
    const job: JobId = key.slice(submissionKey('').length);
    const accepted = driver.queries.jobRecord(job) !== undefined;
    if (!accepted) {
      await blobs.unpinOwner(job);
      const { newFolder } = value as Submission;
      // Only where it is still empty: whatever was put into it meanwhile is somebody's.
      if (newFolder !== undefined) await rmdir(newFolder).catch(() => undefined);
    }
    await store.setLocal({ [key]: undefined, ...(!accepted && { [localJobKey(job)]: undefined }) });
  }
}
