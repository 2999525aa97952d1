import {
  mergeRecords,
  PlanView,
  recordKey,
  taskKey,
  type BlobHash,
  type JobId,
  type JobRecord,
  type KnownRecord,
  type NodeRecord,
  type PeerId,
  type Plan,
  type TaskRecord,
} from '@cuadro/protocol';
import type { Job, JobListener } from './job.ts';
import { judgeMerged } from './failure-policy.ts';
import { placeListed, releaseLease, takeBack } from './leases.ts';
import { takeBackFrom, takeBackJob } from './taking-back.ts';
import { PACK_EVERY_MS, PLAN_FIRST_TASKS } from './options.ts';
import { noticeSetAside, stopLosers } from './results.ts';
import type { Lease, Machine } from './machine.ts';
import { lookAt } from './substitutes.ts';
import type { BrainState } from './state.ts';
import { HELD_MAX, TaskRecords } from './task-records.ts';
import { withoutRemovedJob, withoutRemovedTask } from './withdrawals.ts';

/** Records come in by merging only (SPEC R20); what changed is made durable and derived anew. */

export function takeRecord(state: BrainState, record: KnownRecord): void {
  switch (record.kind) {
    case 'farm':
      takeFarm(state, record);
      return;
    case 'member':
      if (!takeInto(state, state.members, record.peer, record)) return;
      state.membersChanged();
      tellMachine(state, record.peer);
      return;
    case 'node':
      if (takeInto(state, state.nodes, record.peer, record)) nodeChanged(state, record);
      return;
    case 'job':
      takeJob(state, record);
      return;
    case 'task':
      takeTask(state, record);
      return;
    case 'diary':
      if (takeInto(state, state.diaries, recordKey(record), record)) state.out.diary = true;
  }
}

function takeFarm(state: BrainState, record: Extract<KnownRecord, { kind: 'farm' }>): void {
  const { farm } = state;
  const isOther = farm !== undefined && farm.id !== record.id;
  if (isOther) {
    // A node is in one farm, and leaves it only for the one that it dissolved into (SPEC R66).
    if (farm.mergedInto?.value !== record.id) {
      state.ignore('wrong-record');
      return;
    }
    state.out.removed.add(recordKey(farm));
    state.out.persist.delete(recordKey(farm));
  }
  const merged = farm === undefined || isOther ? record : mergeRecords(farm, record);
  if (merged === farm) return;
  state.farm = merged;
  state.membersChanged();
  state.out.persist.set(recordKey(merged), merged);
  state.out.farm = true;
}

/**
 * Who is out counts for nothing any more (SPEC R191), and what removed machines hold is withdrawn (R24). Called once all
 * is in that came together: a removal may take effect by the record of its author, and not by that of its machine.
 */
export function partFromOthers(state: BrainState): void {
  for (const machine of state.machines.values()) if (state.isOut(machine.peer)) part(state, machine);
  // Whether anybody stands for a job follows from who is in (SPEC R143).
  const members = new Set([state.self, ...state.others()]);
  for (const job of state.jobs.values())
    if (job.reason !== undefined || !members.has(job.record.spec.author)) state.touch(job);
  if (state.newlyRemoved().length === 0) return;
  for (const job of [...state.jobs.values()]) {
    takeJob(state, job.record);
    for (const task of job.table.records.values()) takeTask(state, task);
  }
  for (const tasks of [...state.orphans.values()]) for (const task of tasks.values()) takeTask(state, task);
}

/** What it holds is taken back, and what it said as a follower is void: its connection may still stand. */
function part(state: BrainState, machine: Machine): void {
  takeBackFrom(state, machine.peer, 'all', 'This machine is no member of the farm any more.');
  // It is heard no more, so it will not say that it has stopped.
  for (const lease of [...machine.leases.values()]) releaseLease(state, machine, lease);
  delete machine.followsSince;
  delete machine.isProven;
  delete machine.unplaced;
}

function takeInto<R extends KnownRecord>(
  state: BrainState,
  known: Map<string, R>,
  key: string,
  record: R,
): boolean {
  const before = known.get(key);
  const merged = before === undefined ? record : mergeRecords(before, record);
  if (merged === before) return false;
  known.set(key, merged);
  state.out.persist.set(recordKey(merged), merged);
  return true;
}

