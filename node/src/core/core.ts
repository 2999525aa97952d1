import {
  compareEpochs,
  recordKey,
  type Beacon,
  type BlobHash,
  type Epoch,
  type Grant,
  type JobId,
  type KnownRecord,
  type Message,
  type PeerId,
  type Plan,
} from '@cuadro/protocol';
import { sayOwnClaim, takeOthersClaim } from './claims.ts';
import { nextDeadline } from './deadlines.ts';
import { takeGap } from './doubt.ts';
import {
  follow,
  peerChanged,
  isKnownPulse,
  runElection,
  startElection,
  takeDoubt,
  takeDoubtAnswer,
  takePulse,
  takeYield,
} from './election.ts';
import type { Core, CoreEffect, CoreInit, CoreInput, CoreLoading } from './interface.ts';
import type { Job } from './job.ts';
import {
  endOverdueLeases,
  heard,
  renewListed,
  takeBeacon,
  takePeerState,
  takeRelayedBeacon,
} from './leases.ts';
import type { Machine } from './machine.ts';
import { takeRows } from './mirror.ts';
import { beginEarly, giveBackEarly, takeEnd, takeGrants, takeProgress, takeStop } from './own-work.ts';
import { isLate, speak } from './pulse.ts';
import { BrainQueries } from './queries.ts';
import {
  askPlan,
  packSome,
  partFromOthers,
  planTaken,
  takePlan,
  takeRecord,
  wantedPlans,
} from './records-in.ts';
import { takeResult } from './results.ts';
import { grantAll } from './scheduler.ts';
import { runSubstitutes } from './substitutes.ts';
import { isLost } from './silence.ts';
import { takeBackJob } from './taking-back.ts';
import { BrainState } from './state.ts';
import { StepOutput } from './step-output.ts';

/** The farm's brain (see `interface.ts`). The records are merged as they come, in any order. */
export function createCore({ records, term, ...init }: CoreInit): Core {
  const loading = loadCore(init);
  for (const record of records) loading.take(record);
  return loading.end(term);
}

/** The same, record by record as they are read: all of them as objects would take many times the memory. */
export function loadCore(init: Omit<CoreInit, 'records' | 'term'>): CoreLoading {
  const brain = new Brain(init);
  return {
    take: (record) => brain.take(record),
    wantedPlans: () => brain.wantedPlans(),
    plan: (job, plan) => brain.plan(job, plan),
    end: (term) => brain.loaded(term),
  };
}

class Brain extends BrainQueries implements Core {
  #wakeAt: number | undefined;

  constructor(init: Omit<CoreInit, 'records' | 'term'>) {
    const state = new BrainState(init);
    super(state);
    state.isLoading = true;
  }

  take(record: KnownRecord): void {
    takeRecord(this.state, record);
  }

  wantedPlans(): { job: JobId; plan: BlobHash }[] {
    return wantedPlans(this.state);
  }

  plan(job: JobId, plan: Plan): void {
    takePlan(this.state, job, plan);
  }

  /** All that was stored is there: what follows from it is derived once. */
  loaded(term: number): Core {
    const { state } = this;
    state.highestTerm = term;
    for (const job of state.jobs.values()) {
      if (job.hasPlan) planTaken(state, job);
      else job.loaded();
    }
    state.isLoading = false;
    state.machine(state.self);
    state.settle(() => undefined);
    // What was read from the store is there already; what a tombstone absorbed goes with the first write.
    const { removed } = state.out;
    state.out = new StepOutput();
    for (const key of removed) state.out.removed.add(key);
    return this;
  }

  step(input: CoreInput): CoreEffect[] {
    const { state } = this;
    state.now = Math.max(state.now, input.now);
    if (input.wallTime !== undefined) state.wallTime = input.wallTime;
    state.unsaidSince = input.unsaidSince;
    // Every pulse comes on two ways; what is due meanwhile has a wake of its own.
    if (input.kind === 'message' && input.gossiped === true && isKnownPulse(state, input)) return [];
    this.#take(input);
    giveBackEarly(state);
    endOverdueLeases(state);
    runSubstitutes(state);
    this.#settle();
    runElection(state);
    grantAll(state);
    this.#settle();
    this.#noteRows();
    speak(state);
    packSome(state);
    return this.#effects();
  }

