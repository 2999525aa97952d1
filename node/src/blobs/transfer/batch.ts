import type { BlobHash, BlobStore, PinOwner } from '../interface.ts';
import type { Engine } from './engine.ts';
import type { Flock } from './flock.ts';
import type { FetchOptions, WantedBlob } from './interface.ts';
import type { TreeProgress } from './tree-progress.ts';
import type { Waiter, Want, WantResult } from './wants.ts';

export interface BatchComponents {
  readonly engine: Pick<Engine, 'join' | 'leave'>;
  readonly blobs: Pick<BlobStore, 'pin'>;
  readonly progress: TreeProgress;
}

/**
 * Files that one call waits for: one wait for all of them, since promises of their own took 2 KB of each of 100,000. It
 * ends when all are here and pinned, with the first that failed, or with the caller's abort.
 */
export class Batch implements Waiter {
  readonly holders: FetchOptions['holders'];
  readonly #components: BatchComponents;
  readonly #pin: PinOwner | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #over = Promise.withResolvers<void>();
  readonly #pinning = new Set<Promise<void>>();
  #left = 0;
  #hasFailed = false;

  constructor(components: BatchComponents, { holders, pin, signal }: FetchOptions) {
    this.#components = components;
    this.holders = holders;
    this.#pin = pin;
    this.#signal = signal;
  }

  /** Once; each file once. @throws the first failure, when nothing of it is under way any more, and the signal's reason. */
  async wait(
    blobs: readonly WantedBlob[],
    of: { readonly providedAs: BlobHash | undefined; readonly flock: Flock | undefined },
  ): Promise<void> {
    const { engine } = this.#components;
    this.#signal?.throwIfAborted();
    if (blobs.length === 0) return;
    this.#left = blobs.length;
    const onAbort = (): void => this.#fail(this.#signal?.reason);
    this.#signal?.addEventListener('abort', onAbort, { once: true });
    try {
      for (const blob of blobs) engine.join(blob, this, of);
      await this.#over.promise;
    } catch (error) {
      for (const { hash } of blobs) engine.leave(hash, this);
      await Promise.all(this.#pinning);
      throw error;
    } finally {
      this.#signal?.removeEventListener('abort', onAbort);
    }
  }

  told({ hash, progress }: Want): void {
    this.#components.progress.told(hash, progress);
  }

  ended({ hash }: Want, result: WantResult): void {
    if (this.#hasFailed) return;
    if ('error' in result) return this.#fail(result.error);
    if (this.#pin === undefined) return this.#here(hash);
    // By who waits, not as it is stored: a pin that came after its owner had given up would be taken back by nobody.
    const pinning = this.#components.blobs
      .pin(hash, this.#pin)
      .then(() => this.#here(hash))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#pinning.delete(pinning));
    this.#pinning.add(pinning);
  }

  #here(hash: BlobHash): void {
    this.#components.progress.done(hash);
    this.#left -= 1;
    if (this.#left === 0) this.#over.resolve();
  }

  #fail(error: unknown): void {
    this.#hasFailed = true;
    this.#over.reject(error);
  }
}
