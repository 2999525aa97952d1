import { setTimeout as sleepFor } from 'node:timers/promises';
import type { Clock } from './interface.ts';

/** The longest delay that a Node timer takes (2^31 - 1 ms, 24.8 days); a longer one would fire at once. */
const timerDelayMaxMs = 2_147_483_647;

/** The clock of this machine: monotonic time of the process, Node's timers. */
export function createSystemClock(): Clock {
  return new SystemClock();
}

class SystemClock implements Clock {
  now(): number {
    return performance.now();
  }

  wallTime(): number {
    return Date.now();
  }

  after(delayMs: number, callback: () => void): () => void {
    const due = this.now() + delayMs;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const leftMs = due - this.now();
      const stepMs = Math.min(Math.max(leftMs, 0), timerDelayMaxMs);
      timer = setTimeout(leftMs > timerDelayMaxMs ? arm : callback, stepMs);
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  }

  async sleep(delayMs: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    let leftMs = Math.max(delayMs, 0);
    try {
      do {
        const stepMs = Math.min(leftMs, timerDelayMaxMs);
        await sleepFor(stepMs, undefined, signal === undefined ? {} : { signal });
        leftMs -= stepMs;
      } while (leftMs > 0);
    } catch (error) {
      // Node rejects with an AbortError of its own; callers compare with the reason that they gave.
      signal?.throwIfAborted();
      throw error;
    }
  }
}
