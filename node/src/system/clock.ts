import { uptime } from 'node:os';
import { setTimeout as sleepFor } from 'node:timers/promises';
import type { Clock } from './interface.ts';

/** The longest delay that a Node timer takes (2^31 - 1 ms, 24.8 days); a longer one would fire at once. */
const timerDelayMaxMs = 2_147_483_647;

/** How often the system is asked whether it slept; once a second costs nothing. */
const lookEveryMs = 1_000;

/** The system's uptime is told in hundredths of a second, or in whole ones: less than this is no sleep. */
const sleepMinMs = 2_500;

/** Where time comes from: seconds since the system started, and milliseconds that stand still while it sleeps. */
export interface TimeSources {
  uptime(): number;
  awakeMs(): number;
}

/**
 * Monotonic time that counts a suspended machine's sleep. Linux's monotonic clock, which Node tells, stands still
 * meanwhile: a laptop would wake and take what it knew for news. So the sleep is added as soon as it shows.
 */
export class SleepingTime {
  readonly #sources: TimeSources;
  #sleptMs = 0;
  #lookedAtMs: number;
  /** How far the uptime was ahead of the time awake when it was last looked at. */
  #aheadMs: number;

  constructor(sources: TimeSources) {
    this.#sources = sources;
    this.#lookedAtMs = sources.awakeMs();
    this.#aheadMs = sources.uptime() * 1_000 - this.#lookedAtMs;
  }

  /** The sleep that has shown so far. */
  get sleptMs(): number {
    return this.#sleptMs;
  }

  now(): number {
    const awakeMs = this.#sources.awakeMs();
    if (awakeMs - this.#lookedAtMs >= lookEveryMs) this.#look(awakeMs);
    return awakeMs + this.#sleptMs;
  }

  #look(awakeMs: number): void {
    this.#lookedAtMs = awakeMs;
    const aheadMs = this.#sources.uptime() * 1_000 - awakeMs;
    const sleptMs = aheadMs - this.#aheadMs;
    if (Math.abs(sleptMs) < sleepMinMs) return;
    this.#aheadMs = aheadMs;
    // A system whose uptime follows its wall clock may step back; time here never does.
    if (sleptMs > 0) this.#sleptMs += sleptMs;
  }
}

/** The clock of this machine: monotonic time, a suspended machine's sleep included, and Node's timers. */
export function createSystemClock(
  sources: TimeSources = { uptime, awakeMs: () => performance.now() },
): Clock {
  return new SystemClock(sources);
}

class SystemClock implements Clock {
  readonly #time: SleepingTime;

  constructor(sources: TimeSources) {
    this.#time = new SleepingTime(sources);
  }

  now(): number {
    return this.#time.now();
  }

  wallTime(): number {
    return Date.now();
  }

  after(delayMs: number, callback: () => void): () => void {
    const due = this.now() + delayMs;
    let timer: NodeJS.Timeout;
    // Node's timers count whole milliseconds, and fire up to one too early by this clock.
    const look = (): void => (this.now() < due ? arm() : callback());
    const arm = (): void => {
      timer = setTimeout(look, this.#stepMs(due));
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  }

  async sleep(delayMs: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    const due = this.now() + delayMs;
    try {
      do await sleepFor(this.#stepMs(due), undefined, signal === undefined ? {} : { signal });
      while (this.now() < due);
    } catch (error) {
      // Node rejects with an AbortError of its own; callers compare with the reason that they gave.
      signal?.throwIfAborted();
      throw error;
    }
  }

  /** What one timer waits of the time until then, in the whole milliseconds that it counts. */
  #stepMs(due: number): number {
    return Math.min(Math.ceil(Math.max(due - this.now(), 0)), timerDelayMaxMs);
  }
}
