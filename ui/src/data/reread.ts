import type { ReactiveController } from 'lit';
import { store } from './controller.ts';
import type { Topic } from './store.ts';

export interface RereadInit<View> {
  readonly topics: readonly Topic[];
  readonly everyMs: number;
  readonly read: () => Promise<View>;
  readonly take: (view: View) => void;
}

/**
 * Reads what an element shows when it comes onto the page, and anew after each change of a topic: once in `everyMs` at
 * most, so that nothing is asked in vain. Where two readings overlap, the answer to the newer one counts.
 */
export class Reread<View> implements ReactiveController {
  readonly #init: RereadInit<View>;
  #end: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #readAt = 0;
  #reading = 0;

  constructor(init: RereadInit<View>) {
    this.#init = init;
  }

  hostConnected(): void {
    this.#end = this.#init.topics.map((topic) => store.watch(topic, () => this.#soon()));
    void this.now();
  }

  hostDisconnected(): void {
    for (const end of this.#end) end();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #soon(): void {
    if (this.#timer !== undefined) return;
    const waitMs = Math.max(0, this.#readAt + this.#init.everyMs - performance.now());
    this.#timer = setTimeout(() => void this.now(), waitMs);
  }

  async now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#readAt = performance.now();
    const reading = ++this.#reading;
    try {
      const view = await this.#init.read();
      if (reading === this.#reading) this.#init.take(view);
    } catch {
      // The connection's own state says what is wrong.
    }
  }
}