function tellMachine(state: BrainState, peer: PeerId): void {
  state.out.node(peer);
  state.out.farm = true;
}

function nodeChanged(state: BrainState, record: NodeRecord): void {
  tellMachine(state, record.peer);
  state.offersChanged();
  const { effective } = state.desiredOf(record.peer);
  if (effective === 'paused') {
    const why = state.isLeaving(record.peer) ? 'leaves the farm' : 'was paused';
    takeBackFrom(state, record.peer, 'all', `This machine ${why}.`);
  }
  if (effective === 'draining') {
    takeBackFrom(state, record.peer, 'ahead', 'This machine only ends what it runs.');
  }
}

function takeJob(state: BrainState, record: JobRecord): void {
  const { id } = record;
  const job = state.jobs.get(id);
  const before = job?.record ?? state.tombstones.get(id);
  const known = before === undefined ? record : mergeRecords(before, record);
  const merged = state.isLoading ? known : withoutRemovedJob(known, state.removed());
  state.highestOrder = Math.max(state.highestOrder, merged.spec.order);
  if (merged === before) return;
  state.out.persist.set(recordKey(merged), merged);
  if (merged.deleted !== undefined) bury(state, merged);
  else if (job === undefined) addJob(state, merged);
  else if (job.record.spec.plan !== merged.spec.plan) replaceJob(state, job, merged);
  else changeJob(state, job, merged);
}

function addJob(state: BrainState, record: JobRecord): Job {
  const job = state.createJob(record, jobListener(state));
  if (state.isLoading) job.table.records.hold();
  for (const task of state.orphans.get(record.id)?.values() ?? []) job.put(task);
  state.orphans.delete(record.id);
  // Those that came before their job were judged by nobody here.
  if (state.epoch !== undefined)
    for (const index of job.table.records.failed()) judgeMerged(state, job, index);
  askPlan(state, job);
  state.touchWaiting(job.id);
  return job;
}

export function askPlan(state: BrainState, job: Job): void {
  state.out.effects.push({ kind: 'need-plan', job: job.id, plan: job.record.spec.plan });
}

/** A submitter that signed two specs under one id: the greater stands everywhere, and its plan with it. */
function replaceJob(state: BrainState, job: Job, record: JobRecord): void {
  takeBackJob(state, job, 'all', 'The job was replaced.');
  state.withdraw(job);
  state.orphans.set(job.id, job.table.records);
  addJob(state, record);
}

function changeJob(state: BrainState, job: Job, record: JobRecord): void {
  const priority = job.priority;
  job.setRecord(record);
  state.touch(job);
  stopOlderLevels(state, job);
  if (job.priority !== priority) state.withdraw(job);
  // Limits and requests may let machines have what they could not.
  state.offersChanged();
  state.placeOffer(job, true);
}

/** A redo discards what is being made as well; a retry only forgets failures, so what runs may go on. */
function stopOlderLevels(state: BrainState, job: Job): void {
  for (const lease of [...job.leases.values()]) stopOlderLevel(state, job, lease);
}

function stopOlderLevel(state: BrainState, job: Job, lease: Lease): void {
  if (lease.redo < job.table.levels(lease.index).redo) takeBack(state, lease, 'It is to be made again.');
}

/** A deleted job: its tombstone stays, its tasks are absorbed (SPEC R34). */
function bury(state: BrainState, record: JobRecord): void {
  const job = state.jobs.get(record.id);
  const isNews = !state.tombstones.has(record.id);
  state.tombstones.set(record.id, record);
  const tasks = job?.table.records ?? state.orphans.get(record.id);
  for (const index of tasks?.keys() ?? []) {
    const key = taskKey(record.id, index);
    state.out.removed.add(key);
    state.out.persist.delete(key);
  }
  state.orphans.delete(record.id);
  if (job !== undefined) {
    takeBackJob(state, job, 'all', 'The job was deleted.');
    state.withdraw(job);
    state.jobs.delete(record.id);
  }
  if (!isNews) return;
  state.out.jobRemoved(record.id);
  state.out.farm = true;
  state.touchWaiting(record.id);
}

