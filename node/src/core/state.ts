import {
  compareText,
  isUnclaimed,
  jobState,
  leavingOf,
  members,
  type Beacon,
  type DiaryRecord,
  type Epoch,
  type FarmMember,
  type FarmMembers,
  type FarmRecord,
  type JobId,
  type JobRecord,
  type MemberRecord,
  type NodeDesired,
  type NodeRecord,
  type PeerId,
} from '@cuadro/protocol';
import { Heap } from './heap.ts';
import { LeaseHolders } from './lease-holders.ts';
import type { CoreInit, CoreOptions } from './interface.ts';
import { compareJobs, Job, type JobListener } from './job.ts';
import { newMachine, type Machine } from './machine.ts';
import { defaultOptions, ENDS_TOLD_MS } from './options.ts';
import type { PastReign, Reign } from './reign.ts';
import { StepOutput } from './step-output.ts';
import type { TaskRecords } from './task-records.ts';
import { WorkerSide } from './worker-side.ts';

/** Why the brain had no use for something; counted, and never an error (DESIGN.md section 10). */
export type IgnoredReason =
  | 'unknown-job'
  | 'unknown-task'
  | 'unknown-attempt'
  | 'stale-level'
  | 'task-ended'
  | 'stale-claim'
  | 'stale-epoch'
  | 'foreign-sender'
  | 'foreign-coordinator'
  | 'bad-plan'
  | 'wrong-record'
  | 'no-member';

/**
 * What the brain held against another machine: its beacons came to be late (SPEC R106), it was not heard until its
 * leases ended (R52), what it ran was lost (R53), it led and was lost (R44). Right or wrong is for others to judge.
 */
export type Accusation = 'late' | 'silent' | 'lost-attempt' | 'lost-coordinator';

/** States in which tasks of a job may be granted. */
const GRANTING: ReadonlySet<string> = new Set(['queued', 'active']);

interface Membership {
  readonly members: ReadonlyMap<PeerId, FarmMember>;
  /** Members without this machine. */
  readonly others: readonly PeerId[];
  readonly removed: ReadonlySet<PeerId>;
  readonly isRemovedHere: boolean;
  /** As derived; undefined where this machine is in no farm. */
  readonly who: FarmMembers | undefined;
}

/**
 * Everything that the brain knows. Its parts (records, leases, results, scheduler…) are functions over it; what
 * one step does gathers in `out` until the step ends.
 */
export class BrainState {
  readonly self: PeerId;
  readonly name: string;
  readonly options: CoreOptions;
  now = 0;
  /** Latest wall-clock time seen, for display in what the core itself writes. */
  wallTime = 0;
  readonly worker: WorkerSide;
  started = false;
  startedAt = 0;
  reign: Reign = { role: 'looking', since: 0, metAt: undefined };
  /** The reign of this node while it leads. */
  epoch: Epoch | undefined;
  /** The highest term that is durable here or about to be. */
  highestTerm = 0;
  sequence = 0;
  /** Of this machine's own latest claim, and of its latest beacon. */
  claimSequence = 0;
  beaconSequence = 0;
  /** Monotonic time at which a coordinator was last heard. */
  ledAt: number | undefined;
  readonly history: PastReign[] = [];
  /** After a gap in its own time a node hears a member before it stands, grants or accuses (DESIGN.md section 4). */
  inDoubt = false;
  readonly #connected = new Set<PeerId>();
  /** What was decided from this monotonic time on has not been said yet: it waits for a write. */
  unsaidSince: number | undefined;
  /** Digest of this node's records. */
  root: string | undefined;
  farm: FarmRecord | undefined;
  readonly members = new Map<PeerId, MemberRecord>();
  readonly nodes = new Map<PeerId, NodeRecord>();
  /** Pages of the machines' diaries by their keys: kept and passed on, and nothing follows from them. */
  readonly diaries = new Map<string, DiaryRecord>();
  readonly jobs = new Map<JobId, Job>();
  /** Jobs with results out of reach; kept while this node leads (SPEC R59). */
  readonly awayJobs = new Set<Job>();
  /** Deleted jobs: only their tombstone is left. */
  readonly tombstones = new Map<JobId, JobRecord>();
  /** Tasks whose job's record has not arrived yet. */
  readonly orphans = new Map<JobId, TaskRecords>();
  readonly machines = new Map<PeerId, Machine>();
  readonly holders: LeaseHolders;
  /** Jobs with tasks to grant, in the order of granting. */
  readonly offers: Job[] = [];
  /** Rises whenever a machine that found nothing might now find something. */
  offersVersion = 0;
  /** Ends of pauses between attempts. */
  readonly pauses = new Heap<number>((a, b) => a - b);
  readonly ignoredCounts: Partial<Record<IgnoredReason, number>> = {};
  readonly accusedCounts: Partial<Record<Accusation, number>> = {};
  highestOrder = 0;
  out = new StepOutput();
  /** While what was stored comes in: nothing of it is to be written again, and tasks are derived once, at the end. */
  isLoading = false;
  /** Jobs whose records are being packed. */
  readonly packing = new Set<Job>();
  packedAt = 0;
  readonly #waiting = new Map<JobId, Set<JobId>>();
  readonly #touched = new Set<Job>();
  #members: Membership | undefined;
  #partedFrom: ReadonlySet<PeerId> = new Set();
  #reachable: readonly PeerId[] | undefined;
  #rank: number | undefined;

