import { createLoopDelay, type LoopDelay } from '../../../node/src/system/metrics.ts';
import { rounded } from '../harness.ts';
import type { Looked } from './member.ts';

/** How late loops ran while something was moved: those of the members, and the one of this process, which rests. */
export interface Delays {
  /** The latest of all members, p99. */
  readonly loopDelayP99Ms: number;
  /** The same without what they waited for a processor; missing where the system doesn't count it. */
  readonly ownDelayP99Ms?: number;
  /** Of a process that does nothing beside them, p99. */
  readonly idleDelayP99Ms: number;
}

/** Measures this process's own loop until it is told the members' looks. */
export class RestingLoop {
  readonly #delay: LoopDelay = createLoopDelay();

  async start(): Promise<void> {
    await this.#delay.start();
    this.#delay.reset();
  }

  /** Since the start, or since it was asked last. */
  beside(looks: readonly Looked[]): Delays {
    const idleMs = this.#delay.percentileMs(99);
    this.#delay.reset();
    const own = looks.flatMap(({ ownDelayP99Ms }) => ownDelayP99Ms ?? []);
    return {
      loopDelayP99Ms: rounded(Math.max(...looks.map(({ loopDelayP99Ms }) => loopDelayP99Ms)), 1),
      ...(own.length > 0 && { ownDelayP99Ms: rounded(Math.max(...own), 1) }),
      idleDelayP99Ms: rounded(idleMs, 1),
    };
  }

  stop(): Promise<void> {
    return this.#delay.stop();
  }
}

/** In words, for people. */
export const saidOf = ({ loopDelayP99Ms, ownDelayP99Ms, idleDelayP99Ms }: Delays): string =>
  `Loop delay, p99: ${loopDelayP99Ms} ms in the latest node (${ownDelayP99Ms ?? 'not known'} ms by its own doing), ` +
  `${idleDelayP99Ms} ms in a process at rest beside them.`;
