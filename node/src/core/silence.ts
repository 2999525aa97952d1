import type { PeerId } from '@cuadro/protocol';
import { DOUBTS_ASKED } from './options.ts';
import type { Following } from './reign.ts';
import type { BrainState } from './state.ts';

/**
 * A coordinator that falls silent while its connection seems to stand: a pulled cable resets nothing, and it takes a
 * connection's monitor seconds more to notice than the pulse (SPEC R105). Silence heard by one node alone proves
 * nothing, so it asks others whether they hear it, too.
 */

/** Whether the followed coordinator is lost from here: cut off, or not heard for three pulses. */
export function isLost(state: BrainState, reign: Following): boolean {
  const { pulseIntervalMs, pulsesMissedMax } = state.options;
  return reign.cutAt !== undefined || state.now - reign.heardAt >= pulseIntervalMs * pulsesMissedMax;
}

/** All that were asked have answered that they lost it, too. */
export function othersLostIt({ asked }: Following): boolean {
  return asked.size > 0 && [...asked.values()].every((lost) => lost === true);
}

export function askOthers(state: BrainState, reign: Following): void {
  reign.asked.clear();
  reign.askedAt = state.now;
  for (const other of askable(state, reign).slice(0, DOUBTS_ASKED)) {
    reign.asked.set(other, undefined);
    state.out.send(other, { kind: 'doubt', epoch: reign.epoch });
  }
}

function askable(state: BrainState, reign: Following): PeerId[] {
  return state.reachableOthers().filter((other) => other !== reign.epoch.peer);
}

function mayAsk(state: BrainState, reign: Following): boolean {
  return state.reachableOthers().some((other) => other !== reign.epoch.peer);
}

/** When this node asks about a silence; undefined where it would not stand, or a cut has told more. */
export function doubtAt(state: BrainState, reign: Following): number | undefined {
  if (reign.cutAt !== undefined || !reign.successors.includes(state.self)) return undefined;
  if (!mayAsk(state, reign)) return undefined;
  const { pulseIntervalMs, pulsesBeforeDoubt, pulsesMissedMax } = state.options;
  const first = reign.heardAt + pulseIntervalMs * pulsesBeforeDoubt;
  // Whoever heard the coordinator a little later than this node is asked once more.
  const again = (reign.askedAt ?? Number.NEGATIVE_INFINITY) + pulseIntervalMs * pulsesMissedMax;
  return Math.max(first, again);
}

export function doubtInSilence(state: BrainState, reign: Following): void {
  const at = doubtAt(state, reign);
  if (at !== undefined && at <= state.now) askOthers(state, reign);
}

/**
 * Since when silence alone is reason enough for the first successor: those that were asked hear nothing either. One
 * that doesn't answer, since it went with the coordinator, is waited for as long as one pulse.
 */
export function silenceConfirmedAt(state: BrainState, reign: Following): number {
  const { pulseIntervalMs, pulsesBeforeLoneDoubt } = state.options;
  if (!mayAsk(state, reign)) return reign.heardAt + pulseIntervalMs * pulsesBeforeLoneDoubt;
  const answers = [...reign.asked.values()].filter((lost) => lost !== undefined);
  if (reign.askedAt === undefined || answers.length === 0 || answers.includes(false)) {
    return Number.POSITIVE_INFINITY;
  }
  return answers.length === reign.asked.size ? reign.askedAt : reign.askedAt + pulseIntervalMs;
}
