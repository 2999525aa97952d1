import type { Clock } from '../../node/src/system/interface.ts';
import type { Timeline } from './timeline.ts';

interface Deferred {
  readonly run: () => void;
  readonly isTimer: boolean;
  readonly dueMs: number;
}

/** How a machine's own clock runs. */
export interface ClockFaults {
  /** Its seconds are this much longer or shorter: 1 is true time. */
  rate: number;
  /** What its wall clock shows beside the truth, in milliseconds. */
  wallOffsetMs: number;
}

/** What a machine needs of virtual time. */
export type HostTimeline = Pick<Timeline, 'now' | 'after'>;

/** 2026-01-05, a Monday: the wall clock at the begin of each run. */
const WALL_BEGIN_MS = 1_767_571_200_000;

/**
 * A machine as the place where a process runs: it has a clock of its own, stalls, sleeps, and loses its power.
 * Whatever was planned in one life of the process never happens in the next.
 */
export class Host {
  readonly #timeline: HostTimeline;
  readonly faults: ClockFaults = { rate: 1, wallOffsetMs: 0 };
  /** Counts the lives of its process; 0 while it never ran. */
  life = 0;
  isUp = false;
  #stalled = false;
  #deferred: Deferred[] = [];

  constructor(timeline: HostTimeline) {
    this.#timeline = timeline;
  }

  get isStalled(): boolean {
    return this.#stalled;
  }

  begin(): void {
    this.life += 1;
    this.isUp = true;
    this.#stalled = false;
    this.#deferred = [];
  }

  end(): void {
    this.isUp = false;
    this.#stalled = false;
    this.#deferred = [];
  }

  /** The process stands still: what falls due or arrives meanwhile waits for it. */
  stall(): void {
    if (this.isUp) this.#stalled = true;
  }

  /** It goes on: first the timers that are overdue, then what lies in its sockets, and all else behind that. */
  resume(onAwake: () => void): void {
    if (!this.#stalled) return;
    this.#deferred.sort(
      (a, b) => Number(b.isTimer) - Number(a.isTimer) || (a.isTimer ? a.dueMs - b.dueMs : 0),
    );
    this.#drain(this.life, onAwake);
  }

  /** One after the other, so that promises settle between them. */
  #drain(life: number, onAwake: () => void): void {
    this.#timeline.after(0, () => {
      if (this.life !== life || !this.#stalled) return;
      const next = this.#deferred.shift();
      if (next === undefined) {
        this.#stalled = false;
        onAwake();
        return;
      }
      next.run();
      this.#drain(life, onAwake);
    });
  }

  /** Something that reaches the process from outside, now. */
  deliver(run: () => void): void {
    if (!this.isUp) return;
    if (!this.#stalled) return run();
    const { life } = this;
    const late = (): void => {
      if (this.life === life && this.isUp) run();
    };
    this.#deferred.push({ run: late, isTimer: false, dueMs: this.#timeline.now });
  }

  /** Something of the process itself (a disk that answers), after so long in true time. */
  later(delayMs: number, run: () => void): () => void {
    return this.#later(delayMs, run);
  }

  #later(delayMs: number, run: () => void): () => void {
    const { life } = this;
    let canceled = false;
    const isOver = (): boolean => canceled || this.life !== life || !this.isUp;
    const fire = (): void => {
      if (isOver()) return;
      if (!this.#stalled) return run();
      const late = (): void => {
        if (!isOver()) run();
      };
      this.#deferred.push({ run: late, isTimer: true, dueMs: this.#timeline.now });
    };
    const cancel = this.#timeline.after(delayMs, fire);
    return () => {
      canceled = true;
      cancel();
    };
  }

  /** The clock as the process reads it. */
  clock(): Clock {
    const timeline = this.#timeline;
    const { faults } = this;
    const beginMs = timeline.now;
    // Each life has its own zero: nothing may be carried from one to the next by it.
    const now = (): number => Math.round(1e6 + (timeline.now - beginMs) * faults.rate * 1e3) / 1e3;
    // A microsecond more: no timer may fire before its time, or it would be set again for the same moment for ever.
    const after = (delayMs: number, callback: () => void): (() => void) =>
      this.#later(delayMs / faults.rate + 0.001, callback);
    return {
      now,
      wallTime: () => WALL_BEGIN_MS + timeline.now + faults.wallOffsetMs,
      after,
      sleep: (delayMs, { signal } = {}) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        if (signal?.aborted === true) {
          reject(signal.reason);
          return promise;
        }
        const onAbort = (): void => {
          cancel();
          reject(signal?.reason);
        };
        const cancel = after(delayMs, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        signal?.addEventListener('abort', onAbort, { once: true });
        return promise;
      },
    };
  }
}
