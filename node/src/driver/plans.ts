import type { BlobHash, JobId, Plan } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';
import type { Clock, Logger } from '../system/interface.ts';

/** A plan that could not be read is read again after this long, and then after twice as long each time, in milliseconds. */
const RETRY_MS = 2_000;
/** The longest pause: a disk that fails for minutes is looked at again when its owner does. */
const RETRY_MAX_MS = 120_000;

export interface PlanAskingComponents {
  core: CoreQueries;
  clock: Clock;
  logger: Logger;
  /** Reads and checks a plan; undefined where it isn't held here. */
  readPlan: (plan: BlobHash) => Promise<Plan | undefined>;
}

export interface PlanAskingInit {
  isRunning(): boolean;
  onRead(job: JobId, plan: Plan): void;
}

/** Reads the plans that the brain asks for, until each was read or its job is gone. */
export class PlanAsking {
  readonly #components: PlanAskingComponents;
  readonly #init: PlanAskingInit;
  readonly #asked = new Map<JobId, Promise<void>>();
  readonly #retries = new Map<JobId, { readonly cancel: () => void; readonly now: () => void }>();

  constructor(components: PlanAskingComponents, init: PlanAskingInit) {
    this.#components = components;
    this.#init = init;
  }

  /** Resolves once the reading that is under way has ended, well or not; undefined where there is none. */
  asked(job: JobId): Promise<void> | undefined {
    return this.#asked.get(job);
  }

  ask(job: JobId, hash: BlobHash, retryMs = RETRY_MS): void {
    const { logger, readPlan } = this.#components;
    if (this.#asked.has(job)) return;
    const asked = readPlan(hash)
      .then((plan) => {
        if (plan !== undefined) this.#init.onRead(job, plan);
        else logger.warn('The plan of a job is not held here.', { job, plan: hash });
      })
      .catch((error: unknown) => {
        logger.error("The plan of a job can't be read; it is tried again.", { job, error: String(error) });
        this.#askLater(job, hash, retryMs);
      })
      .finally(() => this.#asked.delete(job));
    this.#asked.set(job, asked);
  }

  /** Who has just come may hold the plans that wait for their next try. */
  askNow(): void {
    for (const { now } of [...this.#retries.values()]) now();
  }

  stop(): void {
    for (const { cancel } of this.#retries.values()) cancel();
    this.#retries.clear();
  }

  /** A disk that failed for a moment, or holders that were away, must not keep a job waiting for ever. */
  #askLater(job: JobId, hash: BlobHash, afterMs: number): void {
    const { core, clock } = this.#components;
    if (!this.#init.isRunning()) return;
    this.#retries.get(job)?.cancel();
    const again = (nextMs: number): void => {
      cancel();
      this.#retries.delete(job);
      const record = core.jobRecord(job);
      if (record === undefined || record.deleted !== undefined) return;
      if (core.plannedTask(job, 0) !== undefined) return;
      this.ask(job, hash, nextMs);
    };
    const nextMs = Math.min(2 * afterMs, RETRY_MAX_MS);
    const cancel = clock.after(afterMs, () => again(nextMs));
    this.#retries.set(job, { cancel, now: () => again(RETRY_MS) });
  }
}
