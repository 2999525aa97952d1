import type { JobId } from '@cuadro/protocol';

/** Who waits for news of a job. */
export class JobWaiters {
  readonly #waiting = new Map<JobId, Set<() => void>>();

  isAwaited(job: JobId): boolean {
    return this.#waiting.has(job);
  }

  /** Resolves with the next news of the job. */
  next(job: JobId): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiters = this.#waiting.get(job) ?? new Set();
    this.#waiting.set(job, waiters.add(resolve));
    return promise;
  }

  wake(job: JobId): void {
    const waiters = this.#waiting.get(job);
    this.#waiting.delete(job);
    for (const wake of waiters ?? []) wake();
  }

  wakeAll(): void {
    for (const job of [...this.#waiting.keys()]) this.wake(job);
  }
}