  #take(input: CoreInput): void {
    const { state } = this;
    switch (input.kind) {
      case 'start':
        this.#start();
        return;
      case 'records':
        this.#takeRecords(input.from, input.records);
        return;
      case 'plan':
        takePlan(state, input.job, input.plan);
        beginEarly(state);
        return;
      case 'message':
        if (state.hears(input.from)) this.#takeMessage(input.from, input.message, input.gossiped === true);
        return;
      case 'peer':
        this.#takePeer(input.peer, input.state);
        return;
      case 'worker':
        sayOwnClaim(state, input);
        return;
      case 'load':
        this.#takeLoad(input.load, input.freeDiskBytes);
        return;
      case 'progress':
        takeProgress(state, input);
        return;
      case 'ended':
        takeEnd(state, input.attempt, input.outcome);
        return;
      case 'root':
        state.root = input.root;
        return;
      case 'gap':
        takeGap(state, input.ms);
        return;
      case 'wake':
        this.#wakeAt = undefined;
    }
  }

  #start(): void {
    const { state } = this;
    if (state.started) return;
    state.started = true;
    state.startedAt = state.now;
    // A removal that was made durable before a crash, and what follows from it was not.
    partFromOthers(state);
    startElection(state);
    state.out.farm = true;
    for (const job of state.jobs.values()) if (!job.hasPlan) askPlan(state, job);
  }

  #takeRecords(from: PeerId, records: readonly KnownRecord[]): void {
    const { state } = this;
    for (const record of records) {
      takeRecord(state, record);
      const isOwn = from === state.self && state.out.persist.has(recordKey(record));
      if (isOwn) state.out.own.add(recordKey(record));
    }
    if (state.out.members) partFromOthers(state);
    beginEarly(state);
  }

  #takePeer(peer: PeerId, told: Extract<CoreInput, { kind: 'peer' }>['state']): void {
    const { state } = this;
    takePeerState(state, peer, told);
    peerChanged(state, peer, told);
    if (told === 'reachable' && !state.isOut(peer)) state.sayClaim(peer);
    if (state.connected.size === 0) state.inDoubt = false;
  }

  #takeMessage(from: PeerId, message: Message, gossiped: boolean): void {
    const { state } = this;
    const machine = state.machine(from);
    state.inDoubt = false;
    // Gossip comes by way of others: it is no sign of a connection that grants could take.
    if (!gossiped) heard(state, machine);
    switch (message.kind) {
      case 'claim':
        takeOthersClaim(state, from, message, gossiped);
        return;
      case 'beacon':
        this.#takeBeacon(machine, message, gossiped);
        return;
      case 'result':
        takeResult(state, from, message);
        return;
      case 'grants':
        takeGrants(state, from, message);
        return;
      case 'stop':
        takeStop(state, from, message);
        return;
      case 'pulse':
        if (takePulse(state, from, message)) takeRows(state, from, message);
        return;
      case 'collect':
        this.#takeCollect(from, message.epoch);
        return;
      case 'doubt':
        takeDoubt(state, from, message.epoch);
        return;
      case 'doubt-answer':
        takeDoubtAnswer(state, from, message);
        return;
      case 'yield':
        takeYield(state, from, message);
    }
  }

  #takeBeacon(machine: Machine, beacon: Beacon, gossiped: boolean): void {
    const { state } = this;
    if (beacon.peer !== machine.peer) state.ignore('foreign-sender');
    else if (state.epoch === undefined) {
      // Gossip reaches all; only the coordinator has a use for it.
      if (!gossiped) state.ignore('foreign-coordinator');
    } else if (!gossiped) takeBeacon(state, machine, beacon);
    // One that took the long way may be older than what the stream has told since.
    else if (!state.connected.has(machine.peer) || machine.relayed === true || isLate(state, machine)) {
      takeRelayedBeacon(state, machine, beacon);
    } else renewListed(state, machine, beacon);
  }

  /** A new coordinator asks: it is followed if this node's own is lost, and is answered all the same. */
  #takeCollect(from: PeerId, epoch: Epoch): void {
    const { state } = this;
    const { reign } = state;
    if (epoch.peer !== from) {
      state.ignore('foreign-sender');
      return;
    }
    const lost = reign.role === 'looking' || (reign.role === 'following' && isLost(state, reign));
    if (lost && (reign.role === 'looking' || compareEpochs(epoch, reign.epoch) > 0)) {
      follow(state, epoch, reign.role === 'looking' ? 'found' : 'lost');
      state.ledAt = state.now;
    } else state.sayClaim(from);
    state.sayBeacon(from);
  }

  #takeLoad(load: number, freeDiskBytes: number): void {
    const machine = this.state.machine(this.state.self);
    machine.load = load;
    machine.freeDiskBytes = freeDiskBytes;
    this.state.out.node(machine.peer);
  }

  /** Machines that changed in this step are told in the next pulse. */
  #noteRows(): void {
    const { reign, out } = this.state;
    if (reign.role !== 'leading') return;
    for (const peer of out.nodes) reign.changed.add(peer);
  }

  #settle(): void {
    const { state } = this;
    state.settle((job) => this.#stateChanged(job));
  }

  #stateChanged(job: Job): void {
    const { state } = this;
    switch (job.state) {
      case 'canceled':
        takeBackJob(state, job, 'all', 'The job was canceled.');
        return;
      case 'failed':
        takeBackJob(state, job, 'all', 'The job failed.');
        return;
      case 'skipped':
        takeBackJob(state, job, 'all', 'The job was skipped.');
        return;
      case 'paused':
      case 'waiting':
        // What runs goes on, unless it is from outside; what is only kept ahead is not begun.
        takeBackJob(state, job, state.isUnclaimed(job) ? 'all' : 'ahead', 'The job was paused.');
        return;
      case 'queued':
      case 'active':
      case 'done':
      case 'deleted':
        return;
    }
  }

  /** In order: what must be durable, then what was said and asked, stops, grants, the wake, and what changed. */
  #effects(): CoreEffect[] {
    const { state } = this;
    const { out } = state;
    if (out.isEmpty) return this.#wakeEffects();
    state.out = new StepOutput();
    const effects: CoreEffect[] = [];
    if (out.persist.size + out.removed.size > 0 || out.term !== undefined) {
      effects.push({
        kind: 'persist',
        records: [...out.persist.values()],
        removed: [...out.removed],
        ...(out.term !== undefined && { term: out.term }),
      });
    }
    const own = [...out.own].flatMap((key) => out.persist.get(key) ?? []);
    if (own.length > 0) effects.push({ kind: 'publish', records: own });
    effects.push(...out.effects);
    this.#addStops(out, effects);
    this.#addGrants(out, effects);
    effects.push(...this.#wakeEffects());
    const changes = out.changes();
    if (changes !== undefined) effects.push({ kind: 'changed', changes });
    return effects;
  }

  #wakeEffects(): CoreEffect[] {
    const wakeAt = nextDeadline(this.state);
    if (wakeAt === this.#wakeAt) return [];
    this.#wakeAt = wakeAt;
    return [{ kind: 'wake-at', at: wakeAt }];
  }

  #addStops(out: StepOutput, effects: CoreEffect[]): void {
    const { self, epoch } = this.state;
    for (const { peer, attempt, reason } of out.stops) {
      if (peer === self) effects.push({ kind: 'stop-attempt', attempt, reason });
      else if (epoch !== undefined) {
        effects.push({
          kind: 'send',
          to: peer,
          message: { kind: 'stop', epoch, attempts: [attempt], reason },
        });
      }
    }
  }

  #addGrants(out: StepOutput, effects: CoreEffect[]): void {
    const { self, epoch, options, jobs, machines } = this.state;
    if (epoch === undefined) return;
    for (const [peer, leases] of out.grants) {
      const grants = leases.map(({ attempt, job, index, redo, retry, substitute }): Grant => {
        return {
          attempt,
          job,
          task: index,
          redo,
          retry,
          leaseMs: options.leaseMs,
          ...(substitute && { substitute }),
        };
      });
      if (peer !== self) {
        effects.push({ kind: 'send', to: peer, message: { kind: 'grants', epoch, grants } });
        continue;
      }
      const capabilities = machines.get(self)?.claim?.capabilities;
      for (const grant of grants) {
        const job = jobs.get(grant.job);
        const task = job?.table.view?.task(grant.task);
        if (job === undefined || task === undefined) continue;
        const machine = { capabilities, now: this.state.now };
        if (!this.state.worker.accept(epoch, grant, task.requires.engine, machine)) continue;
        effects.push({ kind: 'run', grant, job: job.record, task });
      }
    }
  }
}
