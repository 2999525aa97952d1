import {
  type AttemptId,
  attemptKey,
  compareEpochs,
  type Beacon,
  type Claim,
  type Epoch,
  type Grant,
  type HeldAttempt,
  type HoldItem,
  type HoldOutcome,
  type Message,
  type PeerId,
  RecordBytes,
  type ResultMessage,
  type TaskRecord,
  type TaskResult,
} from '@cuadro/protocol';
import { defaultOptions, ENDS_KEPT, ENDS_TOLD_MS } from '../../node/src/core/options.ts';
import { canonicalMessages } from '../../node/src/daemon/network.ts';
import type { Mesh } from '../../node/src/mesh/interface.ts';
import { defaultCopyOptions } from '../../node/src/replicas/copy-limits.ts';
import { CopyLine } from '../../node/src/replicas/copy-line.ts';
import { recordOf, withHolder } from '../../node/src/replicas/needs.ts';
import { RecordPublisher } from '../../node/src/replicas/publisher.ts';
import type { Clock, Startable } from '../../node/src/system/interface.ts';
import { capabilitiesOf } from './farm-member.ts';
import { CouldNotMeasure } from './harness.ts';

/**
 * A member that works and does nothing else, so that sixteen of them take little of the core on which a coordinator is
 * measured. Real is all that it says: its claim and beacons (SPEC R50, R52), a result of its own for each attempt
 * (R53), the request to the job's submitter to hold it as well, on the node's own line (R57), and the gossip of its
 * records, by the node's own publisher at its pace (R46), rendered first and done once the submitter holds it. Light
 * is the rest. Tasks end in the moment when they are granted, or after as long as they are to take, without a plan being
 * read; its records are in memory only; of the others' it keeps none, so it takes no gossip in, tells no digest, exchanges
 * nothing, and holds nothing for anybody.
 */
export interface LightWorker extends Startable {
  readonly mesh: Mesh;
  /** The reign that it obeys. */
  readonly epoch: Epoch | undefined;
  /** Attempts that were taken back. */
  readonly stopped: number;
}

export interface LightWorkerInit {
  farm: { id: string; peers: readonly PeerId[] };
  slots: number;
  /** What each task takes; nothing by default. */
  taskMs?: () => number;
  /** Of the only job that is granted here: it is asked to hold the results. */
  submitter: PeerId;
  /** It heard what a worker of an unhurt farm doesn't hear: the run says nothing. */
  onFault: (error: CouldNotMeasure) => void;
}

export function createLightWorker(
  components: { mesh: Mesh; clock: Clock },
  init: LightWorkerInit,
): LightWorker {
  return new MemoryWorker(components, init);
}

class MemoryWorker implements LightWorker {
  readonly mesh: Mesh;
  stopped = 0;
  readonly #clock: Clock;
  readonly #init: LightWorkerInit;
  readonly #bytes = new RecordBytes();
  readonly #messages = canonicalMessages();
  readonly #publisher: RecordPublisher;
  #epoch: Epoch | undefined;
  readonly #reachable = new Set<PeerId>();
  /** What it runs, and behind that what it keeps ahead. */
  readonly #held = new Map<string, { grant: Grant; running: boolean }>();
  #line: CopyLine | undefined;
  /** Results that the submitter was asked to hold, by the request's id. */
  readonly #asked = new Map<number, { task: TaskRecord; result: TaskResult }>();
  #nextId = 1;
  /** As the node's own worker keeps them for the next coordinator (R124). */
  #ends: { message: ResultMessage; at: number }[] = [];
  #cancelBeacon: (() => void) | undefined;
  #stopped = false;

  constructor(components: { mesh: Mesh; clock: Clock }, init: LightWorkerInit) {
    this.mesh = components.mesh;
    this.#clock = components.clock;
    this.#init = init;
    this.#publisher = new RecordPublisher({ ...components, bytes: this.#bytes });
  }

