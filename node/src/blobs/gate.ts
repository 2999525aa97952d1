/** Lets at most `width` tasks run at once; the others wait in order. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(width: number) {
    this.#free = width;
  }

  async run<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed on, not freed: a newcomer cannot overtake.
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(signal.reason);
      };
      const enter = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(enter);
    });
  }
}

/** Runs tasks of the same key one after another: a blob's arrival, eviction and quarantine never interleave. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(task, task);
    const tail = result.catch(() => undefined);
    this.#tails.set(key, tail);
    try {
      return await result;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}

/** Applies `task` to all items with bounded concurrency; the first failure aborts the rest and is thrown. */
export async function mapBounded<Item, Result>(
  items: readonly Item[],
  width: number,
  signal: AbortSignal | undefined,
  task: (item: Item, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const failure = new AbortController();
  const joined = signal === undefined ? failure.signal : AbortSignal.any([signal, failure.signal]);
  const results = new Array<Result>(items.length);
  let next = 0;
  let firstError: { readonly error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    while (next < items.length && !joined.aborted) {
      const index = next++;
      try {
        results[index] = await task(items[index] as Item, joined);
      } catch (error) {
        firstError ??= { error };
        failure.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  if (firstError !== undefined) throw firstError.error;
  signal?.throwIfAborted();
  return results;
}
