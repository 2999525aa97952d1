import {
  checkedBy,
  attemptKey,
  blobsOfResult,
  heldBy,
  heldLog,
  holdRequestSchema,
  withdrawnBy,
  type HoldAnswer,
  type HoldItem,
  type HoldOutcome,
  type HoldRefusal,
  type Holders,
  type KnownRecord,
  type PeerId,
  type TaskRecord,
} from '@cuadro/protocol';
import { BlobUnreachableError, isNoRoom } from '../blobs/errors.ts';
import { FrameError, FrameReader, FrameWriter, StallGuard } from '../blobs/transfer/frames.ts';
import type { WantedBlob } from '../blobs/transfer/interface.ts';
import type { CoreQueries } from '../core/interface.ts';
import type { Mesh, MeshStream } from '../mesh/interface.ts';
import type { Clock, Logger } from '../system/interface.ts';
import { copyLimits, type CopyOptions } from './copy-limits.ts';
import { GroupMerge } from './group-merge.ts';
import type { CopyFetch, HeldFiles } from './held-files.ts';
import { assertStill, holdJob } from './job-copy.ts';
import { holdingCounter, isHeldByTwo, recordOfFailure, withHolder } from './needs.ts';

export interface HoldingComponents {
  readonly mesh: Pick<Mesh, 'self' | 'serve' | 'refuse'>;
  readonly queries: Pick<CoreQueries, 'jobRecord' | 'taskRecord' | 'removed'>;
  /** Of all streams: what several of them ask for is one file. */
  readonly files: HeldFiles;
  /** The door (form and signatures): undefined for what may not come in. */
  readonly read: (bytes: Uint8Array) => KnownRecord | undefined;
  /** Merges records of a peer; resolves once they are durable. */
  readonly merge: (from: PeerId, records: KnownRecord[]) => Promise<void>;
  /** Records that a peer had held here, and may tell nobody else, are durable. */
  readonly learned: (from: PeerId) => void;
  /** This machine is about to leave: nothing more may count on it (SPEC R162). */
  readonly isLeaving: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

class Refused extends Error {
  readonly reason: HoldRefusal;
  constructor(reason: HoldRefusal) {
    super(`It is not held: ${reason}.`);
    this.reason = reason;
  }
}

/** The other side of a request for a copy (SPEC R57): files durable and pinned, then the record, then the answer. */
export class Holding {
  readonly #components: HoldingComponents;
  readonly #options: CopyOptions;
  readonly #streams = new Map<PeerId, number>();

  constructor(components: HoldingComponents, options: CopyOptions) {
    this.#components = components;
    this.#options = options;
  }

  start(): void {
    this.#components.mesh.serve('hold', (stream) => this.#serve(stream));
  }

  async #serve(stream: MeshStream): Promise<void> {
    const open = this.#streams.get(stream.peer) ?? 0;
    if (open >= copyLimits.streamsPerPeer) return stream.abort(new Error('Too many streams.'));
    this.#streams.set(stream.peer, open + 1);
    const session = new HoldSession(this.#components, stream, this.#options);
    try {
      await session.run();
    } finally {
      session.end();
      const left = (this.#streams.get(stream.peer) ?? 1) - 1;
      if (left === 0) this.#streams.delete(stream.peer);
      else this.#streams.set(stream.peer, left);
    }
  }
}

/** One stream: many things at once, each answered as soon as it is durable. */
class HoldSession {
  readonly #components: HoldingComponents;
  readonly #files: HeldFiles;
  readonly #stream: MeshStream;
  readonly #writer: FrameWriter;
  readonly #gone = new AbortController();
  readonly #merges: GroupMerge;
  #outstanding = 0;
  #outcomes: HoldOutcome[] = [];
  #writing: Promise<void> | undefined;
  #cancelWorking: (() => void) | undefined;

  constructor(components: HoldingComponents, stream: MeshStream, options: CopyOptions) {
    this.#components = components;
    this.#files = components.files;
    this.#stream = stream;
    this.#writer = new FrameWriter(stream, new StallGuard(components.clock, stream, options.stallMs));
    this.#merges = new GroupMerge((records) => components.merge(stream.peer, records));
  }

