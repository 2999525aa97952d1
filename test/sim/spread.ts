import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Profile } from './profile.ts';
import type { RunReport } from './run.ts';

/** Seeds in a row. */
export interface Stretch {
  readonly from: bigint;
  readonly count: number;
  /** What is the same in all of them, whatever the seed would have it. */
  readonly profile?: Partial<Profile>;
}

/** What is kept of a run once it is over, and goes from thread to thread. */
export interface RunSummary {
  readonly seed: bigint;
  readonly virtualMs: number;
  readonly events: number;
  /** The run in one line. */
  readonly text: string;
  readonly hasFailed: boolean;
  /** The largest share used of the time that the work left at the healing may take. */
  readonly usedShare: number;
  /** How often each kind of thing happened (`tally.ts`). */
  readonly counts: ReadonlyMap<string, number>;
}

export function summaryOf({
  seed,
  profile,
  virtualMs,
  events,
  faults,
  jobs,
  failure,
  usedShare,
  tally: { counts },
}: RunReport): RunSummary {
  const how = failure === undefined ? 'clean' : `${failure.rule}: ${failure.sentence}`;
  const text = `seed ${seed}: ${profile.machines} machines, ${(virtualMs / 1_000).toFixed(0)} s, ${faults} faults, ${jobs} jobs: ${how}`;
  return { seed, virtualMs, events, text, hasFailed: failure !== undefined, usedShare, counts };
}

/** So few at once that no thread is left with much when the others have nothing more to do. */
const STRETCH_MAX = 8;

/** Runs that many seeds on all cores, each run on one of them; `onRun` hears of each as it ends, in any order. */
export async function spread(
  { from, count, profile = {} }: Stretch,
  onRun: (run: RunSummary) => void,
  threads = availableParallelism(),
): Promise<void> {
  let given = 0;
  const next = (): Stretch | undefined => {
    const length = Math.min(STRETCH_MAX, Math.ceil((count - given) / threads));
    if (length <= 0) return undefined;
    const stretch = { from: from + BigInt(given), count: length, profile };
    given += length;
    return stretch;
  };
  const lane = async (): Promise<void> => {
    const thread = new SimThread();
    try {
      for (let stretch = next(); stretch !== undefined; stretch = next()) await thread.run(stretch, onRun);
    } finally {
      await thread.end();
    }
  };
  await Promise.all(Array.from({ length: Math.min(threads, count) }, lane));
}

/**
 * A thread of its own for runs, one stretch of seeds after the other. What a test runner hooks into each promise of its
 * own thread, to know what a test left behind, costs a run a fifth of its time.
 */
export class SimThread {
  readonly #worker = new Worker(new URL('thread.ts', import.meta.url));
  readonly #broken = Promise.withResolvers<never>();
  #hear: (run: RunSummary) => void = () => undefined;

  constructor() {
    this.#broken.promise.catch(() => undefined);
    this.#worker.on('error', this.#broken.reject);
    this.#worker.on('exit', (code) =>
      this.#broken.reject(new Error(`A thread of the simulator ended with code ${code}.`)),
    );
    this.#worker.on('message', (run: RunSummary) => this.#hear(run));
  }

  /** `onRun` hears of each run as it ends. Rejects where the thread itself comes to its end. */
  async run(stretch: Stretch, onRun: (run: RunSummary) => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let left = stretch.count;
    this.#hear = (run) => {
      onRun(run);
      left -= 1;
      if (left === 0) resolve();
    };
    this.#worker.postMessage(stretch);
    await Promise.race([promise, this.#broken.promise]);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
