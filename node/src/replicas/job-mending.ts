import type { BlobHash, JobId, JobRecord, PeerId } from '@cuadro/protocol';
import { entriesOfBundle } from '../blobs/bundle-files.ts';
import { BlobStoreError, BlobUnreachableError } from '../blobs/errors.ts';
import type { BlobStore } from '../blobs/interface.ts';
import type { CoreQueries } from '../core/interface.ts';
import type { Mesh } from '../mesh/interface.ts';
import type { Clock, Logger } from '../system/interface.ts';
import { nextTurn } from '../system/turn.ts';
import { copyLimits } from './copy-limits.ts';
import type { CopyPeers } from './copy-peers.ts';
import type { CopyRepairs } from './copy-repairs.ts';
import { FILES_PER_TURN, type HeldFiles } from './held-files.ts';
import { holdJob } from './job-copy.ts';
import { hasHeldJob, jobNeedsMending } from './needs.ts';

export interface MendingComponents {
  readonly mesh: Pick<Mesh, 'self' | 'reachable'>;
  readonly blobs: Pick<BlobStore, 'has' | 'read'>;
  readonly files: Pick<HeldFiles, 'fetch' | 'fetchTree' | 'isJobHere'>;
  readonly queries: Pick<CoreQueries, 'jobRecord' | 'removed'>;
  readonly merge: (from: PeerId, records: JobRecord[]) => Promise<void>;
  /** What can't be had of a job has changed. */
  readonly onLacking?: (job: JobId) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface MendingInit {
  readonly peers: Pick<CopyPeers, 'isLeaving' | 'isThere'>;
  readonly repairs: Pick<CopyRepairs, 'isReady' | 'spend'>;
}

/** A job of which this machine lacks something, and which no other holds whole. */
interface Lacking {
  /** When it is looked for next, by the monotonic clock. */
  atMs: number;
  /** When it was looked for last. */
  endedMs: number;
  /** Nobody came within reach since who wasn't asked. */
  isTried: boolean;
  /** The pause before the next time. */
  pauseMs: number;
  /** What can't be had, in one sentence. */
  sentence: string | undefined;
}

/**
 * Has jobs whole again of which no machine holds everything (SPEC R185): one may have lost the plan, and another a file
 * of the scene. A copy is asked for by who holds all of it, so here nobody would ask. Each that held the job looks for
 * what it lacks at everybody within reach, one job at a time; once one of them has all, it asks the others as usual. Where
 * only machines held it that were removed since, any member does so: what it has of the job, as it rendered of it, is
 * promised to nobody else (SPEC R188).
 */
export class JobMending {
  readonly #components: MendingComponents;
  readonly #init: MendingInit;
  readonly #jobs = new Map<JobId, Lacking>();
  readonly #stop = new AbortController();
  #running: { readonly job: JobId; readonly over: AbortController; ended: Promise<void> } | undefined;
  #cancel: (() => void) | undefined;

  constructor(components: MendingComponents, init: MendingInit) {
    this.#components = components;
    this.#init = init;
  }

  async stop(): Promise<void> {
    this.#cancel?.();
    this.#stop.abort(new Error('The node stops.'));
    this.#running?.over.abort(this.#stop.signal.reason);
    await this.#running?.ended;
  }

  /** Jobs of which it isn't known yet whether they can be had whole. */
  get untried(): number {
    let untried = 0;
    for (const [job, { isTried }] of this.#jobs) if (!isTried || this.#running?.job === job) untried++;
    return untried;
  }

  lacking(job: JobId): string | undefined {
    return this.#jobs.get(job)?.sentence;
  }

  /** Its holders may be others now, or count no more. */
  lookAt(record: JobRecord): void {
    const { mesh, queries, clock } = this.#components;
    const rule = { isLive: this.#init.peers.isThere, removed: queries.removed() };
    if (!jobNeedsMending(record, mesh.self, rule)) return this.#drop(record.id);
    if (this.#jobs.has(record.id)) return;
    const atMs = clock.now() + this.#waitMs(record);
    this.#jobs.set(record.id, {
      atMs,
      // Nor does it begin sooner when somebody comes within reach.
      endedMs: atMs - copyLimits.retryMs,
      isTried: false,
      pauseMs: copyLimits.retryMs,
      sentence: undefined,
    });
    this.#pump();
  }

  /** Of what only removed machines held any member may take the first copy: each after those before it had the time. */
  #waitMs(record: JobRecord): number {
    const { mesh } = this.#components;
    if (hasHeldJob(record, mesh.self) || this.#init.peers.isLeaving) return 0;
    return mesh.reachable().filter((peer) => peer < mesh.self).length * copyLimits.retryMs;
  }

  /** It was deleted. */
  forget(job: JobId): void {
    this.#drop(job);
    if (this.#running?.job === job) this.#running.over.abort(new Error('The job was deleted.'));
  }

  #drop(job: JobId): void {
    const known = this.#jobs.get(job);
    if (known === undefined) return;
    this.#jobs.delete(job);
    if (known.sentence !== undefined) this.#components.onLacking?.(job);
  }

  /** Somebody may be there who has what was not to be had. */
  reachChanged(): void {
    for (const lacking of this.#jobs.values()) {
      lacking.isTried = false;
      lacking.pauseMs = copyLimits.retryMs;
      lacking.atMs = Math.min(lacking.atMs, lacking.endedMs + copyLimits.retryMs);
    }
    this.#pump();
  }

  #pump(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#running !== undefined || this.#stop.signal.aborted) return;
    const next = [...this.#jobs].reduce<[JobId, Lacking] | undefined>(
      (first, one) => (first === undefined || one[1].atMs < first[1].atMs ? one : first),
      undefined,
    );
    if (next === undefined) return;
    const { clock } = this.#components;
    const [job, lacking] = next;
    const { peers, repairs } = this.#init;
    const waitMs = lacking.atMs - clock.now();
    // A machine that leaves is waited for by a person.
    const isReady = peers.isLeaving || repairs.isReady;
    if (waitMs <= 0 && isReady) this.#begin(job, lacking);
    else this.#cancel = clock.after(waitMs > 0 ? waitMs : copyLimits.retryMs, () => this.#pump());
  }

