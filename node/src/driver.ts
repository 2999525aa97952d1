import { claimsNothing } from './core/claims.ts';
import type { Changes, Core, CoreEffect, CoreInput, CoreQueries } from './core/interface.ts';
import { isPulse } from './core/pulse.ts';
import { LastBeacon } from './driver/last-beacon.ts';
import { PlanAsking } from './driver/plans.ts';
import type { RecordStore, StoreBatch } from './store/interface.ts';
import type { Clock, Logger, Startable } from './system/interface.ts';
import { CuadroError, assertWritable, mergeRecords, recordKey, whyNotKept } from '@cuadro/protocol';
import type {
  AttemptId,
  BlobHash,
  Grant,
  JobRecord,
  KnownRecord,
  Message,
  PeerId,
  Plan,
  PlannedTask,
} from '@cuadro/protocol';

/** Writes of one group commit; more wait for the next, so that one batch stays a few megabytes. */
const BATCH_RECORDS_MAX = 4_096;

/** A wake this much too late is a gap in the node's own time: a loaded loop is late by tens of milliseconds. */
const GAP_MS = 1_000;
/** After a gap, time for what lies in the sockets to come in. */
const DRAIN_MS = 50;

/** What the driver carries effects out with; each is declared here by its consumer. */
export interface DriverComponents {
  core: Core;
  store: RecordStore;
  clock: Clock;
  logger: Logger;
  /** Sends to another member; fire and forget. */
  send(to: PeerId, message: Message): void;
  gossip(topic: 'claims' | 'pulse', message: Message): void;
  /** Tells the others what this node itself changed; it is durable. */
  publish(records: readonly KnownRecord[]): void;
  worker: {
    run(grant: Grant, job: JobRecord, task: PlannedTask): void;
    stop(attempt: AttemptId, reason: string): void;
  };
  /** Reads and checks a plan; undefined where it isn't held here. */
  readPlan(plan: BlobHash): Promise<Plan | undefined>;
  /** These records are durable now, and those keys are gone, in the order of the writes. */
  onDurable?(put: readonly KnownRecord[], removed: readonly string[]): void;
  /** Called after the changes are durable. */
  onChanges(changes: Changes): void;
  /** What is known of members changed, and may not be durable yet: whoever is out is to be cut off at once (SPEC R190). */
  onMembersKnown?(): void;
  /** Whether the disk is so slow that this machine takes no work (SPEC R149); never without it. */
  isDiskSlow?(): boolean;
  /** The records can't be written: the node must stop, since it could promise nothing any more. */
  onBroken(error: unknown): void;
}

type WithoutNow<T> = T extends unknown ? Omit<T, 'now' | 'wallTime'> : never;
/** An input as others give it; the driver adds the time. */
export type DriverInput = WithoutNow<CoreInput>;

/**
 * Runs the core: queues inputs, steps, and carries effects out in order. Everything that a step wants done after a
 * `persist` waits until that write is durable; meanwhile further inputs are stepped, and their writes go out
 * together in the next batch (group commit). `flushed` resolves when all inputs given before it are durable.
 */
export interface Driver extends Startable {
  readonly queries: CoreQueries;
  input(input: DriverInput): void;
  /**
   * Merges records as this machine's own, and resolves once they are durable. Rejects, with nothing of them merged,
   * where one could not be read again (`record-too-large`, `request-invalid`) or the driver doesn't run (`node-stopping`).
   */
  merge(records: KnownRecord[]): Promise<void>;
  /** Merges what another member sent; its signatures are checked. Resolves once it is durable here. */
  deliver(from: PeerId, records: KnownRecord[]): Promise<void>;
  flushed(): Promise<void>;
}

export function createDriver(components: DriverComponents): Driver {
  return new CoreDriver(components);
}

