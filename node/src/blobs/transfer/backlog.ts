import { transferLimits } from './limits.ts';

/** Stores one thing; `unfit` where it was not what it should be. */
export type Storing = () => Promise<'unfit' | void>;

/**
 * What came in of one request and is to be stored: a few things at a time, since what waits in the store takes ten times
 * the memory of what waits here, and the sender waits once it is too much.
 */
export class Backlog {
  readonly #waiting: { readonly bytes: number; readonly store: Storing }[] = [];
  readonly #storing = new Set<Promise<void>>();
  #bytes = 0;
  /** Without what did not fit: that brought nothing. */
  totalBytes = 0;

  /** Resolves when more may come. @throws what `store` of anything throws. */
  async add(bytes: number, store: Storing): Promise<void> {
    this.#bytes += bytes;
    this.#waiting.push({ bytes, store });
    this.#storeNext();
    while (this.#bytes > transferLimits.unstoredBytes) await Promise.race(this.#storing);
  }

  #storeNext(): void {
    while (this.#storing.size < transferLimits.storedAtOnce) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const stored = next.store().then((outcome) => {
        if (outcome !== 'unfit') this.totalBytes += next.bytes;
      });
      const tracked = stored.finally(() => {
        this.#bytes -= next.bytes;
        this.#storing.delete(tracked);
        this.#storeNext();
      });
      this.#storing.add(tracked);
    }
  }

  /** Resolves when nothing is left to store. @throws as `add`. */
  async settled(): Promise<void> {
    while (this.#storing.size > 0) await Promise.all(this.#storing);
  }
}
