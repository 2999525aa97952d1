/** Judges silence: a pure counter that a stalled event loop of our own can't mislead. */

export type Verdict = 'alive' | 'silent' | 'no-progress' | 'slow-start';

export interface WatchLimits {
  readonly startMs: number;
  readonly silenceMs: number;
  readonly progressSilenceMs: number;
  readonly watchEveryMs: number;
}

/**
 * Time is counted in ticks of our own, each at most twice as long as planned. After a stall of this process, or
 * a night of sleep, what was said meanwhile is still unread: the gap must not count against Blender.
 */
export class Watch {
  #silentMs = 0;
  #stuckMs = 0;
  #lastTick: number;
  readonly #limits: WatchLimits;

  constructor(now: number, limits: WatchLimits) {
    this.#lastTick = now;
    this.#limits = limits;
  }

  get silentMs(): number {
    return this.#silentMs;
  }

  get stuckMs(): number {
    return this.#stuckMs;
  }

  /** A heartbeat: the process lives. */
  beat(): void {
    this.#silentMs = 0;
  }

  /** Output, or an answer: the render moves. */
  progress(): void {
    this.#silentMs = 0;
    this.#stuckMs = 0;
  }

  tick(now: number, state: 'starting' | 'busy' | 'idle'): Verdict {
    const elapsed = Math.min(now - this.#lastTick, this.#limits.watchEveryMs * 2);
    this.#lastTick = now;
    this.#silentMs += elapsed;
    this.#stuckMs = state === 'idle' ? 0 : this.#stuckMs + elapsed;
    if (state === 'starting') return this.#stuckMs > this.#limits.startMs ? 'slow-start' : 'alive';
    if (this.#silentMs > this.#limits.silenceMs) return 'silent';
    return this.#stuckMs > this.#limits.progressSilenceMs ? 'no-progress' : 'alive';
  }
}
