import { compareEpochs, type Grant, type KnownRecord, type Message } from '@cuadro/protocol';
import type { Core, CoreEffect, CoreInit, CoreInput } from './interface.ts';
import type { Job } from './job.ts';
import { endOverdueLeases, heard, nextDeadline, takeBackJob, takeBeacon, takePeerState } from './leases.ts';
import { askPlan, takePlan, takeRecord } from './records-in.ts';
import { takeResult } from './results.ts';
import { grantAll } from './scheduler.ts';
import { BrainState, StepOutput } from './state.ts';
import { BrainQueries } from './queries.ts';
import { WorkerSide } from './worker-side.ts';

/** The farm's brain (see `interface.ts`). The records are merged as they come, in any order. */
export function createCore(init: CoreInit): Core {
  return new Brain(init);
}

class Brain extends BrainQueries implements Core {
  readonly #init: Pick<CoreInit, 'term'>;
  readonly #worker: WorkerSide;
  #started = false;
  #claimSequence = 0;
  #wakeAt: number | undefined;

  constructor(init: CoreInit) {
    const state = new BrainState(init);
    super(state);
    this.#init = { term: init.term };
    this.#worker = new WorkerSide(init.self);
    for (const record of init.records) takeRecord(state, record);
    state.machine(init.self);
    state.settle(() => undefined);
    // What was read from the store is there already; what a tombstone absorbed goes with the first write.
    const { removed } = state.out;
    state.out = new StepOutput();
    for (const key of removed) state.out.removed.add(key);
  }

  step(input: CoreInput): CoreEffect[] {
    const { state } = this;
    state.now = Math.max(state.now, input.now);
    if (input.wallTime !== undefined) state.wallTime = input.wallTime;
    this.#take(input);
    endOverdueLeases(state);
    this.#settle();
    grantAll(state);
    this.#settle();
    return this.#effects();
  }

  #take(input: CoreInput): void {
    const { state } = this;
    switch (input.kind) {
      case 'start':
        this.#start();
        return;
      case 'records':
        for (const record of input.records) this.#takeRecord(record);
        return;
      case 'plan':
        takePlan(state, input.job, input.plan);
        return;
      case 'message':
        this.#takeMessage(input.from, input.message);
        return;
      case 'peer':
        takePeerState(state, input.peer, input.state);
        return;
      case 'worker':
        this.#takeWorker(input);
        return;
      case 'load':
        this.#takeLoad(input.load, input.freeDiskBytes);
        return;
      case 'progress':
        this.#takeProgress(input);
        return;
      case 'ended':
        this.#takeEnd(input);
        return;
      case 'wake':
        this.#wakeAt = undefined;
    }
  }

  /** Begins this node's reign: the term is durable before anything is granted in it (SPEC R40). */
  #start(): void {
    if (this.#started) return;
    this.#started = true;
    const { state } = this;
    const term = this.#init.term + 1;
    state.epoch = { term, peer: state.self };
    this.#worker.follow(state.epoch);
    state.out.term = term;
    state.out.farm = true;
    for (const job of state.jobs.values()) if (!job.hasPlan) askPlan(state, job);
  }

  #takeRecord(record: KnownRecord): void {
    takeRecord(this.state, record);
  }

  #takeMessage(from: string, message: Message): void {
    const { state } = this;
    const machine = state.machine(from);
    heard(state, machine);
    switch (message.kind) {
      case 'claim':
        if (message.peer !== from) state.ignore('foreign-sender');
        else if (machine.claim !== undefined && machine.claim.sequence >= message.sequence) {
          state.ignore('stale-claim');
        } else this.#takeClaim(message);
        return;
      case 'beacon':
        if (message.peer === from) takeBeacon(state, machine, message);
        else state.ignore('foreign-sender');
        return;
      case 'result':
        takeResult(state, from, message);
        return;
      case 'grants':
      case 'stop':
      case 'pulse':
        // This node follows its own reign; whom to follow when coordinators meet is the election's to say.
        state.ignore(
          state.epoch !== undefined && compareEpochs(message.epoch, state.epoch) < 0
            ? 'stale-epoch'
            : 'foreign-coordinator',
        );
    }
  }

  #takeClaim(claim: Extract<Message, { kind: 'claim' }>): void {
    const { state } = this;
    const machine = state.machine(claim.peer);
    machine.claim = claim;
    machine.dryAt = -1;
    // Others may be allowed what only this machine could, or no longer need to wait for it.
    state.offersVersion++;
    state.out.node(claim.peer);
    state.out.farm = true;
  }

  #takeWorker(input: Extract<CoreInput, { kind: 'worker' }>): void {
    const { state } = this;
    const { slots, accepting, capabilities, bundles, idleReason } = input;
    this.#claimSequence++;
    this.#takeClaim({
      kind: 'claim',
      peer: state.self,
      sequence: this.#claimSequence,
      wants: accepting ? slots * (1 + state.options.aheadPerSlot) : 0,
      slots,
      capabilities,
      bundles,
      ...(idleReason !== undefined && { idleReason }),
    });
  }

  #takeLoad(load: number, freeDiskBytes: number): void {
    const machine = this.state.machine(this.state.self);
    machine.load = load;
    machine.freeDiskBytes = freeDiskBytes;
    this.state.out.node(machine.peer);
  }

  #takeProgress(input: Extract<CoreInput, { kind: 'progress' }>): void {
    const { state } = this;
    const lease = this.ownLease(input.attempt);
    if (lease === undefined) {
      state.ignore('unknown-attempt');
      return;
    }
    lease.seen = true;
    lease.fraction = Math.min(1, Math.max(0, input.fraction));
    if (input.remainingMs !== undefined) lease.remainingMs = input.remainingMs;
    if (input.text !== undefined) lease.text = input.text;
    state.out.task(lease.job, lease.index);
    state.out.node(state.self);
  }

  #takeEnd(input: Extract<CoreInput, { kind: 'ended' }>): void {
    const { state } = this;
    const { outcome } = input;
    if (outcome.kind !== 'stopped') state.wallTime = input.wallTime ?? outcome.wallTime;
    const message = this.#worker.end(input.attempt, outcome);
    if (message === undefined) state.ignore('unknown-attempt');
    else takeResult(state, state.self, message);
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
        // What runs goes on; what is only kept ahead is not begun.
        takeBackJob(state, job, 'ahead', 'The job was paused.');
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
    effects.push(...out.effects);
    this.#addStops(out, effects);
    this.#addGrants(out, effects);
    const wakeAt = nextDeadline(state);
    if (wakeAt !== this.#wakeAt) effects.push({ kind: 'wake-at', at: wakeAt });
    this.#wakeAt = wakeAt;
    const changes = out.changes();
    if (changes !== undefined) effects.push({ kind: 'changed', changes });
    return effects;
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
      const grants = leases.map(({ attempt, job, index, redo, retry }): Grant => {
        return { attempt, job, task: index, redo, retry, leaseMs: options.leaseMs };
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
        if (!this.#worker.accept(epoch, grant, task.requires.engine, capabilities)) continue;
        effects.push({ kind: 'run', grant, job: job.record, task });
      }
    }
  }
}
