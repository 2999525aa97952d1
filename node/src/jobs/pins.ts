import { blobsOfResult, JOB_ENDS, jobIdSchema, type JobId } from '@cuadro/protocol';
import { contentOfJob } from '../blobs/bundle-files.ts';
import type { Startable } from '../system/interface.ts';
import { nextTurn } from '../system/turn.ts';
import type { JobsComponents } from './interface.ts';

/** Ended jobs are gone through this often, in milliseconds: what they hold for nothing is only room on the disk. */
const RELEASE_EVERY_MS = 3_600_000;
/** Tasks looked at in one turn of the event loop. */
const TASKS_PER_TURN = 1_000;

export type PinKeeperComponents = Pick<JobsComponents, 'blobs' | 'clock' | 'driver' | 'logger'>;

export interface PinKeeper extends Startable {
  /** The job's tombstone is durable here, whoever deleted it: nothing of it is needed any more (SPEC R181). */
  removed(job: JobId): void;
}

/**
 * Gives up pins that no record accounts for: at start those of jobs that are deleted or were never accepted, and
 * later those of jobs that are deleted, and of jobs that have ended what a redo discarded or an ignored result left
 * (SPEC R53). A pinned file counts against the quota and is never evicted, so each would be lost room for good.
 *
 * `isComplete` says that every stored record could be read: else a job may be unknown only because its record is
 * damaged, and its files are all that is left of it.
 */
export function createPinKeeper(components: PinKeeperComponents, init: { isComplete: boolean }): PinKeeper {
  return new RecordPinKeeper(components, init);
}

class RecordPinKeeper implements PinKeeper {
  readonly #components: PinKeeperComponents;
  readonly #isComplete: boolean;
  readonly #stop = new AbortController();
  #releasing: Promise<void> | undefined;

  constructor(components: PinKeeperComponents, init: { isComplete: boolean }) {
    this.#components = components;
    this.#isComplete = init.isComplete;
  }

  /** Resolves before anything may be submitted: a submission pins before its job is known. */
  async start(): Promise<void> {
    if (this.#releasing !== undefined) return;
    const { blobs, driver } = this.#components;
    for (const owner of blobs.pinOwners()) {
      if (!jobIdSchema.safeParse(owner).success) continue;
      const record = driver.queries.jobRecord(owner);
      const isOrphan = record === undefined ? this.#isComplete : record.deleted !== undefined;
      if (isOrphan) await blobs.unpinOwner(owner);
    }
    this.#releasing = this.#release();
  }

  removed(job: JobId): void {
    const { blobs, logger } = this.#components;
    blobs.unpinOwner(job).catch((error: unknown) => {
      // They are given up within the hour, or at the next start.
      logger.warn("The files of a deleted job can't be released yet.", { job, error: String(error) });
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#releasing;
  }

  async #release(): Promise<void> {
    const { clock, driver, logger } = this.#components;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await clock.sleep(RELEASE_EVERY_MS, { signal }).catch(() => undefined);
      for (const id of driver.queries.jobIds()) {
        if (signal.aborted) return;
        await releaseUnnamed(this.#components, id, signal).catch((error: unknown) => {
          if (!signal.aborted) logger.warn("Files can't be released.", { job: id, error: String(error) });
        });
      }
    }
  }
}

/** Unpins what an ended job has pinned and none of its records names, and all of a deleted one. */
export async function releaseUnnamed(
  { blobs, driver }: Pick<JobsComponents, 'blobs' | 'driver'>,
  id: JobId,
  signal: AbortSignal,
): Promise<void> {
  const { queries } = driver;
  const isAtRest = (): boolean => {
    const job = queries.job(id);
    return job !== undefined && JOB_ENDS.has(job.state) && job.live.running === 0;
  };
  const record = queries.jobRecord(id);
  // An attempt may store its files just after the deletion.
  if (record?.deleted !== undefined) return blobs.unpinOwner(id);
  if (record === undefined || !isAtRest()) return;
  const unnamed = new Set(blobs.pinnedBy(id));
  for (const hash of await contentOfJob(blobs, record.spec)) unnamed.delete(hash);
  for (let index = 0; index < record.spec.tasks && unnamed.size > 0; index++) {
    if (index % TASKS_PER_TURN === 0) await nextTurn();
    signal.throwIfAborted();
    const task = queries.taskRecord(id, index);
    for (const result of Object.values(task?.results ?? {}))
      for (const { hash } of blobsOfResult(result)) unnamed.delete(hash);
    for (const { log } of Object.values(task?.failures ?? {})) if (log !== undefined) unnamed.delete(log);
  }
  // Work that began meanwhile may pin what was unnamed a moment ago.
  if (!isAtRest()) return;
  // All begun in one turn, so that no pin that is set while they are written is taken for an old one.
  await Promise.all([...unnamed].map((hash) => blobs.unpin(hash, id)));
}
