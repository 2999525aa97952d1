import { electionDeadline } from './election.ts';
import { leaseDeadline } from './leases.ts';
import { speechDeadline } from './pulse.ts';
import { packDeadline } from './records-in.ts';
import type { BrainState } from './state.ts';
import { substitutesDeadline } from './substitutes.ts';

/** When the brain has something to do without an input; undefined where nothing is due. */
export function nextDeadline(state: BrainState): number | undefined {
  return earliest([
    leaseDeadline(state),
    electionDeadline(state),
    speechDeadline(state),
    state.worker.earlyDeadline(),
    substitutesDeadline(state),
    packDeadline(state),
  ]);
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined;
  for (const time of times) if (time !== undefined && (first === undefined || time < first)) first = time;
  return first;
}