/** Effects that wait for the batch before them, and the waiters of `flushed`. */
interface Pending {
  /** Monotonic time of the first step that gave one of them; undefined while there is none. */
  since: number | undefined;
  batch: StoreBatch;
  dirty: boolean;
  effects: CoreEffect[];
  waiters: { resolve(): void; reject(error: unknown): void }[];
}

const emptyPending = (): Pending => ({
  since: undefined,
  batch: { put: [], remove: [] },
  dirty: false,
  effects: [],
  waiters: [],
});

class CoreDriver implements Driver {
  readonly queries: CoreQueries;
  readonly #components: DriverComponents;
  #pending: Pending = emptyPending();
  /** What the write that is under way was gathered with. */
  #committing: Pending | undefined;
  #writing: Promise<void> | undefined;
  #state: 'new' | 'running' | 'stopped' | 'broken' = 'new';
  /** What the write failed with that broke it. */
  #brokenBy: unknown;
  #cancelWake: (() => void) | undefined;
  /** When the timer fires, and when the brain wants to be woken: each pulse moves that, and the timer only now and then. */
  #timerAt = Number.POSITIVE_INFINITY;
  #wakeWantedAt: number | undefined;
  /** When the clock was looked at last: nothing that the brain noted is later. */
  #seenAt = Number.NEGATIVE_INFINITY;
  readonly #plans: PlanAsking;
  readonly #lastBeacon = new LastBeacon();

