import { compareText } from '@cuadro/protocol';
import { whyNotAble, whyNotJob, whyNoWork, isCapableElsewhere } from './eligibility.ts';
import type { Job } from './job.ts';
import { grantTask } from './leases.ts';
import type { Machine } from './machine.ts';
import type { BrainState } from './state.ts';

/**
 * Who is granted what next (SPEC R50): the first job in order that has a task for the machine. Running places are
 * filled on all machines before anything is granted ahead, one task at a time in turn, so that none gets a second
 * while another has none.
 */
export function grantAll(state: BrainState): void {
  const { reign } = state;
  if (reign.role !== 'leading' || reign.collecting !== undefined || state.inDoubt) return;
  for (const pauseEnd of pausesEnded(state)) if (pauseEnd <= state.now) state.offersChanged();
  if (state.offers.length === 0) return;
  const hungry: Machine[] = [];
  for (const machine of state.holders.withRoom) {
    if (machine.dryAt !== state.offersVersion) hungry.push(machine);
  }
  if (hungry.length === 0) return;
  const machines = hungry.sort((a, b) => compareText(a.peer, b.peer));
  grantInTurn(state, machines, (machine) => machine.claim?.slots ?? 0);
  grantInTurn(state, machines, (machine) => machine.claim?.wants ?? 0);
}

function* pausesEnded(state: BrainState): Generator<number> {
  for (let end = state.pauses.peek(); end !== undefined && end <= state.now; end = state.pauses.peek()) {
    state.pauses.pop();
    yield end;
  }
}

function grantInTurn(state: BrainState, machines: Machine[], limit: (machine: Machine) => number): void {
  let left = machines;
  while (left.length > 0) {
    left = left.filter((machine) => {
      if (machine.leases.size >= Math.min(limit(machine), machine.claim?.wants ?? 0)) return false;
      if (machine.dryAt === state.offersVersion) return false;
      if (grantNext(state, machine)) return true;
      machine.dryAt = state.offersVersion;
      return false;
    });
  }
}

function grantNext(state: BrainState, machine: Machine): boolean {
  if (whyNoWork(state, machine) !== undefined) return false;
  for (let place = 0; place < state.offers.length; place++) {
    const job = state.offers[place] as Job;
    const index = pickTask(state, machine, job);
    if (index !== undefined) {
      grantTask(state, machine, job, index);
      return true;
    }
    if (job.isDry()) {
      state.withdraw(job);
      place--;
    }
  }
  return false;
}

function pickTask(state: BrainState, machine: Machine, job: Job): number | undefined {
  if (whyNotJob(state, machine, job) !== undefined) return undefined;
  const groups = job.table.view?.plan.groups ?? [];
  for (const [group, { requires }] of groups.entries()) {
    const queue = job.queue(group);
    if (queue === undefined || job.isBlocked(group)) continue;
    if (whyNotAble(state, machine, job, requires) !== undefined) continue;
    const mayRepeat = (failedOn: ReadonlySet<string>) => !isCapableElsewhere(state, job, requires, failedOn);
    const index = queue.pick(machine.peer, mayRepeat, state.now);
    if (index !== undefined) return index;
  }
  return undefined;
}
