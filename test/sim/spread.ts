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
    const first = next();
    if (first === undefined) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const worker = new Worker(new URL('thread.ts', import.meta.url));
    let left = first.count;
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`A thread of the simulator ended with code ${code}.`)));
    worker.on('message', (run: RunSummary) => {
      onRun(run);
      left -= 1;
      if (left > 0) return;
      const stretch = next();
      if (stretch === undefined) return resolve();
      left = stretch.count;
      worker.postMessage(stretch);
    });
    worker.postMessage(first);
    try {
      await promise;
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: threads }, lane));
}
