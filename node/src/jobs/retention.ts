import { CuadroError, type JobId, type RetentionView } from '@cuadro/protocol';
import type { Startable } from '../system/interface.ts';
import { nextTurn } from '../system/turn.ts';
import type { Collection } from './collection.ts';
import { whyNotCollected } from './collected.ts';
import { deleteJob } from './control.ts';
import { type JobsComponents, localJobKey } from './interface.ts';

/** Jobs are gone through this often, in milliseconds: what may go has days for it. */
const LOOK_EVERY_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Files looked up in one turn of the event loop. */
const FILES_PER_TURN = 1_000;

export interface RetentionInit {
  /** After how many days a job that is done and collected goes by itself; 0: never. */
  readonly days: () => number;
}

/** Since when a job was seen to be done and collected, by this machine's own clock. */
interface Since {
  wallTime: number;
}

const sinceKey = (job: JobId): string => `retention/${job}`;

/**
 * Deletes jobs of this machine some days after they were done and collected. A job goes as a whole, by its tombstone
 * (SPEC R34): so no machine that holds something of it ever drops what another one is believed to keep. Before that
 * every file is read in its output folder: what is gone from there, or was changed, keeps its job.
 */
export interface Retention extends Startable {
  /** What would go after so many days (the set ones by default), and what that would free here. */
  plan(days?: number): Promise<RetentionView>;
  /** Deletes it; what could not go says why. */
  free(days: number, options: { signal: AbortSignal }): Promise<RetentionView>;
}

export function createRetention(
  components: JobsComponents,
  parts: { collection: Pick<Collection, 'collected'> },
  init: RetentionInit,
): Retention {
  return new CollectedRetention(components, parts, init);
}

class CollectedRetention implements Retention {
  readonly #components: JobsComponents;
  readonly #collection: Pick<Collection, 'collected'>;
  readonly #init: RetentionInit;
  readonly #stop = new AbortController();
  #looking: Promise<void> | undefined;

  constructor(
    components: JobsComponents,
    { collection }: { collection: Pick<Collection, 'collected'> },
    init: RetentionInit,
  ) {
    this.#components = components;
    this.#collection = collection;
    this.#init = init;
  }

  start(): Promise<void> {
    this.#looking ??= this.#lookForever();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stop.abort(new CuadroError('node-stopping'));
    await this.#looking;
  }

  async #lookForever(): Promise<void> {
    const { clock, logger } = this.#components;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.#look().catch((error: unknown) => {
        if (!signal.aborted) logger.warn("What was collected can't be freed.", { error: String(error) });
      });
    }
  }

  async #look(): Promise<void> {
    const days = this.#init.days();
    // Noted also while nothing goes by itself: whoever sets days later has them counted from the day that it was.
    const { jobs } = await this.plan(days);
    const isBusy = this.#components.driver.queries
      .nodes()
      .some(({ here, live }) => here && live.running.length > 0);
    // Reading whole films is no work for a machine that renders.
    if (days > 0 && !isBusy && jobs.some(({ goes }) => goes))
      await this.free(days, { signal: this.#stop.signal });
  }

  async plan(days = this.#init.days()): Promise<RetentionView> {
    const done = await this.#ownDoneJobs();
    await this.#forgetOthers(new Set(done));
    const jobs: RetentionView['jobs'] = [];
    for (const id of done) jobs.push(await this.#examine(id, days));
    return viewOf(days, jobs);
  }

  async free(days: number, { signal }: { signal: AbortSignal }): Promise<RetentionView> {
    const { driver, logger } = this.#components;
    const jobs: RetentionView['jobs'] = [];
    const ended = AbortSignal.any([signal, this.#stop.signal]);
    for (const job of (await this.plan(days)).jobs.filter(({ goes }) => goes)) {
      ended.throwIfAborted();
      const why =
        (await this.#whyKept(job.job, { reads: true, signal: ended })) ??
        // While its files were read a frame may have been redone that is not in the folder yet.
        (await this.#whyKept(job.job, { reads: false, signal: ended }));
      // And it may have been requeued or deleted.
      if (why !== undefined || driver.queries.job(job.job)?.state !== 'done') {
        jobs.push({ ...job, goes: false, why: why ?? 'It was changed just now.' });
        continue;
      }
      await deleteJob(this.#components, job.job);
      logger.info('A job was collected long enough ago, and is deleted.', { job: job.job });
      jobs.push(job);
    }
    return viewOf(days, jobs);
  }

  /** Done jobs that this machine has submitted: it alone knows what was collected. */
  async #ownDoneJobs(): Promise<JobId[]> {
    const { store, driver } = this.#components;
    const own = (await store.listLocal(localJobKey(''))).map(([key]) => key.slice(localJobKey('').length));
    return own.filter((id) => driver.queries.job(id)?.state === 'done');
  }

  async #examine(id: JobId, days: number): Promise<RetentionView['jobs'][number]> {
    const { driver, clock } = this.#components;
    const { order = 0, name = '' } = driver.queries.job(id) ?? {};
    const sizeBytes = await this.#sizeOf(id);
    const about = { job: id, order, name, sizeBytes };
    const why = await this.#whyKept(id, { reads: false, signal: this.#stop.signal });
    if (why !== undefined) {
      await this.#note(id, undefined);
      return { ...about, goes: false, why };
    }
    const since = (await this.#components.store.getLocal(sinceKey(id))) as Since | undefined;
    const wallTime = since?.wallTime ?? clock.wallTime();
    if (since === undefined) await this.#note(id, { wallTime });
    // A clock that was set back makes it stay, never go.
    const passedMs = Math.max(0, clock.wallTime() - wallTime);
    if (passedMs >= days * DAY_MS) return { ...about, goes: true };
    const left = Math.ceil((days * DAY_MS - passedMs) / DAY_MS);
    return { ...about, goes: false, why: `It goes in ${left === 1 ? 'a day' : `${left} days`}.` };
  }

  /** Jobs that are gone, or were requeued, begin anew. */
  async #forgetOthers(done: ReadonlySet<JobId>): Promise<void> {
    const { store } = this.#components;
    const noted = (await store.listLocal(sinceKey(''))).map(([key]) => key);
    const useless = noted.filter((key) => !done.has(key.slice(sinceKey('').length)));
    if (useless.length > 0) await store.setLocal(Object.fromEntries(useless.map((key) => [key, undefined])));
  }

  async #note(id: JobId, since: Since | undefined): Promise<void> {
    await this.#components.store.setLocal({ [sinceKey(id)]: since });
  }

  async #whyKept(id: JobId, how: { reads: boolean; signal: AbortSignal }): Promise<string | undefined> {
    const collected = await this.#collection.collected(id);
    return whyNotCollected(this.#components, { job: id, collected, ...how });
  }

  /** What the job alone keeps in this machine's store. */
  async #sizeOf(id: JobId): Promise<number> {
    const { blobs } = this.#components;
    let bytes = 0;
    for (const [i, hash] of blobs.pinnedBy(id).entries()) {
      if (i % FILES_PER_TURN === 0) await nextTurn();
      if (blobs.pins(hash).length === 1) bytes += (await blobs.has(hash))?.sizeBytes ?? 0;
    }
    return bytes;
  }
}

function viewOf(days: number, jobs: RetentionView['jobs']): RetentionView {
  const freesBytes = jobs.reduce((sum, { goes, sizeBytes }) => sum + (goes ? sizeBytes : 0), 0);
  return { days, jobs, freesBytes };
}
