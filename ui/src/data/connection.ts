import type { LiveEvent } from '@cuadro/protocol';
import { routeAddress } from './client.ts';
import { RETRY_FIRST_MS, RETRY_MAX_MS } from './limits.ts';

export interface ConnectionListener {
  /** The stream is open. `resumed` is false where everything must be read anew. */
  opened(resumed: boolean): void;
  event(event: LiveEvent): void;
  /** The stream broke; it is tried again in `retryMs`. */
  lost(retryMs: number): void;
}

/**
 * The one stream of live events. The browser's own reconnecting gives up on refusals, so it is done here: with
 * growing waits, and with the last id seen, so that a short break loses nothing.
 */
export class Connection {
  readonly #listener: ConnectionListener;
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #retryMs = RETRY_FIRST_MS;
  #lastId = '';
  #stopped = true;

  constructor(listener: ConnectionListener) {
    this.#listener = listener;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#open();
    addEventListener('online', this.retryNow);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#source?.close();
    removeEventListener('online', this.retryNow);
  }

  /** The state that ids refer to is no longer held: the next stream starts from the beginning. */
  forget(): void {
    this.#lastId = '';
  }

  retryNow = (): void => {
    if (this.#stopped || this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#open();
  };

  #open(): void {
    this.#timer = undefined;
    const resumes = this.#lastId !== '';
    const source = new EventSource(
      routeAddress('events', {}, { lastEventId: resumes ? this.#lastId : undefined }),
    );
    this.#source = source;
    source.addEventListener('hello', (message) => {
      this.#retryMs = RETRY_FIRST_MS;
      this.#lastId = message.lastEventId;
      this.#listener.opened(resumes);
    });
    source.addEventListener('message', (message: MessageEvent<string>) => {
      this.#lastId = message.lastEventId;
      this.#listener.event(JSON.parse(message.data) as LiveEvent);
    });
    source.addEventListener('error', () => {
      source.close();
      if (this.#stopped || this.#source !== source) return;
      this.#timer = setTimeout(() => this.#open(), this.#retryMs);
      this.#listener.lost(this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
    });
  }
}
