import { BUNDLE_BYTES_MAX, readBundle, type JobId, type JobRecord, type TaskResult } from '@cuadro/protocol';
import type { BlobStore } from '../blobs/interface.ts';
import type { Clock } from '../system/interface.ts';
import { CopyMarks } from './copy-marks.ts';
import type { IsLive } from './needs.ts';

/** What may be asked for at once after a rest: more would be a burst, less would never fill a line. */
const BURST_MS = 1_000;
/** It is looked again at least this often, since the rate changes as this machine renders, in milliseconds. */
const LOOK_AGAIN_MS = 1_000;

const MIB = 2 ** 20;
/** The share of the bound that is left to copies while this machine renders: frames go before. */
const WHILE_RENDERING = 0.25;

/** How fast copies in place of lost ones may be asked for, in bytes per second; a bound of 0 is none. */
export function repairRate(mibPerSecond: number, renders: boolean): number {
  if (mibPerSecond === 0) return Number.POSITIVE_INFINITY;
  return mibPerSecond * MIB * (renders ? WHILE_RENDERING : 1);
}

export interface RepairsComponents {
  readonly clock: Clock;
  readonly blobs: Pick<BlobStore, 'read'>;
  /** How much may be asked for in a second, now; infinite without a bound. */
  readonly repairBytesPerSecond: () => number;
}

/**
 * Copies in place of ones that are gone, at a bounded rate (SPEC R164). What is asked for is paid for by its size,
 * also where that is more than there is: then the next waits so much longer.
 */
export class CopyRepairs {
  /** Results that were on two machines already. */
  readonly marks = new CopyMarks();
  readonly #components: RepairsComponents;
  readonly #onReady: () => void;
  /** Bytes of the scenes of jobs that wait; undefined while they are being read. */
  readonly #scenes = new Map<JobId, number | undefined>();
  #credit = Number.POSITIVE_INFINITY;
  #creditAtMs = 0;
  #cancel: (() => void) | undefined;

  constructor(components: RepairsComponents, init: { onReady: () => void }) {
    this.#components = components;
    this.#onReady = init.onReady;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Whether one may be asked for now; else it is told when that may be. */
  get isReady(): boolean {
    this.#earn();
    if (this.#credit > 0) return true;
    this.#later();
    return false;
  }

  spend(bytes: number): void {
    this.#earn();
    this.#credit -= bytes;
  }

  /** Whether a job's content was on machines that hold it no more. */
  isOfJob({ holders }: JobRecord, isLive: IsLive): boolean {
    return Object.entries(holders.plan).some(([peer, { held }]) => !held || !isLive(peer));
  }

  /** The same as `isReady` of a job, whose size has to be read first. */
  isJobReady({ id, spec: { bundle } }: JobRecord): boolean {
    if (!this.isReady) return false;
    if (bundle === undefined || this.#scenes.get(id) !== undefined) return true;
    if (!this.#scenes.has(id)) void this.#readSize(id, bundle);
    return false;
  }

  /** The job was asked for. */
  takeJob(job: JobId): void {
    this.spend(this.#scenes.get(job) ?? 0);
    this.#scenes.delete(job);
  }

  /** What a result's files take. */
  takeResult({ files }: TaskResult): void {
    this.spend(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  }

  async #readSize(job: JobId, bundle: string): Promise<void> {
    this.#scenes.set(job, undefined);
    // What can't be read here is told by whoever asks for it; it costs nothing on the wire.
    const bytes = await this.#components.blobs
      .read(bundle, { maxBytes: BUNDLE_BYTES_MAX })
      .then((read) => readBundle(read).files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
      .catch(() => 0);
    this.#scenes.set(job, bytes);
    this.#onReady();
  }

  #earn(): void {
    const { clock, repairBytesPerSecond } = this.#components;
    const nowMs = clock.now();
    const perSecond = repairBytesPerSecond();
    const seconds = Math.max(0, nowMs - this.#creditAtMs) / 1_000;
    this.#creditAtMs = nowMs;
    if (!Number.isFinite(perSecond)) this.#credit = Number.POSITIVE_INFINITY;
    else this.#credit = Math.min((BURST_MS / 1_000) * perSecond, this.#credit + seconds * perSecond);
  }

  #later(): void {
    this.#cancel ??= this.#components.clock.after(LOOK_AGAIN_MS, () => {
      this.#cancel = undefined;
      this.#onReady();
    });
  }
}
