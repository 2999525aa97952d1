import type { BlobHash, JobId, JobSpec } from '@cuadro/protocol';
import { contentOfJob } from '../blobs/bundle-files.ts';
import { isNoRoom } from '../blobs/errors.ts';
import type { BlobStore, PinOwner } from '../blobs/interface.ts';
import { PASSING } from '../blobs/pins.ts';
import type { FetchOptions, Transfer, WantedBlob } from '../blobs/transfer/interface.ts';
import type { CoreQueries } from '../core/interface.ts';
import { nextTurn } from '../system/turn.ts';

/** Files looked at in one turn of the event loop. */
export const FILES_PER_TURN = 128;

export interface HeldFilesComponents {
  readonly blobs: Pick<BlobStore, 'has' | 'read' | 'pin' | 'pins' | 'unpin' | 'unpinOwner'>;
  readonly transfer: Pick<Transfer, 'fetchMany' | 'ensureTree'>;
  readonly queries: Pick<CoreQueries, 'jobRecord'>;
}

/** What a copy is fetched with; it is pinned here. */
export type CopyFetch = Omit<FetchOptions, 'pin'>;

/**
 * Fetches and pins the files of copies for other machines. Another copy of the same job may need a file too, and this
 * machine may make it itself meanwhile (black frames are all alike). So what comes is pinned for this one copy, and for
 * the job once all of it is here: a copy that fails takes back its own pins, and nobody else's (SPEC R139).
 */
export class HeldFiles {
  readonly #components: HeldFilesComponents;
  #copies = 0;

  constructor(components: HeldFilesComponents) {
    this.#components = components;
  }

  async fetch(job: JobId, wanted: readonly WantedBlob[], options: CopyFetch): Promise<void> {
    const { blobs, transfer } = this.#components;
    const hashes = [...new Set(wanted.map(({ hash }) => hash))];
    const own = this.#ownPin();
    try {
      await transfer.fetchMany(wanted, { ...options, pin: own });
      await this.#keep(job, hashes);
    } catch (error) {
      // What came is needed soon: it is asked for again, or rendered here, and is released with the job's end (R53).
      // Where there is no room, or no such job any more, it would keep room for nothing.
      const came = hashes.filter((hash) => blobs.pins(hash).includes(own));
      if (!isNoRoom(error) && this.#isKnown(job)) await this.#keep(job, came).catch(() => undefined);
      throw error;
    } finally {
      // One by one: of a million pins those of one owner are found by a look at many.
      await Promise.all(hashes.map((hash) => blobs.unpin(hash, own))).catch(() => undefined);
    }
  }

  /** Whether all of them are here still, and pinned. */
  async areHere(job: JobId, wanted: readonly WantedBlob[]): Promise<boolean> {
    const { blobs } = this.#components;
    for (const { hash } of wanted) {
      if (!blobs.pins(hash).includes(job) || (await blobs.has(hash)) === undefined) return false;
    }
    return true;
  }

  /** Whether all that a job is made of is here still, and pinned. */
  async isJobHere(job: JobId, spec: Pick<JobSpec, 'plan' | 'bundle'>): Promise<boolean> {
    const content = await contentOfJob(this.#components.blobs, spec).catch(() => []);
    for (let from = 0; from < content.length; from += FILES_PER_TURN) {
      const part = content.slice(from, from + FILES_PER_TURN).map((hash) => ({ hash }));
      if (!(await this.areHere(job, part))) return false;
      await nextTurn();
    }
    return content.length > 0;
  }

  /** As `fetch`, of a bundle with all its files. */
  async fetchTree(job: JobId, bundle: BlobHash, options: CopyFetch): Promise<void> {
    const { blobs, transfer } = this.#components;
    const own = this.#ownPin();
    try {
      const { files } = await transfer.ensureTree(bundle, { ...options, pin: own });
      await this.#keep(job, [bundle, ...files.map(({ blob }) => blob)]);
    } finally {
      await blobs.unpinOwner(own).catch(() => undefined);
    }
  }

  #ownPin(): PinOwner {
    this.#copies += 1;
    return `${PASSING}copy-${this.#copies}`;
  }

  #isKnown(job: JobId): boolean {
    return this.#components.queries.jobRecord(job) !== undefined;
  }

  /** Of a job that was deleted meanwhile nothing is kept; whoever asked is told so. */
  async #keep(job: JobId, hashes: readonly BlobHash[]): Promise<void> {
    const { blobs, queries } = this.#components;
    if (queries.jobRecord(job)?.deleted !== undefined) return;
    await Promise.all(hashes.map((hash) => blobs.pin(hash, job)));
  }
}
