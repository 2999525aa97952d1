import type { ReactiveController, ReactiveControllerHost } from 'lit';
import { ALARM_AFTER_MS } from './limits.ts';

/**
 * Shows good news at once and bad news only when it lasts: every frame is on one machine only until a moment later a
 * second one has it, and a page that said so each time would flicker.
 */
export class Settled<T> implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #isGood: (value: T) => boolean;
  #shown: { of: string; value: T } | undefined;
  #lasts = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: ReactiveControllerHost, isGood: (value: T) => boolean) {
    this.#host = host;
    this.#isGood = isGood;
    host.addController(this);
  }

  hostDisconnected(): void {
    this.#calm();
    this.#shown = undefined;
  }

  /** What to show of something while this is so; of something else nothing is known yet. */
  show(of: string, value: T): T {
    if (this.#shown?.of !== of) this.hostDisconnected();
    if (this.#isGood(value)) this.#calm();
    else if (this.#shown !== undefined && !this.#lasts) {
      this.#timer ??= setTimeout(() => {
        this.#lasts = true;
        this.#host.requestUpdate();
      }, ALARM_AFTER_MS);
      return this.#shown.value;
    } else this.#lasts = true;
    this.#shown = { of, value };
    return value;
  }

  #calm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lasts = false;
  }
}