  async run(): Promise<void> {
    const reader = new FrameReader(this.#stream.chunks);
    for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
      const request = checkedBy(holdRequestSchema, frame.head);
      if (!request.success || frame.body.length > 0)
        throw new FrameError('That is no request to hold something.');
      this.#outstanding += request.data.items.length;
      if (this.#outstanding > copyLimits.outstanding) throw new FrameError('Too much is asked for at once.');
      for (const item of request.data.items) void this.#hold(item);
      this.#sayWorking();
    }
    // The asker waits for nothing more.
    await this.#writing;
  }

  end(): void {
    this.#cancelWorking?.();
    this.#gone.abort(new Error('The asker is gone.'));
  }

  async #hold(item: HoldItem): Promise<void> {
    let outcome: HoldOutcome;
    try {
      outcome = { kind: 'held', id: item.id, ...(await this.#make(item)) };
    } catch (error) {
      if (this.#gone.signal.aborted) return;
      outcome = { kind: 'refused', id: item.id, reason: this.#reasonOf(error) };
    }
    this.#outstanding -= 1;
    this.#outcomes.push(outcome);
    this.#answer();
  }

  #answer(): void {
    this.#writing ??= this.#write().finally(() => this.#written());
  }

  /** What ended after the last look is answered too: nobody else would come for it. */
  #written(): void {
    this.#writing = undefined;
    if (this.#outcomes.length > 0 && !this.#gone.signal.aborted) this.#answer();
  }

  #reasonOf(error: unknown): HoldRefusal {
    if (error instanceof Refused) return error.reason;
    if (isNoRoom(error)) return 'no-room';
    if (!(error instanceof BlobUnreachableError)) {
      const { peer } = this.#stream;
      this.#components.logger.warn('A copy for another machine failed.', { peer, error: String(error) });
    }
    return 'unreachable';
  }

  async #write(): Promise<void> {
    // Outcomes of one moment go together.
    await Promise.resolve();
    try {
      while (this.#outcomes.length > 0) {
        const outcomes = this.#outcomes.splice(0, 1_024);
        await this.#say({ kind: 'outcomes', outcomes });
      }
    } catch (error) {
      this.#stream.abort(error);
    }
  }

  async #say(answer: HoldAnswer): Promise<void> {
    await this.#writer.write(answer);
    await this.#writer.flush();
  }

  /** Files take their time; the asker must be able to tell that from a machine that hangs. */
  #sayWorking(): void {
    this.#cancelWorking ??= this.#components.clock.after(copyLimits.workingEveryMs, () => {
      this.#cancelWorking = undefined;
      if (this.#outstanding === 0 || this.#gone.signal.aborted) return;
      this.#writing ??= this.#say({ kind: 'working' })
        .catch((error: unknown) => this.#stream.abort(error))
        .then(() => this.#write())
        .finally(() => this.#written());
      this.#sayWorking();
    });
  }

  async #make(item: HoldItem): Promise<{ counter?: number; bundleCounter?: number }> {
    const held = await this.#makeDurable(item);
    // Asked last, since it may have come to that meanwhile.
    if (this.#components.isLeaving()) throw new Refused('no-room');
    return held;
  }

  #makeDurable(item: HoldItem): Promise<{ counter?: number; bundleCounter?: number }> {
    if (this.#components.isLeaving()) throw new Refused('no-room');
    switch (item.kind) {
      case 'result':
        return this.#holdResult(this.#read(item.record));
      case 'job':
        return this.#holdJob(this.#read(item.record));
      case 'records':
        return this.#holdRecords(item.records.map((bytes) => this.#read(bytes)));
      case 'failure':
        return this.#holdLog(this.#read(item.record));
    }
  }

  #read(bytes: Uint8Array): KnownRecord {
    const record = this.#components.read(bytes);
    if (record === undefined) {
      this.#components.mesh.refuse('invalid-record-to-hold', this.#stream.peer);
      throw new Refused('invalid');
    }
    return record;
  }

