interface Event {
  readonly at: number;
  /** Events of one moment happen in the order in which they were planned. */
  readonly order: number;
  run: (() => void) | undefined;
}

/** Events by time, the earliest on top. Made for them alone: the comparing function of a general heap cost 3 % of a run. */
class Agenda {
  readonly #events: Event[] = [];

  peek(): Event | undefined {
    return this.#events[0];
  }

  push(event: Event): void {
    const events = this.#events;
    let place = events.length;
    events.push(event);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = events[above] as Event;
      if (!isBefore(event, parent)) break;
      events[place] = parent;
      place = above;
    }
    events[place] = event;
  }

  pop(): void {
    const events = this.#events;
    const last = events.pop();
    const { length } = events;
    if (last === undefined || length === 0) return;
    let place = 0;
    for (let below = 1; below < length; below = 2 * place + 1) {
      const right = below + 1;
      if (right < length && isBefore(events[right] as Event, events[below] as Event)) below = right;
      const child = events[below] as Event;
      if (!isBefore(child, last)) break;
      events[place] = child;
      place = below;
    }
    events[place] = last;
  }
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Steps that are planned at once: between two of them promises settle, and the host's loop turns once for all. */
const STEPS_PER_TURN = 64;
/**
 * And not beyond so much virtual time, in milliseconds: what a node leaves to the next turn of the loop would else wait
 * for the next 64 events, which in a quiet farm are seconds apart.
 */
const TURN_MS = 1;
/** In so much virtual time no more events than this happen, unless there are hundreds of nodes to simulate. */
const WINDOW_MS = 20;
const WINDOW_EVENTS_MAX = 15_000;

/**
 * Virtual time: events in order, and between any two of them everything that promises owe each other. Nothing here
 * waits for real time, a thread or a socket, so a run is the same each time.
 */
export class Timeline {
  now = 0;
  events = 0;
  #order = 0;
  readonly #agenda = new Agenda();
  #failure: { error: unknown } | undefined;
  #windowAt = 0;
  #windowEvents = 0;
  readonly #windowEventsMax: number;

  constructor(init: { windowEventsMax?: number } = {}) {
    this.#windowEventsMax = init.windowEventsMax ?? WINDOW_EVENTS_MAX;
  }

  /** Plans an event; the function that comes back takes it off again. */
  after(delayMs: number, run: () => void): () => void {
    const event: Event = { at: this.now + Math.max(0, delayMs), order: this.#order++, run };
    this.#agenda.push(event);
    return () => {
      event.run = undefined;
    };
  }

  /** Ends the run with an error, from wherever it shows: the first one counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Lets time pass until `until`, or until something ends it early. */
  async run(until: number, isOver: () => boolean = () => false): Promise<void> {
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      let over = false;
      let turnUntil = Number.POSITIVE_INFINITY;
      const step = (): void => {
        if (over || (this.#agenda.peek()?.at ?? 0) > turnUntil) return;
        over = this.#failure !== undefined || isOver() || !this.#step(until);
        if (turnUntil === Number.POSITIVE_INFINITY) turnUntil = this.now + TURN_MS;
      };
      for (let i = 0; i < STEPS_PER_TURN; i++) setImmediate(step);
      setImmediate(() => resolve(over));
      if (await promise) break;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    if (!isOver()) this.now = Math.max(this.now, until);
  }

  /** A node that asks to be woken for what has passed would go round in one moment for ever. */
  #assertPasses(): void {
    if (this.now - this.#windowAt > WINDOW_MS) {
      this.#windowAt = this.now;
      this.#windowEvents = this.events;
    } else if (this.events - this.#windowEvents > this.#windowEventsMax)
      this.fail(
        new Error(`More than ${this.#windowEventsMax} events within ${WINDOW_MS} ms: something spins.`),
      );
  }

  /** Runs the next event; false where none is due any more. */
  #step(until: number): boolean {
    for (;;) {
      const event = this.#agenda.peek();
      if (event === undefined || event.at > until) return false;
      this.#agenda.pop();
      if (event.run === undefined) continue;
      this.now = event.at;
      this.events += 1;
      this.#assertPasses();
      try {
        event.run();
      } catch (error) {
        this.fail(error);
      }
      return true;
    }
  }
}
