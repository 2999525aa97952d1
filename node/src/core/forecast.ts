import type { Job } from './job.ts';
import type { BrainState } from './state.ts';
import { isCapable } from './eligibility.ts';

/**
 * Milliseconds until a job is through, from the median of its own render times and the places that can take its
 * tasks now (live). Undefined until one of its kind of task has ended, or while nobody can run it.
 */
export function remainingMs(state: BrainState, job: Job): number | undefined {
  const groups = job.table.view?.plan.groups ?? [];
  let total = 0;
  for (const [group, { requires }] of groups.entries()) {
    const open = job.table.openIn(group);
    if (open === 0) continue;
    const median = job.medianMs(group);
    // A group of one (the film) has no median before its end; its share is small and is left out.
    if (median === undefined && group > 0) continue;
    let slots = 0;
    for (const machine of state.machines.values()) {
      if (isCapable(state, machine, job, requires)) slots += machine.claim?.slots ?? 0;
    }
    if (median === undefined || slots === 0) return undefined;
    total += ((open - startedShare(job, group)) * median) / slots;
  }
  return Math.max(0, Math.round(total));
}

/** Sum of the shares already done of the tasks that run. */
function startedShare(job: Job, group: number): number {
  let share = 0;
  for (const lease of job.leases.values()) if (lease.group === group) share += lease.fraction;
  return share;
}
