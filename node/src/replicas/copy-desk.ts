import {
  attemptKey,
  heldBy,
  type Failure,
  type HoldItem,
  type HoldOutcome,
  type JobId,
  type JobRecord,
  type KnownRecord,
  type PeerId,
  type TaskIndex,
  type TaskRecord,
  type TaskResult,
} from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';
import type { Mesh } from '../mesh/interface.ts';
import type { Logger } from '../system/interface.ts';
import type { CopyPeers } from './copy-peers.ts';
import { GroupMerge } from './group-merge.ts';
import {
  type CopyRule,
  failureToCopy,
  isHeldByTwo,
  isJobHeldByTwo,
  jobHolders,
  recordOf,
  recordOfFailure,
  resultToCopy,
  withHolder,
} from './needs.ts';

/** Something of which another machine is to hold a copy. */
export type Need =
  | { readonly kind: 'result'; readonly job: JobId; readonly index: TaskIndex }
  | { readonly kind: 'job'; readonly job: JobId }
  | { readonly kind: 'log'; readonly job: JobId; readonly index: TaskIndex }
  | {
      readonly kind: 'records';
      readonly records: readonly KnownRecord[];
      /** The only machine to ask; else anyone. */
      readonly to?: PeerId;
      /** Nobody waits for it any more, so that it is asked of nobody from then on. */
      readonly isOver?: () => boolean;
      readonly held: (yes: boolean) => void;
    };

/** A need that a machine was asked to meet. */
type Asked = { readonly need: Need; readonly files: boolean } & (
  | { readonly kind: 'result'; readonly task: TaskRecord; readonly result: TaskResult }
  | { readonly kind: 'log'; readonly task: TaskRecord; readonly failure: Failure }
  | { readonly kind: 'other' }
);

export interface DeskComponents {
  readonly mesh: Pick<Mesh, 'self'>;
  readonly queries: Pick<CoreQueries, 'jobRecord' | 'taskRecord' | 'removed'>;
  readonly bytesOf: (record: KnownRecord) => Uint8Array;
  readonly merge: (from: PeerId, records: KnownRecord[]) => Promise<void>;
  readonly logger: Logger;
}

export interface DeskInit {
  readonly peers: CopyPeers;
  readonly rule: () => CopyRule;
  /** A second machine holds it, and the record that says so is durable here. */
  readonly onHeld: (need: Need) => void;
  /** `now`: by somebody else. `later`: after a pause. `never`: it is not to be held at all. */
  readonly onFailed: (need: Need, again: 'now' | 'later' | 'never') => void;
  /** A machine answered: it may be asked for more. */
  readonly onPlace: () => void;
}

/** Asks machines to hold things, and writes down what they answer. */
export class CopyDesk {
  readonly #components: DeskComponents;
  readonly #init: DeskInit;
  readonly #asked = new Map<number, Asked>();
  /** Results, jobs and logs that are asked for now, by key. */
  readonly #underWay = new Set<string>();
  readonly #merges: GroupMerge;
  readonly #open = { result: 0, job: 0, log: 0, records: 0 };
  #nextId = 1;

  constructor(components: DeskComponents, init: DeskInit) {
    this.#components = components;
    this.#init = init;
    this.#merges = new GroupMerge((records) => components.merge(components.mesh.self, records));
  }

