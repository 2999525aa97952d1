import { StartFailedError } from './errors.ts';
import type { Clock, Logger, Startable } from './interface.ts';

/** One part of the node, with the name that logs and errors use. */
export interface LifecyclePart {
  readonly name: string;
  readonly component: Startable;
}

/**
 * How long a component may take to stop before the next one is stopped all the same. 10 s: flushing a database
 * and ending Blender take well under 2 s; more means that something hangs, and the rest must still be saved.
 */
const stopTimeoutMs = 10_000;

/**
 * Signals closer together than this are one: npm passes a Ctrl-C on to its child, which has had it from the
 * terminal already. 250 ms is longer than that takes and shorter than a person's second thought.
 */
const sameSignalMs = 250;

/**
 * Starts parts in order and stops those that started in reverse. Both are idempotent and may be called at any
 * time: `stop` during `start` lets the part that is starting finish, and starts no more.
 */
export function createLifecycle(
  components: { clock: Clock; logger: Logger },
  init: { parts: readonly LifecyclePart[]; stopTimeoutMs?: number },
): Startable {
  return new Lifecycle(components, init);
}

class Lifecycle implements Startable {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #parts: readonly LifecyclePart[];
  readonly #stopTimeoutMs: number;
  readonly #started: LifecyclePart[] = [];
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(
    components: { clock: Clock; logger: Logger },
    init: { parts: readonly LifecyclePart[]; stopTimeoutMs?: number },
  ) {
    this.#clock = components.clock;
    this.#logger = components.logger;
    this.#parts = init.parts;
    this.#stopTimeoutMs = init.stopTimeoutMs ?? stopTimeoutMs;
  }

  start(): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping.then(() => this.start());
    this.#starting ??= this.#startAll();
    return this.#starting;
  }

  async #startAll(): Promise<void> {
    for (const part of this.#parts) {
      if (this.#stopping !== undefined) return;
      try {
        await part.component.start();
      } catch (cause) {
        // The failed one is stopped too: it may have opened something before it failed.
        this.#started.push(part);
        await this.#stopAll();
        this.#starting = undefined;
        throw new StartFailedError(part.name, { cause });
      }
      this.#started.push(part);
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopOnce().finally(() => {
      this.#stopping = undefined;
      this.#starting = undefined;
    });
    return this.#stopping;
  }

  async #stopOnce(): Promise<void> {
    // Yields first, so that a start in progress sees that it should go no further.
    await this.#starting?.catch(() => undefined);
    await this.#stopAll();
  }

  async #stopAll(): Promise<void> {
    for (let part = this.#started.pop(); part !== undefined; part = this.#started.pop()) {
      const { name } = part;
      const late = Promise.withResolvers<void>();
      const cancel = this.#clock.after(this.#stopTimeoutMs, () => {
        this.#logger.error('A part of the node did not stop in time; going on without it.', { part: name });
        late.resolve();
      });
      try {
        await Promise.race([part.component.stop(), late.promise]);
      } catch (error) {
        // One part that fails to stop must not keep the others from saving what they hold.
        this.#logger.error('A part of the node failed to stop.', { part: name, error });
      } finally {
        cancel();
      }
    }
  }
}

/** What `handleSignals` needs of `process`; tests bring their own. */
export interface SignalSource {
  on(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
}

export interface SignalActions {
  /** The first Ctrl-C or SIGTERM: begin an ordered stop. */
  readonly onStop: () => void;
  /** The second: leave at once; all that was acknowledged is on disk already. */
  readonly onForce: () => void;
}

/**
 * Ctrl-C or SIGTERM once stops in order, twice at once. A closed terminal (SIGHUP) changes nothing: a render that
 * was started in the evening goes on through the night, and the dashboard still reaches the node. Writing to the
 * vanished terminal then fails, so failures of standard output and error are swallowed here too.
 * Returns a function that removes the handlers.
 */
export function handleSignals(
  components: { clock: Clock; logger: Logger; source: SignalSource; outputs?: readonly SignalSource[] },
  actions: SignalActions,
): () => void {
  const { clock, logger, source, outputs = [] } = components;
  let askedMs: number | undefined;
  const onStop = (): void => {
    if (askedMs === undefined) {
      askedMs = clock.now();
      actions.onStop();
    } else if (clock.now() - askedMs >= sameSignalMs) {
      actions.onForce();
    }
  };
  const onHangUp = (): void => logger.info('The terminal was closed; the node goes on.');
  const onOutputError = (): void => undefined;
  source.on('SIGINT', onStop);
  source.on('SIGTERM', onStop);
  source.on('SIGHUP', onHangUp);
  for (const output of outputs) output.on('error', onOutputError);
  return () => {
    source.off('SIGINT', onStop);
    source.off('SIGTERM', onStop);
    source.off('SIGHUP', onHangUp);
    for (const output of outputs) output.off('error', onOutputError);
  };
}