  constructor(init: Omit<CoreInit, 'records' | 'term'>) {
    this.self = init.self;
    this.name = init.name;
    this.worker = new WorkerSide(init.self);
    this.holders = new LeaseHolders(init.self);
    this.options = { ...defaultOptions, ...init.options };
  }

  ignore(reason: IgnoredReason): void {
    this.ignoredCounts[reason] = (this.ignoredCounts[reason] ?? 0) + 1;
  }

  accuse(of: Accusation): void {
    this.accusedCounts[of] = (this.accusedCounts[of] ?? 0) + 1;
  }

  machine(peer: PeerId): Machine {
    let machine = this.machines.get(peer);
    if (machine === undefined) {
      machine = newMachine(peer, this.now, peer === this.self);
      this.machines.set(peer, machine);
      // Until now it counted as out of reach since the reign began: what it holds is to be looked at once more.
      if (this.reign.role === 'leading')
        this.reign.holdersCheckAt = Math.min(this.reign.holdersCheckAt, this.now + this.options.holderAwayMs);
      this.out.node(peer);
    }
    return machine;
  }

  /** All other members of the farm (SPEC R63): derived anew after a change of the farm or member records. */
  others(): readonly PeerId[] {
    return this.#membership().others;
  }

  /** Other machines that were removed from the farm (SPEC R64). */
  removed(): ReadonlySet<PeerId> {
    return this.#membership().removed;
  }

  /** Those of them that were none when this was asked last. */
  newlyRemoved(): PeerId[] {
    const removed = this.removed();
    const fresh = [...removed].filter((peer) => !this.#partedFrom.has(peer));
    this.#partedFrom = removed;
    return fresh;
  }

  /** Whether it was a member and was removed, for good (SPEC R64); this machine included. */
  isRemoved(peer: PeerId): boolean {
    const { removed, isRemovedHere } = this.#membership();
    return removed.has(peer) || (isRemovedHere && peer === this.self);
  }

  /** Whether another machine was let in once and is no member now: removed, or let in by one that was (SPEC R64, R129). */
  isOut(peer: PeerId): boolean {
    if (peer === this.self || this.farm === undefined || !this.members.has(peer)) return false;
    return !this.#membership().members.has(peer);
  }

  /** Whether nobody of the farm stands for a job, so that it is not rendered (SPEC R143). */
  isUnclaimed({ record }: Job): boolean {
    const { who } = this.#membership();
    return who !== undefined && isUnclaimed(record, who);
  }

  /** Whether what a machine says is taken: what one that is out said before its connection ended may still come in (R191). */
  hears(peer: PeerId): boolean {
    const isOut = this.isOut(peer);
    if (isOut) this.ignore('no-member');
    return !isOut;
  }

  /** Whether a machine is about to leave the farm, as its record says (SPEC R161). */
  isLeaving(peer: PeerId): boolean {
    return leavingOf(this.#membership().members, this.nodes.get(peer)) !== undefined;
  }

  /** The farm's or a member's record changed. */
  membersChanged(): void {
    this.#members = undefined;
    this.#forgetReachable();
    this.out.members = true;
  }

  #membership(): Membership {
    if (this.#members !== undefined) return this.#members;
    const { farm, self } = this;
    const who = farm === undefined ? undefined : members(farm, this.members.values());
    const isOther = (peer: PeerId): boolean => peer !== self;
    this.#members = {
      members: who?.members ?? new Map(),
      others: [...(who?.members.keys() ?? [])].filter(isOther),
      removed: new Set([...(who?.removed.keys() ?? [])].filter(isOther)),
      isRemovedHere: who?.removed.has(self) === true,
      who,
    };
    return this.#members;
  }

  /** Members with a direct connection. */
  get connected(): ReadonlySet<PeerId> {
    return this.#connected;
  }

  connectionChanged(peer: PeerId, isThere: boolean): void {
    if (isThere) this.#connected.add(peer);
    else this.#connected.delete(peer);
    this.#forgetReachable();
  }

  #forgetReachable(): void {
    this.#reachable = undefined;
    this.#rank = undefined;
  }

  /** Kept until a connection or the membership changes: every step asks for them, and a farm may have a thousand. */
  reachableOthers(): readonly PeerId[] {
    this.#reachable ??= this.others().filter((peer) => this.#connected.has(peer));
    return this.#reachable;
  }

  /** Members that this node reaches and that come before it by their peer ids. */
  rankAmongReachable(): number {
    this.#rank ??= this.reachableOthers().filter((peer) => compareText(peer, this.self) < 0).length;
    return this.#rank;
  }