  async #holdResult(record: KnownRecord): Promise<{ counter: number }> {
    if (record.kind !== 'task') throw new Refused('invalid');
    const [result, ...others] = Object.values(record.results);
    const { peer: from } = this.#stream;
    if (result === undefined || others.length > 0 || result.holders[from]?.held !== true)
      throw new Refused('invalid');
    const { queries, mesh } = this.#components;
    this.#requireJob(record.job);
    const known = queries.taskRecord(record.job, record.index);
    if (known !== undefined && known.redo > record.redo) throw new Refused('outdated');
    const named = blobsOfResult(result);
    const options = this.#fetching(heldBy(result.holders));
    const needed = named.filter((blob) => blob.needed);
    if (needed.length > 0) await this.#files.fetch(record.job, needed, options);
    const extras = named.filter((blob) => !blob.needed);
    // A thumbnail and a log: what can't be had is no reason to hold nothing.
    if (extras.length > 0) await this.#files.fetch(record.job, extras, options).catch(() => undefined);
    // It may have been deleted meanwhile, and what came for it is released again.
    this.#requireJob(record.job);
    const key = attemptKey(result.attempt);
    const counter = holdingCounter(mesh.self, [result.holders, known?.results[key]?.holders]);
    const holders = withHolder(result.holders, mesh.self, counter);
    const held = (): TaskRecord => {
      const now = queries.taskRecord(record.job, record.index)?.results[key]?.holders;
      const state = isHeldByTwo(holders, now, queries.removed()) ? 'done' : result.state;
      return { ...record, results: { [key]: { ...result, state, holders } } };
    };
    await this.#merges.add(held);
    const withdraw = (): TaskRecord => ({
      ...record,
      results: { [key]: { ...result, holders: withdrawnBy(holders, mesh.self) } },
    });
    if (needed.length > 0) await this.#assertHere(record.job, { needed, options, withdraw });
    return { counter };
  }

  #assertHere(
    job: string,
    held: { needed: readonly WantedBlob[]; options: CopyFetch; withdraw: () => TaskRecord },
  ): Promise<void> {
    const { needed, options, withdraw } = held;
    return assertStill({
      areHere: () => this.#files.areHere(job, needed),
      assertWanted: () => this.#requireJob(job),
      fetch: () => this.#files.fetch(job, needed, options),
      withdraw: () => this.#merges.add(withdraw),
    });
  }

  async #holdJob(record: KnownRecord): Promise<{ counter: number; bundleCounter?: number }> {
    const { peer: from } = this.#stream;
    if (record.kind !== 'job' || record.holders.plan[from]?.held !== true) throw new Refused('invalid');
    if (record.deleted !== undefined) throw new Refused('outdated');
    this.#requireNotDeleted(record.id);
    const { plan, bundle } = record.holders;
    return holdJob(this.#components, record, {
      fetching: this.#fetching([...heldBy(plan), ...heldBy(bundle)]),
      merge: (held) => this.#merges.add(held),
      assertWanted: () => this.#requireNotDeleted(record.id),
    });
  }

  async #holdRecords(records: readonly KnownRecord[]): Promise<Record<string, never>> {
    await Promise.all(records.map((record) => this.#merges.add(record)));
    // Of one that leaves this was the last word (SPEC R160).
    this.#components.learned(this.#stream.peer);
    return {};
  }

  /** The log of a failed attempt (SPEC R133). */
  async #holdLog(record: KnownRecord): Promise<{ counter: number }> {
    if (record.kind !== 'task') throw new Refused('invalid');
    const [failure, ...others] = Object.values(record.failures);
    const log = failure && heldLog(failure, this.#stream.peer);
    if (failure === undefined || log === undefined || others.length > 0) throw new Refused('invalid');
    const { queries, mesh } = this.#components;
    this.#requireJob(record.job);
    const known = queries.taskRecord(record.job, record.index);
    if (known !== undefined && (known.redo > record.redo || known.retry > record.retry))
      throw new Refused('outdated');
    const needed = [{ hash: log }];
    const options = this.#fetching(heldBy(failure.holders ?? {}));
    await this.#files.fetch(record.job, needed, options);
    this.#requireJob(record.job);
    const of = (holders: Holders): TaskRecord => recordOfFailure(record, { ...failure, holders });
    const ofKnown = known?.failures[attemptKey(failure.attempt)]?.holders;
    const counter = holdingCounter(mesh.self, [failure.holders, ofKnown]);
    const holders = withHolder(failure.holders ?? {}, mesh.self, counter);
    await this.#merges.add(of(holders));
    const withdraw = (): TaskRecord => of(withdrawnBy(holders, mesh.self));
    await this.#assertHere(record.job, { needed, options, withdraw });
    return { counter };
  }

  /** A result without its job could neither be shown nor told from one of a deleted job. */
  #requireJob(job: string): void {
    if (this.#components.queries.jobRecord(job) === undefined) throw new Refused('unknown-job');
    this.#requireNotDeleted(job);
  }

  #requireNotDeleted(job: string): void {
    if (this.#components.queries.jobRecord(job)?.deleted !== undefined) throw new Refused('outdated');
  }

  #fetching(others: readonly PeerId[]): CopyFetch {
    const holders = [this.#stream.peer, ...others];
    return { holders: () => holders, signal: this.#gone.signal };
  }
}
