import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from './interface.ts';

interface ManualTimer {
  readonly dueMs: number;
  /** Timers that are due together fire in the order in which they were set. */
  readonly sequence: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is told to go on: for tests and simulation. */
export class ManualClock implements Clock {
  #nowMs: number;
  #wallOffsetMs: number;
  #sequence = 0;
  readonly #timers = new Set<ManualTimer>();

  constructor(init: { nowMs?: number; wallTimeMs?: number } = {}) {
    this.#nowMs = init.nowMs ?? 0;
    this.#wallOffsetMs = (init.wallTimeMs ?? 1_700_000_000_000) - this.#nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wallTime(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  /** Shifts the wall clock alone, as a person or a time server does. */
  shiftWallTime(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(delayMs, 0), sequence: this.#sequence++, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  sleep(delayMs: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal?.aborted === true) {
      reject(signal.reason);
      return promise;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = this.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    return promise;
  }

  /** Timers that wait, sleeps included. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Goes on while nothing of the process runs: what falls due meanwhile fires late, when time is advanced next. */
  stall(byMs: number): void {
    this.#nowMs += byMs;
  }

  /** Goes on by `byMs`, firing what falls due on the way in order, also timers that are set on the way. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    while (this.#fireNext(untilMs));
    this.#nowMs = untilMs;
  }

  /** As `advance`, but lets promises settle after every timer, so that loops which sleep can go round. */
  async advanceSettled(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await turn();
    while (this.#fireNext(untilMs)) await turn();
    this.#nowMs = untilMs;
  }

  #fireNext(untilMs: number): boolean {
    let next: ManualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs > untilMs) continue;
      const earlier = next === undefined || timer.dueMs < next.dueMs;
      if (earlier || (timer.dueMs === next?.dueMs && timer.sequence < next.sequence)) next = timer;
    }
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#nowMs = Math.max(this.#nowMs, next.dueMs);
    next.callback();
    return true;
  }
}
