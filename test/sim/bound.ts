import {
  AWAY_CHECK_MS,
  defaultOptions,
  SCENE_PAUSE_MAX_MS,
  SUBSTITUTE_PAUSE_MS,
} from '../../node/src/core/options.ts';
import { defaultMeshLimits } from '../../node/src/mesh/limits.ts';
import { copyLimits } from '../../node/src/replicas/copy-limits.ts';
import { DIFFERENCE_MS } from '../../node/src/replicas/limits.ts';
import { workerLimits } from '../../node/src/worker/limits.ts';
import type { SimFarm } from './farm.ts';
import { FAULT_MS, LOOK_MS } from './worker.ts';

/** How long the farm may take once all is well: worked out from its own constants and from the work that is left. */

const { leaderlessMs, leaseMs, pulseIntervalMs, collectMs, renderAgainMs, attemptsMax } = defaultOptions;

/** Clocks are wrong by two in a hundred, and each step of a protocol waits for a disk and a few messages. */
const CLOCKS = 1.03;
const STEP_MS = 1_000;

/** After the healing: links come back, the dead ones are noticed, somebody leads, and what is known is told. */
export const SETTLE_MS =
  (defaultMeshLimits.silenceMs +
    defaultMeshLimits.connectMs +
    2 * defaultMeshLimits.pauseMaxMs +
    leaderlessMs +
    2 * leaseMs +
    DIFFERENCE_MS) *
    CLOCKS +
  3 * STEP_MS;

/**
 * Before the first grant: leases of before end, a coordinator collects, machines look at their disks again, and those that
 * got a scene from nobody try once more.
 */
const BEGIN_MS =
  leaseMs +
  pulseIntervalMs +
  collectMs +
  FAULT_MS +
  LOOK_MS +
  copyLimits.retryMs +
  workerLimits.sceneWaitMs +
  SCENE_PAUSE_MAX_MS;

/** Pauses after substitutes that failed grow from one such to four in the time of the faults. */
const SUBSTITUTES_MAX = 4;
/** From the grant of a task to its result in the records, beside the work itself. */
const OVERHEAD_MS = 200;
/** A task may take more than its nature says, by the machine's mood. */
const MOOD = 1.2;

/** What the work that is left may take at most: one machine does it all, with every attempt that a task may need. */
export function leftMs(farm: SimFarm): number {
  const { natures } = farm.workshop;
  let workMs = 0;
  for (const { taskMs, poison, flaky } of natures.values()) {
    for (const [index, ms] of taskMs.entries()) {
      const mayFail = flaky > 0 || poison.has(index);
      workMs += (mayFail ? attemptsMax : 1) * (ms * MOOD + OVERHEAD_MS);
    }
  }
  // Where there is one capable machine, what failed on it waits before it is tried there again.
  const pausesMs = defaultOptions.retryPausesMs.reduce((sum, ms) => sum + ms, 0);
  // What one machine alone held, and is out of reach, is rendered again once: and what is made from it after that.
  const againMs = renderAgainMs + AWAY_CHECK_MS + SUBSTITUTES_MAX * SUBSTITUTE_PAUSE_MS;
  return (BEGIN_MS + againMs + workMs + pausesMs * natures.size) * CLOCKS;
}