  #begin(job: JobId, lacking: Lacking): void {
    const over = new AbortController();
    // Who comes from now on may come too late for this time.
    lacking.isTried = true;
    const ended = this.#mend(job, over.signal)
      .catch((error: unknown) => this.#explain(job, error))
      .then((sentence) => {
        this.#running = undefined;
        lacking.endedMs = this.#components.clock.now();
        lacking.atMs = lacking.endedMs + lacking.pauseMs;
        lacking.pauseMs = Math.min(2 * lacking.pauseMs, copyLimits.mendPauseMaxMs);
        this.#tell(job, lacking, sentence);
        this.#pump();
      });
    this.#running = { job, over, ended };
  }

  #tell(job: JobId, lacking: Lacking, sentence: string | undefined): void {
    if (this.#stop.signal.aborted || lacking.sentence === sentence || this.#jobs.get(job) !== lacking) return;
    lacking.sentence = sentence;
    if (sentence !== undefined) this.#components.logger.warn(sentence, { job });
    this.#components.onLacking?.(job);
  }

  async #mend(job: JobId, signal: AbortSignal): Promise<undefined> {
    const { queries, files, mesh, merge } = this.#components;
    const record = queries.jobRecord(job);
    if (record === undefined || record.deleted !== undefined) return;
    const { plan, bundle } = record.holders;
    // Whoever held it may have what is missing here; all others are asked after them.
    const known = [...new Set([...Object.keys(plan), ...Object.keys(bundle)])];
    const fetching = { holders: () => known, signal };
    const list = [record.spec.plan, record.spec.bundle].flatMap((hash) => hash ?? []);
    await files.fetch(
      job,
      list.map((hash) => ({ hash })),
      fetching,
    );
    const bytes = await this.#missingBytes(record.spec.bundle);
    await holdJob(this.#components, record, {
      fetching,
      merge: (held) => merge(mesh.self, [held()]),
      assertWanted: () => {
        if (queries.jobRecord(job)?.deleted !== undefined) throw new Error('It was deleted.');
      },
    });
    this.#init.repairs.spend(bytes);
  }

  async #missingBytes(bundle: BlobHash | undefined): Promise<number> {
    const { blobs } = this.#components;
    let bytes = 0;
    const entries = bundle === undefined ? [] : await entriesOfBundle(blobs, bundle);
    for (const [i, { blob, sizeBytes }] of entries.entries()) {
      if (i % FILES_PER_TURN === FILES_PER_TURN - 1) await nextTurn();
      if ((await blobs.has(blob)) === undefined) bytes += sizeBytes;
    }
    return bytes;
  }

  async #explain(job: JobId, error: unknown): Promise<string> {
    const { queries, mesh } = this.#components;
    const record = queries.jobRecord(job);
    // What a machine that was removed took along was never here.
    const wasHere = record === undefined || hasHeldJob(record, mesh.self);
    const [isLost, again] = wasHere ? ['is damaged or gone here', ' again'] : ['is not here', ''];
    if (!(error instanceof BlobUnreachableError)) {
      const why = error instanceof BlobStoreError ? error.message : String(error);
      return `A part of it ${isLost}, and can't be had${again}: ${why}`;
    }
    const what = await this.#nameOf(job, error.hash);
    return `${what} ${isLost}, and no machine within reach has it. It is looked for again; if no other has it, submit the job again.`;
  }

  async #nameOf(job: JobId, hash: BlobHash): Promise<string> {
    const { blobs, queries } = this.#components;
    const { plan, bundle } = queries.jobRecord(job)?.spec ?? {};
    if (hash === plan) return 'Its plan';
    if (bundle === undefined || hash === bundle) return "The list of its scene's files";
    const entries = await entriesOfBundle(blobs, bundle).catch(() => []);
    const path = entries.find(({ blob }) => blob === hash)?.path;
    return path === undefined ? 'A file of its scene' : `The file ${path} of its scene`;
  }
}
