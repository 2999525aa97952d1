import { closeSync, openSync, readSync } from 'node:fs';
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** As the node's own measure of its loop. */
const RESOLUTION_MS = 10;
/** Of this thread: nanoseconds that it ran, that it waited for a processor though it could run, and how often. */
const SCHEDULE = '/proc/thread-self/schedstat';

/**
 * How late an event loop runs by its own doing: each lateness without what the thread waited meanwhile for a processor.
 * Where more processes want to run than there are processors, every loop is late, also one that lets go of each turn
 * at once; what is left here is the turns that the process itself takes too long for, whatever runs beside it. Up to
 * 10 ms of a wait may have passed before a turn was due, so a figure can be too small by as much, and never by more.
 */
export class OwnDelay {
  readonly #histogram: RecordableHistogram = createHistogram();
  readonly #line = Buffer.alloc(128);
  #file: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  start(): void {
    try {
      this.#file = openSync(SCHEDULE, 'r');
    } catch {
      // Not every system counts it; nothing is measured there.
      return;
    }
    this.#wait(this.#file);
  }

  stop(): void {
    clearTimeout(this.#timer);
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** Milliseconds at `percentile` (0 to 100) since the last reset; NaN where nothing is measured. */
  percentileMs(percentile: number): number {
    return this.#histogram.count === 0 ? Number.NaN : (this.#histogram.percentile(percentile) - 1) / 1e6;
  }

  reset(): void {
    this.#histogram.reset();
  }

  #wait(file: number): void {
    const startedAt = performance.now();
    const waitedBefore = this.#waitedMs(file);
    this.#timer = setTimeout(() => {
      const lateMs = performance.now() - startedAt - RESOLUTION_MS;
      const ownMs = Math.max(0, lateMs - (this.#waitedMs(file) - waitedBefore));
      // A histogram takes no nought.
      this.#histogram.record(1 + Math.round(ownMs * 1e6));
      this.#wait(file);
    }, RESOLUTION_MS);
  }

  #waitedMs(file: number): number {
    const bytes = readSync(file, this.#line, 0, this.#line.length, 0);
    return Number(this.#line.toString('latin1', 0, bytes).split(' ')[1]) / 1e6;
  }
}
