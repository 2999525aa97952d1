/**
 * What the rest of the node may know of the machine's clock, timers, randomness and log. Production
 * implementations stand beside this file; tests and simulation bring their own.
 */

/** A monotonic clock with timers, and the wall clock for display only. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start; never goes back. */
  now(): number;
  /** Wall-clock milliseconds since 1970, for display: no decision may depend on it alone (DESIGN.md section 3). */
  wallTime(): number;
  /**
   * Calls `callback` once, when `now` has grown by `delayMs` or more; the returned function cancels it. Timers do not
   * keep the process alive.
   */
  after(delayMs: number, callback: () => void): () => void;
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted first. Keeps the process alive. */
  sleep(delayMs: number, options?: { signal?: AbortSignal }): Promise<void>;
}

/** The source of unpredictable bytes and names. */
export interface Random {
  /** `count` cryptographically strong bytes. */
  bytes(count: number): Uint8Array;
  /** A float in [0, 1). */
  float(): number;
  /** A short unpredictable lower-case name (base32, `length` characters, default 16), for ids and temporary files. */
  name(length?: number): string;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** A structured logger; `fields` must be JSON-serialisable. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** A logger whose lines also carry `fields` (for example `{ room: 'render' }`). */
  child(fields: Record<string, unknown>): Logger;
}

/** The last parameter of what can be given up. */
export interface SignalOption {
  readonly signal?: AbortSignal;
}

/** Something with a life. Start and stop are idempotent; stop awaits every loop the component supervises. */
export interface Startable {
  start(): Promise<void>;
  stop(): Promise<void>;
}
