import { DEPARTURE, heldOnlyBy, heldOnlyInAll, type HeldOnly, whyStuck } from '@cuadro/protocol/held-only';
import type { DepartureView, JobView, NodeView } from '@cuadro/protocol';
import { departureTerms } from '../departure-terms.ts';

/** How a machine stands that is to leave the farm (SPEC R162). */
export interface Leaving {
  /** Nobody takes what is left, for the reason in `message`; it goes on as soon as somebody does. */
  isBlocked: boolean;
  /** Results, scenes and plans, and logs that are still to be moved. */
  left: number;
  message: string;
}

/**
 * Undefined where it stays. This machine's own node tells it (`own`, once it was asked); of another, the records and
 * what it says of itself do.
 */
export function leavingOf(
  { peer, name, here, leaving, live }: NodeView,
  jobs: readonly JobView[],
  own: DepartureView | undefined,
): Leaving | undefined {
  if (!leaving) return undefined;
  const left = leftOf(heldOnlyBy(jobs, peer));
  if (here) {
    if (own === undefined || own.state === 'staying')
      return { isBlocked: false, left, message: DEPARTURE.looking };
    const { results, scenes, logs = 0 } = own.left;
    return { isBlocked: own.state === 'blocked', left: results + scenes + logs, message: own.message };
  }
  if (!live.reachable) return { isBlocked: true, left, message: departureTerms.unreachable(name) };
  const stuck = whyStuck(live.idleReason);
  return { isBlocked: stuck !== undefined, left, message: stuck ?? departureTerms.movesFrom(name) };
}

export function leftOf(held: readonly HeldOnly[]): number {
  return held.reduce((sum, { results, scene }) => sum + results + (scene ? 1 : 0), 0);
}

/** What a removal, or leaving, does with what only that machine holds. */
export interface Choice {
  /** Whether it may be done at once, and lose that. */
  mayLose: boolean;
  /** Nothing can be moved: at once is the only way. */
  mustLose: boolean;
}

/** As `cuadro leave` and `cuadro door remove` decide it. */
export function choiceOf(
  held: readonly HeldOnly[],
  {
    here,
    reachable,
    othersReachable,
    logs = 0,
  }: { here: boolean; reachable: boolean; othersReachable: boolean; logs?: number },
): Choice {
  if (here) return { mayLose: held.length + logs > 0 || !othersReachable, mustLose: !othersReachable };
  return { mayLose: held.length > 0, mustLose: held.length > 0 && !reachable };
}

/**
 * What only the machine holds, and what becomes of it; undefined where there is nothing to be said. Logs of failed
 * attempts are counted by the machine's own node alone.
 */
export function heldSentence(
  held: readonly HeldOnly[],
  { here, mustLose, logs = 0 }: { here: boolean; mustLose: boolean; logs?: number },
): string | undefined {
  const t = departureTerms;
  if (held.length + logs === 0) return here ? t.nothingHeld : undefined;
  const what = heldOnlyInAll(held, logs);
  // The jobs are listed below the sentence, those of logs alone not.
  const end = held.length > 0 ? ':' : '.';
  if (here) return `${mustLose ? t.heldAlone(what) : t.heldHere(what)}${end}`;
  return mustLose ? t.heldAway(what) : `${t.heldThere(what)}${end}`;
}
