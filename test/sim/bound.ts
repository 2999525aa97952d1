import { JOB_ENDS, type JobRecord } from '@cuadro/protocol';
import {
  AWAY_CHECK_MS,
  defaultOptions,
  SCENE_PAUSE_MAX_MS,
  SUBSTITUTE_PAUSE_MS,
} from '../../node/src/core/options.ts';
import { defaultMeshLimits } from '../../node/src/mesh/limits.ts';
import { copyLimits, defaultDepartureOptions } from '../../node/src/replicas/copy-limits.ts';
import { DIFFERENCE_MS } from '../../node/src/replicas/limits.ts';
import { workerLimits } from '../../node/src/worker/limits.ts';
import { counting, filesOf, redoAsked, retryAsked } from './checkers/rules.ts';
import type { SimFarm } from './farm.ts';
import type { Leavers } from './leavers.ts';
import type { Machine } from './machine.ts';
import { isGood, jobOn, knowsThatItIsOut, taskOn } from './on-disk.ts';
import { FAULT_MS, LOOK_MS } from './worker.ts';
import type { Nature } from './workshop.ts';

/** How long the farm may take once all is well: worked out from its own constants and from the work that is left. */

const { leaderlessMs, leaseMs, pulseIntervalMs, collectMs, renderAgainMs, substituteMs } = defaultOptions;
const { attemptsMax, retryPausesMs } = defaultOptions;

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

/** Records come to be the same everywhere within so long, and then nothing happens for as long. */
const REST_MS = 2 * 5_000;
/** Before the first grant: leases of before end, a coordinator collects, and machines look at their disks again. */
const BEGIN_MS = leaseMs + pulseIntervalMs + collectMs + FAULT_MS + LOOK_MS + copyLimits.retryMs + REST_MS;
/** Machines that got a scene from nobody try once more. */
const SCENE_MS = workerLimits.sceneWaitMs + SCENE_PAUSE_MAX_MS;
/** Pauses after substitutes that failed grow from one such to four in the time of the faults. */
const SUBSTITUTES_MAX = 4;
/** What one machine alone held, and is out of reach, is rendered again, and what is made from it after that. */
const AWAY_MS = renderAgainMs + AWAY_CHECK_MS;
/**
 * What two held takes longer. Two are out of reach at once where one has left and only the other, which is left off,
 * has heard that: to all others it is a member that may come back.
 */
const AWAY_ON_TWO_MS = substituteMs + AWAY_CHECK_MS;
/** And where that has failed by chance, its pauses pass. */
const SUBSTITUTES_MS = SUBSTITUTES_MAX * SUBSTITUTE_PAUSE_MS;
/** Who leaves is looked after: two rounds of asking, and whoever waits has it stay where nobody takes anything. */
const LEAVE_MS = 2 * defaultDepartureOptions.stuckMs + 2 * copyLimits.fullPauseMs;
/** From the grant of a task to its result in the records, beside the work itself. */
const OVERHEAD_MS = 200;
/** A task may take more than its nature says, by the machine's mood. */
const MOOD = 1.2;

/** What the work that is left may take at most: one machine does it all, with every attempt that a task may need. */
export function leftMs(farm: SimFarm, leavers: Pick<Leavers, 'isUnderWay'>): number {
  let leftMs = BEGIN_MS;
  let isSceneLeft = false;
  let isAway = false;
  let isAwayOnTwo = false;
  for (const [id, nature] of farm.workshop.natures) {
    const job = jobEverywhere(farm, id);
    if (job === undefined || job.deleted !== undefined || isOver(farm, id)) continue;
    const tasks = nature.taskMs.map((ms, index) => ({ ms, index, has: stateOf(farm, job, index) }));
    isAway ||= tasks.some(({ has }) => has === 'away' || has === 'away on two');
    isAwayOnTwo ||= tasks.some(({ has }) => has === 'away on two');
    const open = tasks.filter(({ has }) => has !== 'ended');
    if (open.length === 0) continue;
    isSceneLeft ||= job.spec.bundle !== undefined;
    for (const { ms, index } of open) leftMs += attemptsOf(nature, index) * (ms * MOOD + OVERHEAD_MS);
    // Where there is one capable machine, what failed on it waits before it is tried there again.
    if (open.some(({ index }) => attemptsOf(nature, index) > 1))
      leftMs += retryPausesMs.reduce((sum, ms) => sum + ms, 0);
  }
  const isMissing = farm.machines.some(({ isOff, isGone, isRemoved }) => isOff || isGone || isRemoved);
  if (isSceneLeft) leftMs += SCENE_MS;
  if (isAway || isMissing) leftMs += AWAY_MS;
  if (isAwayOnTwo) leftMs += AWAY_ON_TWO_MS;
  if (isAway) leftMs += SUBSTITUTES_MS;
  if (leavers.isUnderWay) leftMs += LEAVE_MS;
  return leftMs * CLOCKS;
}

/** Whatever chance decided before the healing may still fail, or take its machine down, once more. */
function attemptsOf({ poison, flaky, killers }: Nature, index: number): number {
  if (poison.has(index)) return attemptsMax;
  return flaky > 0 || killers.has(index) ? 2 : 1;
}

/** What all machines that are there know of a job together, as far as tasks depend on it. */
function jobEverywhere(farm: SimFarm, id: string): JobRecord | undefined {
  const jobs = farm.up().flatMap((machine) => jobOn(machine, id) ?? []);
  const [first] = jobs;
  if (first === undefined) return undefined;
  const requests = Object.assign({}, ...jobs.map((job) => job.requests)) as JobRecord['requests'];
  const deleted = jobs.find((job) => job.deleted !== undefined)?.deleted;
  return { ...first, requests, ...(deleted !== undefined && { deleted }) };
}

/** Nobody wants the rest of it, as all that know it see it; what is done may have to be done again. */
function isOver(farm: SimFarm, id: string): boolean {
  const states = farm.up().flatMap(({ queries }) => queries?.job(id)?.state ?? []);
  return states.every((state) => JOB_ENDS.has(state) && state !== 'done');
}

/** `away`: it has a result that none of those that are there holds, but others, as one of them knows. */
function stateOf(farm: SimFarm, job: JobRecord, index: number): 'ended' | 'away' | 'away on two' | 'open' {
  const up = farm.up();
  let away: 'away' | 'away on two' | undefined;
  for (const machine of up) {
    const task = taskOn(machine, job.id, index);
    if (task === undefined || task.redo < redoAsked(job, index)) continue;
    const result = counting(task, job);
    if (result !== undefined) {
      const files = filesOf(result);
      const holds = ({ peer }: Machine): boolean => result.holders[peer]?.held === true;
      if (up.some((one) => holds(one) && files.every((hash) => isGood(one, hash)))) return 'ended';
      const others = farm.machines.filter((one) => holds(one) && !knowsThatItIsOut(machine, one));
      if (others.length > 1) away = 'away on two';
      else away ??= 'away';
    } else if (task.failed !== undefined && task.retry >= retryAsked(job, index)) return 'ended';
  }
  return away ?? 'open';
}
