import type { ReactiveController, ReactiveControllerHost } from 'lit';
import { LiveStore, type Topic } from './store.ts';

/** The page's one store; its elements reach it through `Watch`. */
export const store = new LiveStore();

/**
 * Binds an element to topics of the live store: it is updated after each change of one of them. The topics are
 * asked for before each update, since they may follow from the element's properties.
 */
export class Watch implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #topics: () => readonly Topic[];
  #watched = new Map<Topic, () => void>();
  #connected = false;

  constructor(host: ReactiveControllerHost, topics: () => readonly Topic[]) {
    this.#host = host;
    this.#topics = topics;
  }

  hostConnected(): void {
    this.#connected = true;
    this.#follow();
  }

  hostUpdate(): void {
    if (this.#connected) this.#follow();
  }

  hostDisconnected(): void {
    this.#connected = false;
    for (const end of this.#watched.values()) end();
    this.#watched.clear();
  }

  #follow(): void {
    const wanted = new Set(this.#topics());
    for (const [topic, end] of this.#watched) {
      if (wanted.has(topic)) continue;
      end();
      this.#watched.delete(topic);
    }
    for (const topic of wanted) {
      if (!this.#watched.has(topic))
        this.#watched.set(
          topic,
          store.watch(topic, () => this.#host.requestUpdate()),
        );
    }
  }
}
