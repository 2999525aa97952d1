import { blobsOfResult, JOB_ENDS, jobIdSchema, type JobId } from '@cuadro/protocol';
import { contentOfJob } from '../blobs/bundle-files.ts';
import type { PinOwner } from '../blobs/interface.ts';
import type { Lack } from '../store/interface.ts';
import type { Startable } from '../system/interface.ts';
import { nextTurn } from '../system/turn.ts';
import type { JobsComponents } from './interface.ts';

/** Ended jobs are gone through this often, in milliseconds: what they hold for nothing is only room on the disk. */
const RELEASE_EVERY_MS = 3_600_000;
/**
 * Where records may be missing, the pins of jobs that are unknown are kept until the node has run for so long, in
 * milliseconds: 30 days. A machine that knows of them is switched on again by then, or never.
 */
const DOUBT_MS = 30 * 86_400_000;
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
 * `isComplete` says that every stored record could be read, and none is missing: else a job may be unknown only because
 * its record is damaged or gone, and its files are all that is left of it. `lack` is the mark of what is missing, if
 * there is one: it is ended here, once all of these jobs are known again, or nobody has told of them for long (SPEC R173).
 */
export function createPinKeeper(components: PinKeeperComponents, init: PinKeeperInit): PinKeeper {
  return new RecordPinKeeper(components, init);
}

export interface PinKeeperInit {
  readonly isComplete: boolean;
  readonly lack?: Lack | undefined;
}

/** Whether who pins a file is a job; others need it for the moment. */
export const isJob = (owner: PinOwner): owner is JobId => jobIdSchema.safeParse(owner).success;

class RecordPinKeeper implements PinKeeper {
  readonly #components: PinKeeperComponents;
  readonly #isComplete: boolean;
  /** The mark of records that may be missing, until it is ended. */
  #lack: Lack | undefined;
  /** Jobs of which files were pinned at the start, and that no record told of. */
  readonly #doubtful = new Set<JobId>();
  /** Up to when it is noted how long the node ran with the mark, by the monotonic clock. */
  #notedMs = 0;
  readonly #stop = new AbortController();
  #releasing: Promise<void> | undefined;

  constructor(components: PinKeeperComponents, { isComplete, lack }: PinKeeperInit) {
    this.#components = components;
    this.#isComplete = isComplete;
    this.#lack = lack;
  }

  /** Resolves before anything may be submitted: a submission pins before its job is known. */
  async start(): Promise<void> {
    if (this.#releasing !== undefined) return;
    const { blobs, driver } = this.#components;
    for (const owner of blobs.pinOwners()) {
      if (!isJob(owner)) continue;
      const record = driver.queries.jobRecord(owner);
      const isOrphan = record === undefined ? this.#isComplete : record.deleted !== undefined;
      if (isOrphan) await blobs.unpinOwner(owner);
      else if (record === undefined) this.#doubtful.add(owner);
    }
    if (this.#lack !== undefined) {
      this.#notedMs = this.#components.clock.now();
      await this.#settle(this.#lack);
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
    if (this.#releasing !== undefined && this.#lack !== undefined) await this.#settle(this.#lack);
  }

  /** Ends the mark where nothing is in doubt any more, and else notes that the node ran on with it. */
  async #settle(lack: Lack): Promise<void> {
    const { blobs, clock, driver, logger } = this.#components;
    const nowMs = clock.now();
    // What is more than the time between two looks was slept through.
    const ranMs = Math.min(nowMs - this.#notedMs, RELEASE_EVERY_MS);
    this.#notedMs = nowMs;
    for (const job of this.#doubtful) {
      const isKnown = driver.queries.jobRecord(job) !== undefined;
      if (isKnown || blobs.pinnedBy(job).length === 0) this.#doubtful.delete(job);
    }
    const jobs = this.#doubtful.size;
    try {
      if (jobs > 0 && lack.ranMs + ranMs < DOUBT_MS) {
        if (ranMs > 0) await lack.ran(ranMs);
        return;
      }
      for (const job of this.#doubtful) await blobs.unpinOwner(job);
      await lack.end();
    } catch (error) {
      // What was noted before counts, and it is looked again within the hour, or at the next start.
      logger.warn("It can't be noted how long records have been missing.", { error: String(error) });
      return;
    }
    this.#doubtful.clear();
    this.#lack = undefined;
    if (jobs > 0)
      logger.warn(
        'In 30 days nobody told of the jobs that are unknown here: their files are kept no longer.',
        {
          jobs,
        },
      );
    else logger.info('All jobs of which files are kept here are known: no record of one is missing.');
  }

  async #release(): Promise<void> {
    const { clock, driver, logger } = this.#components;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await clock.sleep(RELEASE_EVERY_MS, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      if (this.#lack !== undefined) await this.#settle(this.#lack);
      for (const id of driver.queries.jobIds()) {
        if (signal.aborted) return;
        // What seems to be named by no record may be named by one that is missing.
        if (this.#lack !== undefined && driver.queries.jobRecord(id)?.deleted === undefined) continue;
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