  constructor(components: DriverComponents) {
    this.#components = components;
    this.queries = components.core;
    this.#plans = new PlanAsking(components, {
      isRunning: () => this.#state === 'running',
      onRead: (job, plan) => this.input({ kind: 'plan', job, plan }),
    });
  }

  start(): Promise<void> {
    if (this.#state !== 'new') return Promise.resolve();
    this.#state = 'running';
    this.input({ kind: 'start' });
    return this.flushed();
  }

  async stop(): Promise<void> {
    if (this.#state === 'running') this.#state = 'stopped';
    this.#endTimer();
    this.#plans.stop();
    while (this.#writing !== undefined) await this.#writing;
  }

  input(input: DriverInput): void {
    if (this.#state !== 'running') return;
    // One look for both: a sleep that showed between two would be taken for time in which this node was awake.
    const now = this.#components.clock.now();
    // What lies in the sockets may come before the overdue wake, and would be judged by deadlines that have passed.
    this.#takeGap(now);
    this.#step(input, now);
  }

  #step(input: DriverInput, now: number): void {
    const { clock, core } = this.#components;
    const taken = input.kind === 'ended' ? this.#readable(input) : input;
    // An input is this driver's once it is given, so that it need not be copied.
    const at = { now, wallTime: clock.wallTime(), unsaidSince: this.#committing?.since };
    const timed = Object.assign(taken, at) as CoreInput;
    const effects = core.step(timed);
    for (const effect of effects) this.#queue(effect, now);
    this.#pump();
    // Behind what the step decided: who is cut off is told to the brain, which decides on that.
    if (effects.some(tellsOfMembers)) this.#components.onMembersKnown?.();
    if (input.kind === 'peer' && input.state === 'reachable') this.#plans.askNow();
  }

  async merge(records: KnownRecord[]): Promise<void> {
    this.#assertRunning();
    for (const record of records) {
      const known = this.#known(record);
      assertWritable(known === undefined ? record : mergeRecords(known, record), known);
    }
    this.input({ kind: 'records', from: this.queries.self, records });
    await this.flushed();
    // Whoever submitted a job may ask for its tasks by name at once, so its plan has to be there too.
    for (const record of records) if (record.kind === 'job') await this.#plans.asked(record.id);
  }

  /** Inputs are dropped by a driver that has stopped, and what was dropped must not be answered as durable (SPEC R60). */
  #assertRunning(): void {
    if (this.#state === 'stopped' || this.#state === 'new') throw new CuadroError('node-stopping');
  }

  /** What stands under the key of a record that people's changes add to. */
  #known(record: KnownRecord): KnownRecord | undefined {
    if (record.kind === 'job') return this.queries.jobRecord(record.id);
    return record.kind === 'node' ? this.queries.nodeRecord(record.peer) : undefined;
  }

  /** A result that could not be read again is a failure, and tells why: else it would be gone at the next start. */
  #readable(input: Extract<DriverInput, { kind: 'ended' }>): DriverInput {
    const { attempt, outcome } = input;
    if (outcome.kind !== 'result') return input;
    const { kind: _kind, ...made } = outcome;
    const why = whyNotKept({ ...made, attempt, peer: this.queries.self, state: 'rendered', holders: {} });
    if (why === undefined) return input;
    const { log, wallTime } = outcome;
    return {
      ...input,
      outcome: {
        kind: 'failure',
        cause: 'failed',
        code: 'result-unreadable',
        message: why,
        lines: [],
        ...(log !== undefined && { log }),
        wallTime,
      },
    };
  }

  async deliver(from: PeerId, records: KnownRecord[]): Promise<void> {
    this.#assertRunning();
    this.input({ kind: 'records', from, records });
    await this.flushed();
  }

  flushed(): Promise<void> {
    if (this.#state === 'broken') return Promise.reject(this.#brokenBy);
    return new Promise((resolve, reject) => {
      this.#pending.waiters.push({ resolve, reject });
      this.#pump();
    });
  }

  #queue(effect: CoreEffect, now: number): void {
    // Nothing is said or done by it, and while a slow disk writes the brain must be woken, or no gap would be noticed.
    if (effect.kind === 'wake-at') return this.#wakeAt(effect.at);
    // It promises nothing that is being written: a coordinator with a slow disk is not to fall silent (SPEC R128).
    if (isPulse(effect) && !this.#isTermDue()) return this.#carryOut(effect);
    // Behind a write that hangs it would come too late; and it promises nothing either (SPEC R149).
    if (claimsNothing(effect) && this.#components.isDiskSlow?.() === true) return this.#carryOut(effect);
    this.#pending.since ??= now;
    if (effect.kind !== 'persist') {
      this.#pending.effects.push(effect);
      const again = this.#lastBeacon.inPlaceOf(effect, now - (this.#committing?.since ?? now));
      if (again !== undefined) this.#carryOut(again);
      return;
    }
    const { batch } = this.#pending;
    batch.put.push(...effect.records);
    batch.remove.push(...effect.removed);
    if (effect.term !== undefined) batch.term = effect.term;
    this.#pending.dirty = true;
  }

  /** Whether a term is on its way to the disk: nothing is announced before it is there (SPEC R40). */
  #isTermDue(): boolean {
    return [this.#committing, this.#pending].some((group) => group?.batch.term !== undefined);
  }

  /** Starts the next write unless one is under way: its end calls this again. */
  #pump(): void {
    if (this.#writing !== undefined || this.#state === 'broken') return;
    const { effects, waiters, dirty } = this.#pending;
    if (!dirty && effects.length === 0 && waiters.length === 0) return;
    const group = this.#pending;
    this.#pending = emptyPending();
    if (!dirty) {
      this.#finish(group);
      return;
    }
    this.#committing = group;
    this.#writing = this.#commit(group).finally(() => {
      this.#writing = undefined;
      this.#pump();
    });
  }

  async #commit(group: Pending): Promise<void> {
    const batch = withoutRepeats(group.batch);
    try {
      for (let start = 0; start < batch.put.length || start === 0; start += BATCH_RECORDS_MAX) {
        const put = batch.put.slice(start, start + BATCH_RECORDS_MAX);
        await this.#components.store.write(start === 0 ? { ...batch, put } : { put, remove: [] });
      }
    } catch (error) {
      this.#state = 'broken';
      this.#brokenBy = error;
      this.#cancelWake?.();
      this.#components.logger.error('The records can no longer be written.', { error: String(error) });
      for (const waiter of [...group.waiters, ...this.#pending.waiters]) waiter.reject(error);
      this.#components.onBroken(error);
      return;
    }
    this.#committing = undefined;
    this.#components.onDurable?.(batch.put, batch.remove);
    this.#finish(group);
  }

  #finish(group: Pending): void {
    for (const effect of group.effects) this.#carryOut(effect);
    for (const waiter of group.waiters) waiter.resolve();
  }

  #carryOut(effect: CoreEffect): void {
    const components = this.#components;
    switch (effect.kind) {
      case 'persist':
        throw new TypeError('Writes are carried out in batches.');
      case 'send':
        this.#lastBeacon.note(effect);
        components.send(effect.to, effect.message);
        return;
      case 'gossip':
        components.gossip(effect.topic, effect.message);
        return;
      case 'publish':
        components.publish(effect.records);
        return;
      case 'run':
        if (this.#state === 'running') components.worker.run(effect.grant, effect.job, effect.task);
        return;
      case 'stop-attempt':
        components.worker.stop(effect.attempt, effect.reason);
        return;
      case 'need-plan':
        this.#plans.ask(effect.job, effect.plan);
        return;
      case 'wake-at':
        throw new TypeError('Wakes are set at once.');
      case 'changed':
        components.onChanges(effect.changes);
    }
  }

  #wakeAt(at: number | undefined): void {
    this.#wakeWantedAt = at;
    if (at !== undefined && at >= this.#timerAt) return;
    this.#endTimer();
    if (at === undefined || this.#state !== 'running') return;
    const { clock } = this.#components;
    // What is asked for at once is no sign of a gap; a sleep that shows only now is one.
    this.#timerAt = Math.max(at, this.#seenAt);
    this.#cancelWake = clock.after(this.#timerAt - clock.now(), () => this.#wake());
  }

  #endTimer(): void {
    this.#cancelWake?.();
    this.#cancelWake = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #wake(): void {
    const now = this.#components.clock.now();
    if (this.#takeGap(now)) return;
    this.#endTimer();
    const wantedAt = this.#wakeWantedAt;
    if (wantedAt !== undefined && wantedAt > now) this.#wakeAt(wantedAt);
    else this.#step({ kind: 'wake' }, now);
  }

  /**
   * A timer that is far overdue says that this node stood still: what arrived meanwhile is to be heard first. Since when
   * it stood still doesn't show, only that it was before the timer and after the last look at the clock. The earlier
   * counts, or of a wait into which a sleep fell the rest would be lost (SPEC R198).
   */
  #takeGap(now: number): boolean {
    const lateMs = now - this.#timerAt;
    const gapMs = now - Math.min(this.#seenAt, this.#timerAt);
    this.#seenAt = now;
    if (!(lateMs >= GAP_MS)) return false;
    this.#endTimer();
    this.#components.logger.warn('This node stood still; it listens before it judges others.', { gapMs });
    // Pulses that wait for their term tell what was before: the followers that this node had then would unseat the
    // coordinator that they chose meanwhile (SPEC R115). The next pulse tells what is.
    for (const group of [this.#committing, this.#pending])
      if (group !== undefined) group.effects = group.effects.filter((effect) => !isPulse(effect));
    this.#step({ kind: 'gap', ms: gapMs }, now);
    this.#wakeAt(now + DRAIN_MS);
    return true;
  }
}

const tellsOfMembers = (effect: CoreEffect): boolean =>
  effect.kind === 'changed' && effect.changes.members === true;

/** Of several versions of one record only the last is written: merging made it hold the others. */
function withoutRepeats(batch: StoreBatch): StoreBatch {
  if (batch.put.length < 2) return batch;
  const byKey = new Map(batch.put.map((record) => [recordKey(record), record]));
  for (const key of batch.remove) byKey.delete(key);
  return { ...batch, put: [...byKey.values()] };
}