  get epoch(): Epoch | undefined {
    return this.#epoch;
  }

  async start(): Promise<void> {
    const { farm } = this.#init;
    this.mesh.subscribe({
      peer: (peer, state) => {
        if (state === 'reachable') this.#reachable.add(peer);
        else this.#reachable.delete(peer);
      },
      message: (from, bytes) => this.#hear(from, bytes),
      gossip: (topic, from, bytes) => {
        // Whose turn it is to gossip depends on how many do.
        if (topic === 'records') this.#publisher.heard(from);
        else this.#hear(from, bytes);
      },
    });
    this.mesh.setMembership({ farm: farm.id, members: new Set(farm.peers) });
    await this.mesh.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelBeacon?.();
    this.#publisher.stop();
    this.#line?.close(new Error('The worker stops.'));
    await this.mesh.stop();
  }

  #hear(from: PeerId, bytes: Uint8Array): void {
    const message = decoded(bytes);
    switch (message?.kind) {
      case 'pulse':
      case 'collect':
        if (message.epoch.peer === from) this.#follow(message.epoch, message.kind === 'collect');
        return;
      case 'grants':
        if (this.#epoch !== undefined && compareEpochs(message.epoch, this.#epoch) === 0) {
          for (const grant of message.grants) this.#take(grant);
        }
        return;
      case 'doubt':
        this.#say(from, {
          kind: 'doubt-answer',
          epoch: message.epoch,
          lost: !this.#reachable.has(message.epoch.peer),
        });
        return;
      case 'stop':
        if (this.#init.taskMs !== undefined) return this.#drop(message.attempts);
        return this.#fault(`An attempt was taken back: ${message.reason}`);
      case 'yield':
        return this.#fault('The coordinator gave way.');
      case undefined:
        return this.#fault('A message made no sense.');
      case 'claim':
      case 'beacon':
      case 'result':
      case 'doubt-answer':
        // Of the other members, by gossip: a worker has no use for them.
        return;
    }
  }

  /** The latest reign counts; a new one hears at once what this worker can do. */
  #follow(epoch: Epoch, asked: boolean): void {
    const news = this.#epoch === undefined || compareEpochs(epoch, this.#epoch) > 0;
    // Whose disk takes seconds says no pulse meanwhile, and others stand: what is measured then is not dispatch.
    if (news && this.#epoch !== undefined && this.#init.taskMs === undefined)
      this.#fault('Another machine came to coordinate: the first one was not heard for seconds.');
    if (news) this.#epoch = epoch;
    if (!news && !asked) return;
    this.#say(epoch.peer, this.#claim());
    const since = this.#clock.now() - ENDS_TOLD_MS;
    for (const { message, at } of this.#ends) if (at >= since) this.#say(epoch.peer, message);
    this.#beacon();
  }

  #claim(): Claim {
    const { slots } = this.#init;
    return {
      kind: 'claim',
      peer: this.mesh.self,
      sequence: 1,
      wants: slots * (1 + defaultOptions.aheadPerSlot),
      slots,
      capabilities: capabilitiesOf({}),
      bundles: [],
    };
  }

  #beacon(): void {
    this.#cancelBeacon?.();
    if (this.#stopped || this.#epoch === undefined) return;
    const beacon: Beacon = {
      kind: 'beacon',
      peer: this.mesh.self,
      follows: this.#epoch,
      held: [...this.#held.values()].map(({ grant, running }) => heldOf(grant, running)),
      load: 0,
      freeDiskBytes: 0,
    };
    this.#say(this.#epoch.peer, beacon);
    this.#cancelBeacon = this.#clock.after(defaultOptions.beaconIntervalMs, () => this.#beacon());
  }

  #take(grant: Grant): void {
    if (this.#init.taskMs === undefined) return this.#finish(grant);
    this.#held.set(attemptKey(grant.attempt), { grant, running: false });
    this.#begin();
  }

  /** As many as it has slots for, in the order in which they were granted. */
  #begin(): void {
    const { slots, taskMs = () => 0 } = this.#init;
    for (const [place, held] of [...this.#held.values()].entries()) {
      if (place >= slots) return;
      if (held.running) continue;
      held.running = true;
      this.#clock.after(taskMs(), () => this.#end(held.grant));
    }
  }

  #end(grant: Grant): void {
    if (!this.#held.delete(attemptKey(grant.attempt)) || this.#stopped) return;
    this.#finish(grant);
    this.#begin();
  }

  /** Who comes to coordinate may have given the same task to another meanwhile. */
  #drop(attempts: readonly AttemptId[]): void {
    for (const attempt of attempts) if (this.#held.delete(attemptKey(attempt))) this.stopped += 1;
    this.#begin();
  }

  #finish({ attempt, job, task: index, redo, retry }: Grant): void {
    const coordinator = this.#epoch?.peer;
    const self = this.mesh.self;
    const result: TaskResult = {
      attempt,
      peer: self,
      state: 'rendered',
      holders: { [self]: { held: true, counter: 1 } },
      files: [],
      renderMs: 0,
      wallTime: this.#clock.wallTime(),
    };
    const task: TaskRecord = recordOf(
      { kind: 'task', job, index, redo, retry, results: {}, failures: {} },
      result,
    );
    this.#publisher.publish([task]);
    const told: ResultMessage = {
      ...{ kind: 'result', job, task: index, redo, retry, attempt },
      outcome: { kind: 'result', result },
    };
    this.#ends.push({ message: told, at: this.#clock.now() });
    if (this.#ends.length > 2 * ENDS_KEPT) this.#ends = this.#ends.slice(-ENDS_KEPT);
    if (coordinator !== undefined) this.#say(coordinator, told);
    const id = this.#nextId++;
    this.#asked.set(id, { task, result });
    const item: HoldItem = { kind: 'result', id, record: this.#bytes.of(task) };
    this.#line ??= this.#openLine();
    this.#line.ask(item);
  }

  #openLine(): CopyLine {
    return new CopyLine({ mesh: this.mesh, clock: this.#clock }, this.#init.submitter, {
      stallMs: defaultCopyOptions.stallMs,
      onOutcomes: (outcomes) => {
        for (const outcome of outcomes) this.#answered(outcome);
      },
      onEnd: (owed, error) => {
        this.#line = undefined;
        if (owed.length > 0) this.#fault(`The submitter holds no more: ${String(error)}`);
      },
    });
  }

  #answered(outcome: HoldOutcome): void {
    const asked = this.#asked.get(outcome.id);
    this.#asked.delete(outcome.id);
    if (asked === undefined) return;
    if (outcome.kind === 'refused')
      return this.#fault(`The submitter refused to hold a result: ${outcome.reason}.`);
    const holders = withHolder(asked.result.holders, this.#init.submitter, outcome.counter ?? 1);
    this.#publisher.publish([recordOf(asked.task, { ...asked.result, state: 'done', holders })]);
  }

  #say(to: PeerId, message: Message): void {
    this.mesh.send(to, this.#messages.encode(message));
  }

  #fault(sentence: string): void {
    if (!this.#stopped) this.#init.onFault(new CouldNotMeasure(sentence));
  }
}

function heldOf({ attempt, job, task, redo, retry }: Grant, running: boolean): HeldAttempt {
  return { attempt, job, task, redo, retry, running, fraction: running ? 0.5 : 0 };
}

const messages = canonicalMessages();
const known = new WeakMap<Uint8Array, { message: Message | undefined }>();

/** What is said to many is decoded once for all light workers: a thousand of them are not what is measured. */
function decoded(bytes: Uint8Array): Message | undefined {
  let heard = known.get(bytes);
  if (heard === undefined) known.set(bytes, (heard = { message: messages.decode(bytes) }));
  return heard.message;
}
