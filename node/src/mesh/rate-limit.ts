import type { Clock } from '../system/interface.ts';

export interface RateLimitInit {
  readonly burst: number;
  readonly perSecond: number;
  readonly keysMax: number;
}

/** Token buckets by key: each may spend `burst` at once and regains `perSecond`. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #init: RateLimitInit;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(clock: Clock, init: RateLimitInit) {
    this.#clock = clock;
    this.#init = init;
  }

  /** Whether `key` may do it once more now. */
  take(key: string): boolean {
    const { burst, perSecond, keysMax } = this.#init;
    const nowMs = this.#clock.now();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, atMs: nowMs };
    const regained = ((nowMs - bucket.atMs) / 1_000) * perSecond;
    const tokens = Math.min(burst, bucket.tokens + regained);
    // Moved to the end, so that the longest unheard is forgotten first.
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: Math.max(tokens - 1, Math.min(tokens, 0)), atMs: nowMs });
    const oldest = this.#buckets.keys().next().value;
    if (this.#buckets.size > keysMax && oldest !== undefined) this.#buckets.delete(oldest);
    return tokens >= 1;
  }
}
