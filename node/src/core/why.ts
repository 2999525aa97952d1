import {
  countingResult,
  heldBy,
  JOB_ENDS,
  jobControls,
  resultWithin,
  type TaskIndex,
} from '@cuadro/protocol';
import { machinesInOrder, whyNotAble, whyNotJob, whyNoWork } from './eligibility.ts';
import type { Job } from './job.ts';
import { isRunning, type Machine } from './machine.ts';
import { MACHINES_NAMED } from './options.ts';
import { isWithinReach } from './reach.ts';
import { failedOn } from './tasks.ts';
import type { BrainState } from './state.ts';

/** One sentence for each task that isn't running, and for each machine that isn't rendering. */

export function machineName(state: BrainState, peer: string): string {
  const name = state.members.get(peer)?.name.value;
  return name ?? (peer === state.self ? state.name : `…${peer.slice(-6)}`);
}

/** So many as a sentence names. */
const firstNames = (state: BrainState, machines: readonly Machine[]): string[] =>
  machines.slice(0, MACHINES_NAMED).map(({ peer }) => machineName(state, peer));

export function whyTask(state: BrainState, job: Job, index: TaskIndex): string {
  const own = job.table.state(index);
  if (own === 'rendered' || own === 'done') return withResult(state, job, index, own);
  if (own === 'failed') {
    return `It failed: ${job.table.effective(index)?.failed?.message ?? 'its attempts are used up.'}`;
  }
  if (own === 'skipped') return skipped(job, index);
  const why = running(state, job, index) ?? jobHolds(state, job) ?? whyOpen(state, job, index);
  // A result that no machine holds any more (SPEC R38).
  const lost = Object.keys(job.table.effective(index)?.results ?? {}).length > 0;
  return lost ? `It was rendered, and every copy is damaged or gone, so it is rendered again. ${why}` : why;
}