  get asked(): { results: number; logs: number; all: number } {
    return { results: this.#open.result, logs: this.#open.log, all: this.#asked.size };
  }

  isAsked(job: JobId, index: TaskIndex): boolean {
    return this.#underWay.has(`${job}/${index}`);
  }

  isUnderWay(need: Need): boolean {
    const key = keyOf(need);
    return key !== undefined && this.#underWay.has(key);
  }

  settled(): Promise<void> {
    return this.#merges.settled();
  }

  /** Merges a record of this machine's own; a store that can't be written ends the node elsewhere. */
  async merge(record: KnownRecord | (() => KnownRecord)): Promise<void> {
    await this.#merges.add(record).catch((error: unknown) => {
      this.#components.logger.error("A record of copies can't be written.", { error: String(error) });
    });
  }

  callDone(task: TaskRecord, result: TaskResult): void {
    void this.merge(recordOf(task, { ...result, state: 'done' }));
  }

  /** False where nobody can be asked now; true where somebody was, or it needs no copy any more. */
  ask(need: Need): boolean {
    switch (need.kind) {
      case 'result':
        return this.#askResult(need);
      case 'job':
        return this.#askJob(need);
      case 'log':
        return this.#askLog(need);
      case 'records': {
        const records = need.records.map((record) => this.#components.bytesOf(record));
        const to = { only: need.to, holders: new Set<PeerId>(), files: false };
        return this.#send(need, { kind: 'records', records }, to);
      }
    }
  }

  #askResult(need: Extract<Need, { kind: 'result' }>): boolean {
    const { queries, mesh, bytesOf } = this.#components;
    const task = queries.taskRecord(need.job, need.index);
    const result = resultToCopy(task, mesh.self, this.#init.rule());
    if (task === undefined || result === undefined) return true;
    const single = recordOf(task, result);
    const files = result.files.length > 0;
    const first = queries.jobRecord(need.job)?.spec.author;
    const holders = new Set(heldBy(result.holders));
    const item = { kind: 'result' as const, record: bytesOf(single) };
    return this.#send(need, item, { first, holders, files }, { kind: 'result', task, result });
  }

  #askLog(need: Extract<Need, { kind: 'log' }>): boolean {
    const { queries, mesh, bytesOf } = this.#components;
    const task = queries.taskRecord(need.job, need.index);
    const failure = failureToCopy(task, mesh.self, this.#init.rule());
    if (task === undefined || failure === undefined) return true;
    const item = { kind: 'failure' as const, record: bytesOf(recordOfFailure(task, failure)) };
    const first = queries.jobRecord(need.job)?.spec.author;
    const holders = new Set(heldBy(failure.holders ?? {}));
    return this.#send(need, item, { first, holders, files: true }, { kind: 'log', task, failure });
  }

  #askJob(need: Extract<Need, { kind: 'job' }>): boolean {
    const { queries, bytesOf } = this.#components;
    const record = queries.jobRecord(need.job);
    if (record === undefined) return true;
    const holders = new Set(jobHolders(record, () => true));
    const first = record.spec.author;
    return this.#send(need, { kind: 'job', record: bytesOf(record) }, { first, holders, files: true });
  }

  #send(
    need: Need,
    item: DistributiveOmit<HoldItem, 'id'>,
    to: {
      first?: PeerId | undefined;
      only?: PeerId | undefined;
      holders: ReadonlySet<PeerId>;
      files: boolean;
    },
    more: DistributiveOmit<Asked, 'need' | 'files'> = { kind: 'other' },
  ): boolean {
    const { peers } = this.#init;
    const peer = to.only ?? peers.choose({ first: to.first, holders: to.holders, files: to.files });
    if (peer === undefined) return false;
    const id = this.#nextId++;
    this.#asked.set(id, { need, files: to.files, ...more });
    this.#open[need.kind]++;
    const key = keyOf(need);
    if (key !== undefined) this.#underWay.add(key);
    peers.ask(peer, { ...item, id } as HoldItem, to.files);
    return true;
  }

  answered(peer: PeerId, outcomes: readonly HoldOutcome[]): void {
    for (const outcome of outcomes) {
      const asked = this.#take(peer, outcome.id);
      if (asked === undefined) continue;
      if (outcome.kind === 'held') void this.#held(peer, asked, outcome);
      else this.#refused(peer, asked, outcome.reason);
    }
    this.#init.onPlace();
  }

  lost(peer: PeerId, owed: readonly HoldItem[]): void {
    for (const { id } of owed) {
      const asked = this.#take(peer, id);
      if (asked === undefined) continue;
      this.#release(asked);
      this.#init.onFailed(asked.need, 'now');
    }
  }

  #take(peer: PeerId, id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    if (asked === undefined) return undefined;
    this.#asked.delete(id);
    this.#init.peers.answered(peer, asked.files);
    return asked;
  }

  /** Not before its outcome is written down: until then it counts as under way. */
  #release({ need }: Asked): void {
    const key = keyOf(need);
    if (key !== undefined) this.#underWay.delete(key);
    this.#open[need.kind]--;
  }

  async #held(peer: PeerId, asked: Asked, outcome: Extract<HoldOutcome, { kind: 'held' }>): Promise<void> {
    const { need } = asked;
    const record = this.#recordHeld(peer, asked, outcome);
    if (record !== undefined) await this.merge(record);
    this.#release(asked);
    if (need.kind === 'records') need.held(true);
    this.#init.onHeld(need);
  }

  /** What the answer makes known: the holder's own entry (SPEC R24), and whether there are two now. */
  #recordHeld(
    peer: PeerId,
    asked: Asked,
    { counter = 1, bundleCounter = 1 }: Extract<HoldOutcome, { kind: 'held' }>,
  ): (() => KnownRecord) | undefined {
    const { queries } = this.#components;
    if (asked.kind === 'result') {
      const { task, result } = asked;
      const holders = withHolder(result.holders, peer, counter);
      return () => {
        const known = queries.taskRecord(task.job, task.index)?.results[attemptKey(result.attempt)];
        const state = isHeldByTwo(holders, known?.holders, queries.removed()) ? 'done' : result.state;
        return recordOf(task, { ...result, state, holders });
      };
    }
    if (asked.kind === 'log') {
      const { task, failure } = asked;
      const holders = withHolder(failure.holders ?? {}, peer, counter);
      return () => recordOfFailure(task, { ...failure, holders });
    }
    if (asked.need.kind !== 'job') return undefined;
    const record: JobRecord | undefined = queries.jobRecord(asked.need.job);
    if (record === undefined || record.deleted !== undefined) return undefined;
    const { plan, bundle } = record.holders;
    const kept: JobRecord = {
      ...record,
      holders: {
        ...record.holders,
        plan: withHolder(plan, peer, counter),
        ...(record.spec.bundle !== undefined && { bundle: withHolder(bundle, peer, bundleCounter) }),
      },
    };
    return () => ({
      ...kept,
      acknowledged:
        kept.acknowledged || isJobHeldByTwo(kept, queries.jobRecord(record.id), queries.removed()),
    });
  }

  #refused(peer: PeerId, asked: Asked, reason: Extract<HoldOutcome, { kind: 'refused' }>['reason']): void {
    const { need } = asked;
    this.#release(asked);
    switch (reason) {
      case 'no-room':
        this.#init.peers.full(peer);
        return this.#init.onFailed(need, 'now');
      case 'unknown-job':
        this.#sendJobRecord(peer, need);
        return this.#init.onFailed(need, 'later');
      case 'unreachable':
        return this.#init.onFailed(need, 'later');
      case 'outdated':
        return this.#init.onFailed(need, 'never');
      case 'invalid':
        this.#components.logger.warn('A machine refuses to hold what it calls invalid.', {
          peer,
          need: keyOf(need) ?? need.kind,
        });
        return this.#init.onFailed(need, 'never');
    }
  }

  /** A job's record comes before those of its tasks (SPEC R57). */
  #sendJobRecord(peer: PeerId, need: Need): void {
    if (need.kind === 'records') return;
    const record = this.#components.queries.jobRecord(need.job);
    if (record === undefined) return;
    const id = this.#nextId++;
    const told: Need = { kind: 'records', records: [record], held: () => undefined };
    this.#asked.set(id, { need: told, files: false, kind: 'other' });
    this.#open.records++;
    this.#init.peers.ask(peer, { kind: 'records', id, records: [this.#components.bytesOf(record)] }, false);
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** What names a need; one of records alone is named by nothing but itself. */
export function keyOf(need: Need): string | undefined {
  switch (need.kind) {
    case 'result':
      return `${need.job}/${need.index}`;
    case 'job':
      return need.job;
    case 'log':
      return `log/${need.job}/${need.index}`;
    case 'records':
      return undefined;
  }
}