  /** The coordinator that this node leads as or follows. */
  get coordinator(): Epoch | undefined {
    return this.reign.role === 'looking' ? undefined : this.reign.epoch;
  }

  /** Tells a member what this machine can do, and how its latest attempts ended. */
  sayClaim(to: PeerId): void {
    const claim = this.machines.get(this.self)?.claim;
    if (claim !== undefined) this.out.send(to, claim);
    for (const end of this.worker.endsSince(this.now - ENDS_TOLD_MS)) this.out.send(to, end);
  }

  sayBeacon(to: PeerId): void {
    this.out.send(to, this.beacon());
  }

  beacon(): Beacon {
    const machine = this.machine(this.self);
    return {
      kind: 'beacon',
      peer: this.self,
      ...(this.coordinator !== undefined && { follows: this.coordinator }),
      held: this.worker.listed(machine.claim?.slots ?? 0),
      load: machine.load,
      freeDiskBytes: machine.freeDiskBytes,
      sequence: ++this.beaconSequence,
      ...(this.root !== undefined && { root: this.root }),
    };
  }

  /** Every machine's view may have changed. */
  tellNodes(): void {
    for (const peer of this.machines.keys()) this.out.node(peer);
  }

  /** The stricter of what the farm and what its owner want of a machine (SPEC R37). */
  desiredOf(peer: PeerId): { desired: NodeDesired; ownerDesired: NodeDesired; effective: NodeDesired } {
    const fields = this.nodes.get(peer)?.fields;
    const desired = fields?.desired?.value ?? 'active';
    const owners = fields?.ownerDesired;
    // Only the machine itself speaks for its owner.
    const ownerDesired = owners?.peer === peer ? owners.value : 'active';
    const strictness: NodeDesired[] = ['active', 'draining', 'paused'];
    const stricter = strictness.indexOf(desired) > strictness.indexOf(ownerDesired) ? desired : ownerDesired;
    // What it began would only be one thing more that it alone holds (SPEC R161).
    const effective = this.isLeaving(peer) ? 'paused' : stricter;
    return { desired, ownerDesired, effective };
  }

  createJob(record: JobRecord, listener: JobListener): Job {
    const job = new Job(record, listener);
    this.jobs.set(job.id, job);
    for (const awaited of record.spec.after) {
      const waiting = this.#waiting.get(awaited) ?? new Set();
      this.#waiting.set(awaited, waiting.add(job.id));
    }
    this.touch(job);
    return job;
  }

  /** A job's counts or record changed: its state is derived anew when the step settles. */
  touch(job: Job): void {
    this.#touched.add(job);
  }

  /** Jobs that wait for this one derive anew too: it changed or came to be known. */
  touchWaiting(id: JobId): void {
    for (const waiting of this.#waiting.get(id) ?? []) {
      const job = this.jobs.get(waiting);
      if (job !== undefined) this.touch(job);
    }
  }

  /** Derives the states of touched jobs; `ended` is told of each that may no longer run what it runs. */
  settle(stateChanged: (job: Job) => void): void {
    for (const job of this.#touched) {
      this.#touched.delete(job);
      const isUnclaimed = this.isUnclaimed(job);
      const derived = jobState(job.record, job.table.counts, (id) => this.stateOfJob(id), isUnclaimed);
      this.out.job(job.id);
      const changed = job.state !== derived.state;
      job.state = derived.state;
      job.reason = derived.reason;
      this.placeOffer(job, changed || job.offered);
      if (!changed) continue;
      this.out.farm = true;
      this.touchWaiting(job.id);
      stateChanged(job);
    }
  }

  stateOfJob(id: JobId) {
    const tombstone = this.tombstones.get(id);
    if (tombstone === undefined) return this.jobs.get(id)?.state;
    return tombstone.deleted?.done === true ? ('done' as const) : ('deleted' as const);
  }

  isGranting(job: Job): boolean {
    const hasWork = GRANTING.has(job.state) || (job.state === 'done' && job.away.substitutes.size > 0);
    return hasWork && job.hasPlan && this.jobs.get(job.id) === job;
  }

  /** Puts the job into the offers where it belongs, or takes it out. */
  placeOffer(job: Job, mayHaveTasks = job.offered): void {
    const belongs = this.isGranting(job) && mayHaveTasks;
    if (belongs && !job.offered) {
      job.offered = true;
      this.offers.splice(this.#placeOf(job), 0, job);
      this.offersChanged();
    } else if (!belongs && job.offered) this.withdraw(job);
  }

  /** A machine that found nothing might now find something. */
  offersChanged(): void {
    this.offersVersion++;
  }

  withdraw(job: Job): void {
    job.offered = false;
    const place = this.offers.indexOf(job);
    if (place >= 0) this.offers.splice(place, 1);
  }

  #placeOf(job: Job): number {
    let low = 0;
    let high = this.offers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareJobs(this.offers[middle] as Job, job) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