/** A result is there; who holds it may be out of reach (SPEC R59). */
function withResult(state: BrainState, job: Job, index: TaskIndex, own: 'rendered' | 'done'): string {
  const record = job.table.effective(index);
  const counting = record && countingResult(record);
  const atHand = record && resultWithin(record, (peer) => isWithinReach(state, peer));
  if (counting === undefined || counting === atHand) {
    // What was done once is so for good, also where one of its two machines gave its copy up.
    const isOnTwo = heldBy(counting?.holders ?? {}).length >= 2;
    return `It is ${own}; ${isOnTwo ? 'at least two machines hold' : 'one machine holds'} it.`;
  }
  const holders = heldBy(counting.holders).map((peer) => machineName(state, peer));
  const away = `${holders.join(' and ')}, which ${holders.length === 1 ? 'alone holds' : 'hold'} it, can't be reached`;
  if (atHand !== undefined) {
    return `It is ${own}; ${away}. What ${machineName(state, atHand.peer)} rendered stands in for it.`;
  }
  const again = running(state, job, index);
  const waits = holders.length === 1 ? 'It waits for that machine.' : 'It waits for one of them.';
  return `It is ${own}; ${away}. ${again === undefined ? waits : `It is rendered again: ${lowerFirst(again)}`}`;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

/** The first of what it is made from that nobody within reach holds, and who does. */
function whyInputAway(state: BrainState, job: Job, index: TaskIndex): string | undefined {
  const isAway = (input: TaskIndex): boolean => {
    const record = job.table.effective(input);
    return record !== undefined && resultWithin(record, (peer) => isWithinReach(state, peer)) === undefined;
  };
  for (const { start, count } of job.table.view?.dependencies(index) ?? []) {
    for (let input = start; input < start + count; input++) {
      if (!isAway(input)) continue;
      const holders = heldBy(job.result(input)?.holders ?? {}).map((peer) => machineName(state, peer));
      return `It waits for machine ${holders.join(' or ')}, which holds ${nameOf(job, input)} and can't be reached.`;
    }
  }
  return undefined;
}

function nameOf(job: Job, index: TaskIndex): string {
  return job.table.view?.task(index)?.name ?? `task #${index}`;
}

function skipped(job: Job, index: TaskIndex): string {
  const failed = job.table.findInput(index, (state) => state === 'failed');
  if (failed !== undefined) return `It needs ${nameOf(job, failed)}, which failed.`;
  const other = job.table.findInput(index, (state) => state === 'skipped');
  return other === undefined ? 'It is skipped.' : `It needs ${nameOf(job, other)}, which is skipped.`;
}

function running(state: BrainState, job: Job, index: TaskIndex): string | undefined {
  const lease = job.leases.get(index);
  const machine = lease && state.machines.get(lease.peer);
  if (lease === undefined || machine === undefined) return undefined;
  const name = machineName(state, lease.peer);
  return isRunning(machine, lease) ? `It runs on ${name}.` : `It is next on ${name}.`;
}

function jobHolds(state: BrainState, job: Job): string | undefined {
  if (JOB_ENDS.has(job.state)) {
    const because = job.reason === undefined ? '' : ` ${job.reason}`;
    return `It was not begun before its job was ${job.state === 'failed' ? 'given up' : job.state}.${because}`;
  }
  if (job.state === 'paused' && job.reason !== undefined) return job.reason;
  if (job.state === 'paused') return 'Its job is paused: what runs is finished, nothing new begins.';
  if (job.state === 'waiting') return withJobNames(state, job, job.reason ?? 'Its job waits for another.');
  return job.hasPlan ? undefined : "It waits for the job's plan, which isn't on this machine yet.";
}

/** A reason names the job that is waited for by its id, as every machine derives it; people know its number and name. */
export function withJobNames(state: BrainState, { record }: Job, reason: string): string {
  return record.spec.after.reduce((text, id) => {
    const awaited = state.jobs.get(id)?.record;
    if (awaited === undefined) return text;
    return text.replace(`job ${id}`, () => `job #${awaited.spec.order} ${jobControls(awaited).name}`);
  }, reason);
}

function whyOpen(state: BrainState, job: Job, index: TaskIndex): string {
  const missing = job.table.inputsMissing(index);
  if (missing > 0) {
    const first = job.table.findInput(index, (input) => input === 'open');
    const name = first === undefined ? 'others' : nameOf(job, first);
    return missing === 1 ? `It waits for ${name}.` : `It waits for ${missing} tasks, first ${name}.`;
  }
  const away = whyInputAway(state, job, index);
  if (away !== undefined) return away;
  const task = job.table.view?.task(index);
  if (task === undefined) return "It is in no place of the job's plan.";
  const reasons: string[] = [];
  const busy: Machine[] = [];
  for (const machine of machinesInOrder(state)) {
    // A removed machine is none of the farm any more, so nobody waits for it.
    if (state.isRemoved(machine.peer) && machine.peer !== state.self) continue;
    const why =
      whyNoWork(state, machine) ??
      whyNotAble(state, machine, job, task.requires) ??
      whyNotJob(state, machine, job);
    if (why === undefined) busy.push(machine);
    else reasons.push(`${machineName(state, machine.peer)}: ${why}`);
  }
  if (busy.length > 0) return whyQueued(state, job, index, busy);
  if (reasons.length === 0) return 'No machine is here to run it.';
  const shown = reasons.slice(0, MACHINES_NAMED).join(' ');
  const more = reasons.length - MACHINES_NAMED;
  return `No machine can run it now. ${shown}${more > 0 ? ` And ${more} more.` : ''}`;
}

function whyQueued(state: BrainState, job: Job, index: TaskIndex, able: Machine[]): string {
  const failed = failedOn(job.table.effective(index));
  const others = able.filter((machine) => !failed.includes(machine.peer));
  if (failed.length > 0 && others.length > 0) {
    const names = firstNames(state, others);
    return `It failed on ${machineName(state, failed[0] as string)} and waits for another machine: ${names.join(', ')}.`;
  }
  const pause = (job.pauses.get(index) ?? 0) - state.now;
  if (failed.length > 0 && pause > 0) {
    return `It failed and is tried again in ${Math.ceil(pause / 1_000)} s; no other machine can run it.`;
  }
  const free = able.filter(({ leases, claim }) => claim !== undefined && leases.size < claim.slots);
  return free.length === 0
    ? 'It is in the queue: all machines that can run it are at work.'
    : whyNotGranted(state, free);
}

/** Machines have places left and could run it: then it is for the coordinator to grant it (SPEC R142). */
function whyNotGranted(state: BrainState, free: Machine[]): string {
  const named = firstNames(state, free);
  const more = free.length - named.length;
  const names = `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  const { coordinator } = state;
  const by =
    coordinator === undefined
      ? 'no machine coordinates the farm now'
      : `${machineName(state, coordinator.peer)}, which coordinates the farm, has not granted it yet`;
  return `It is in the queue: ${by}. Free to run it: ${names}.`;
}

/** Why a machine isn't rendering; undefined while it is. */
export function whyIdle(state: BrainState, machine: Machine): string | undefined {
  for (const lease of machine.leases.values()) if (isRunning(machine, lease)) return undefined;
  const refusal = whyNoWork(state, machine);
  if (refusal !== undefined) return refusal;
  if (machine.claim?.slots === 0) return 'It has no slots.';
  const [job] = state.offers;
  if (job === undefined) return nothingToDo(state);
  for (const offered of state.offers) {
    const why = whyNotOffered(state, machine, offered);
    if (why !== undefined) return why;
  }
  return 'All tasks are taken or wait for others.';
}

function whyNotOffered(state: BrainState, machine: Machine, job: Job): string | undefined {
  const name = job.record.control.name?.value ?? job.record.spec.name;
  const ofJob = whyNotJob(state, machine, job);
  if (ofJob !== undefined) return `For the job ${name}: ${ofJob}`;
  const groups = job.table.view?.plan.groups ?? [];
  for (const [group, { requires }] of groups.entries()) {
    if (job.table.openIn(group) === 0 || job.table.isBlocked(group)) continue;
    const why = whyNotAble(state, machine, job, requires);
    if (why !== undefined) return `For the job ${name}: ${why}`;
  }
  return undefined;
}

function nothingToDo(state: BrainState): string {
  let paused = false;
  for (const job of state.jobs.values()) {
    if (job.state === 'queued' || job.state === 'active') {
      return job.hasPlan
        ? 'Every task of the jobs is taken or waits for others.'
        : "It waits for a job's plan, which isn't here yet.";
    }
    paused ||= job.state === 'paused';
  }
  return paused ? 'The jobs that are left are paused.' : 'There is nothing to render.';
}
