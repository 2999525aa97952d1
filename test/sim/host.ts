import { SleepingTime } from '../../node/src/system/clock.ts';
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
  readonly #onSlept: (() => void) | undefined;
  readonly faults: ClockFaults = { rate: 1, wallOffsetMs: 0 };
  /** Counts the lives of its process; 0 while it never ran. */
  life = 0;
  isUp = false;
  #stalled = false;
  #deferred: Deferred[] = [];
  /** Ends of connections that it learns of when it wakes. */
  #ends: Deferred[] = [];
  /** Since when its clock stands, and how long it stood before in this life. */
  #suspendedAt: number | undefined;
  #suspendedMs = 0;
  /** Timers that fell due meanwhile, which have their rest to wait after it wakes. */
  #asleep: (() => void)[] = [];

  /** With `onSlept` its clock adds what it slept as the node's own does, and tells of it; else it never learns of it. */
  constructor(timeline: HostTimeline, onSlept?: () => void) {
    this.#timeline = timeline;
    this.#onSlept = onSlept;
  }

  get isStalled(): boolean {
    return this.#stalled;
  }

  begin(): void {
    this.life += 1;
    this.isUp = true;
    this.#stalled = false;
    this.#deferred = [];
    this.#suspendedAt = undefined;
    this.#suspendedMs = 0;
    this.#asleep = [];
    this.#ends = [];
  }

  end(): void {
    this.isUp = false;
    this.#stalled = false;
    this.#deferred = [];
    this.#suspendedAt = undefined;
    this.#asleep = [];
    this.#ends = [];
  }

  /** The process stands still: what falls due or arrives meanwhile waits for it. */
  stall(): void {
    if (this.isUp) this.#stalled = true;
  }

  /** The whole machine sleeps: the process stands still, and its monotonic clock as well, as Linux has it. */
  suspend(): void {
    if (!this.isUp || this.#stalled) return;
    this.#stalled = true;
    this.#suspendedAt = this.#timeline.now;
  }

  /** It goes on: first the timers that are overdue, then what lies in its sockets, and all else behind that. */
  resume(onAwake: () => void): void {
    if (!this.#stalled) return;
    if (this.#suspendedAt !== undefined) {
      this.#suspendedMs += this.#timeline.now - this.#suspendedAt;
      this.#suspendedAt = undefined;
      for (const wake of this.#asleep.splice(0)) wake();
    }
    this.#deferred.sort(
      (a, b) => Number(b.isTimer) - Number(a.isTimer) || (a.isTimer ? a.dueMs - b.dueMs : 0),
    );
    this.#deferred.unshift(...this.#ends.splice(0));
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

  /** Whether the whole machine sleeps: nothing reaches it then, as nothing in it takes it in. */
  get isSuspended(): boolean {
    return this.#suspendedAt !== undefined;
  }

  /**
   * Something that reaches the process from outside, now. The end of a connection that others gave up while the
   * machine slept is the first that it learns: what they sent before was never taken in.
   */
  deliver(run: () => void, { isEnd = false } = {}): void {
    if (!this.isUp) return;
    if (!this.#stalled) return run();
    const { life } = this;
    const late = (): void => {
      if (this.life === life && this.isUp) run();
    };
    const deferred = { run: late, isTimer: false, dueMs: this.#timeline.now };
    if (isEnd && this.isSuspended) this.#ends.push(deferred);
    else this.#deferred.push(deferred);
  }

  /** Something of the process itself (a disk that answers), after so long in true time. */
  later(delayMs: number, run: () => void): () => void {
    return this.#later(delayMs, run);
  }

  #later(delayMs: number, run: () => void): () => void {
    const { life } = this;
    let canceled = false;
    let sleptMs = this.#suspendedMs;
    const isOver = (): boolean => canceled || this.life !== life || !this.isUp;
    const fire = (): void => {
      if (isOver()) return;
      const owedMs = this.#suspendedMs - sleptMs;
      sleptMs = this.#suspendedMs;
      if (this.#suspendedAt !== undefined) {
        const restMs = this.#timeline.now - this.#suspendedAt + owedMs;
        this.#asleep.push(() => {
          sleptMs = this.#suspendedMs;
          this.#timeline.after(restMs, fire);
        });
        return;
      }
      if (owedMs > 0) {
        this.#timeline.after(owedMs, fire);
        return;
      }
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

  /** The node's own reckoning, over time awake that stands still in a sleep and an uptime that doesn't. */
  #withSleep(beginMs: number, awakeMs: () => number, onSlept: () => void): () => number {
    const uptime = (): number => (1e3 + (this.#timeline.now - beginMs) * this.faults.rate) / 1e3;
    const time = new SleepingTime({ uptime, awakeMs });
    return () => {
      const before = time.sleptMs;
      const nowMs = Math.round(time.now() * 1e3) / 1e3;
      if (time.sleptMs > before) onSlept();
      return nowMs;
    };
  }

  /** The clock as the process reads it. */
  clock(): Clock {
    const timeline = this.#timeline;
    const { faults } = this;
    const beginMs = timeline.now;
    // Each life has its own zero: nothing may be carried from one to the next by it.
    const awake = (): number => {
      const awakeMs = (this.#suspendedAt ?? timeline.now) - beginMs - this.#suspendedMs;
      return Math.round(1e6 + awakeMs * faults.rate * 1e3) / 1e3;
    };
    const now = this.#onSlept === undefined ? awake : this.#withSleep(beginMs, awake, this.#onSlept);
    // A microsecond more: no timer may fire before its time, or it would be set again for the same moment for ever.
    const wait = (delayMs: number, callback: () => void): (() => void) =>
      this.#later(delayMs / faults.rate + 0.001, callback);
    return {
      now,
      wallTime: () => WALL_BEGIN_MS + timeline.now + faults.wallOffsetMs,
      after: (delayMs, callback) => {
        // The node's clock is read for each timer, which may be when the sleep shows.
        now();
        return wait(delayMs, callback);
      },
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
        const cancel = wait(delayMs, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        signal?.addEventListener('abort', onAbort, { once: true });
        return promise;
      },
    };
  }
}