function takeTask(state: BrainState, record: TaskRecord): void {
  if (state.tombstones.has(record.job)) {
    // Its job is deleted: the record is absorbed, also where it is still stored.
    state.out.removed.add(recordKey(record));
    return;
  }
  const job = state.jobs.get(record.job);
  const known = job?.table.records ?? orphansOf(state, record.job);
  const before = known.get(record.index);
  const joined = before === undefined ? record : mergeRecords(before, record);
  // Where the newcomer holds all of it, it stands itself: its bytes are known already, those of a new object aren't.
  const hasAll = before !== undefined && joined !== before && mergeRecords(record, before) === record;
  const met = hasAll ? record : joined;
  const merged = state.isLoading ? met : withoutRemovedTask(met, state.removed());
  if (merged === before) return;
  if (!state.isLoading) state.out.persist.set(recordKey(merged), merged);
  if (job === undefined) {
    known.set(record.index, merged);
    return;
  }
  if (state.isLoading) {
    job.load(merged);
    return;
  }
  job.put(merged);
  state.touch(job);
  if (job.spoiled.size > 0) noticeSetAside(state, job);
  endToldAttempt(state, job, merged);
  if (state.epoch !== undefined) judgeMerged(state, job, record.index);
  stopLosers(state, job, record.index);
  const lease = job.leases.get(record.index);
  if (lease !== undefined) stopOlderLevel(state, job, lease);
}

/** The record may come before the word of the machine that ran the attempt. */
function endToldAttempt(state: BrainState, job: Job, { index, results, failures }: TaskRecord): void {
  const lease = job.leases.get(index);
  const machine = lease && state.machines.get(lease.peer);
  if (lease === undefined || machine === undefined || lease.peer === state.self) return;
  if (Object.hasOwn(results, lease.key) || Object.hasOwn(failures, lease.key)) {
    releaseLease(state, machine, lease);
  }
}

function orphansOf(state: BrainState, job: JobId): TaskRecords {
  const orphans = state.orphans.get(job) ?? new TaskRecords();
  state.orphans.set(job, orphans);
  return orphans;
}

/** Plans of large jobs that spare much where they come before the tasks. */
export function wantedPlans(state: BrainState): { job: JobId; plan: BlobHash }[] {
  const large = [...state.jobs.values()].filter(
    ({ record, hasPlan }) => !hasPlan && record.spec.tasks >= PLAN_FIRST_TASKS,
  );
  return large.map(({ id, record }) => ({ job: id, plan: record.spec.plan }));
}

/** A plan that was asked for. One that makes no sense is counted; its job goes on waiting and says so. */
export function takePlan(state: BrainState, id: JobId, plan: Plan): void {
  const job = state.jobs.get(id);
  if (job === undefined || job.hasPlan) return;
  try {
    // Checked apart, so that a bad plan leaves the job as it was.
    void new PlanView(plan);
  } catch {
    state.ignore('bad-plan');
    return;
  }
  job.setPlan(plan);
  if (!state.isLoading) planTaken(state, job);
  // Its tasks are still to come, and each is looked at once: of very many none stays an object for long.
  else if (job.record.spec.tasks > HELD_MAX) job.table.records.release();
}

/** The plan and the stored tasks of a job are there. */
export function planTaken(state: BrainState, job: Job): void {
  placeListed(state, job);
  if (job.table.records.release()) state.packing.add(job);
  state.touch(job);
  state.placeOffer(job, true);
}

function jobListener(state: BrainState): JobListener {
  return {
    taskChanged: (job, index) => {
      if (!state.isLoading) state.out.task(job.id, index);
      state.touch(job);
      lookAt(state, job, index);
    },
    offered: (job) => {
      // It gets its place when all is there.
      if (state.isLoading) return;
      state.offersChanged();
      state.placeOffer(job, true);
    },
    inputsGone: (_job, leases) => {
      for (const lease of leases) takeBack(state, lease, 'What it is made from is being made again.');
    },
  };
}

/** A start leaves many records as objects: they are packed one bucket after the other, and everything else in between. */
export function packSome(state: BrainState): void {
  if (state.packing.size === 0 || state.now < state.packedAt + PACK_EVERY_MS) return;
  state.packedAt = state.now;
  for (const job of state.packing) {
    if (state.jobs.get(job.id) !== job || !job.table.records.packSome()) state.packing.delete(job);
    return;
  }
}

/** When the next bucket is packed. */
export function packDeadline(state: BrainState): number | undefined {
  return state.packing.size === 0 ? undefined : state.packedAt + PACK_EVERY_MS;
}
