import type { BlobHash, JobId, JobSpec } from '@cuadro/protocol';
import { contentOfJob, filesOfBundle } from '../blobs/bundle-files.ts';
import { isNoRoom } from '../blobs/errors.ts';
import type { BlobStore } from '../blobs/interface.ts';
import type { FetchOptions, Transfer, WantedBlob } from '../blobs/transfer/interface.ts';
import type { CoreQueries } from '../core/interface.ts';
import { nextTurn } from '../system/turn.ts';

/** Files looked at in one turn of the event loop. */
const FILES_PER_TURN = 128;

export interface HeldFilesComponents {
  readonly blobs: Pick<BlobStore, 'has' | 'read' | 'pins' | 'pinnedBy' | 'unpin'>;
  readonly transfer: Pick<Transfer, 'fetchMany' | 'ensureTree'>;
  readonly queries: Pick<CoreQueries, 'jobRecord'>;
}

/** A file that copies are being made of. */
interface Use {
  copies: number;
  /** It was pinned before, or is by now for a copy that came to be: none that fails may take that back. */
  isKept: boolean;
}

/**
 * Fetches and pins the files of copies for other machines. A file may be one of several results of a job (black frames
 * are all alike), which are copied at the same time: where one of these copies fails, the pins of the others stay (SPEC
 * R139).
 */
export class HeldFiles {
  readonly #components: HeldFilesComponents;
  readonly #uses = new Map<string, Use>();

  constructor(components: HeldFilesComponents) {
    this.#components = components;
  }

  async fetch(job: JobId, wanted: readonly WantedBlob[], options: FetchOptions): Promise<void> {
    const { blobs, transfer } = this.#components;
    const hashes = [...new Set(wanted.map(({ hash }) => hash))];
    for (const hash of hashes) this.#begin(job, hash, blobs.pins(hash).includes(job));
    let isKept = true;
    try {
      await transfer.fetchMany(wanted, options);
    } catch (error) {
      // What came is needed soon: it is asked for again, or rendered here, and is released with the job's end (R53).
      // Where there is no room, or no such job any more, it would keep room for nothing.
      isKept = !isNoRoom(error) && this.#isWanted(job);
      throw error;
    } finally {
      const free = hashes.filter((hash) => this.#end(job, hash, isKept));
      await this.#unpin(job, free);
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
  async fetchTree(job: JobId, bundle: BlobHash, options: FetchOptions): Promise<void> {
    const { blobs, transfer } = this.#components;
    const before = new Set(blobs.pinnedBy(job));
    this.#begin(job, bundle, before.has(bundle));
    let isKept = false;
    try {
      await transfer.ensureTree(bundle, options);
      isKept = true;
    } finally {
      if (this.#end(job, bundle, isKept)) {
        const named = await filesOfBundle(blobs, bundle).catch(() => []);
        await this.#unpin(
          job,
          [bundle, ...named].filter((hash) => this.#isDeleted(job) || !before.has(hash)),
        );
      }
    }
  }

  #isWanted(job: JobId): boolean {
    const record = this.#components.queries.jobRecord(job);
    return record !== undefined && record.deleted === undefined;
  }

  /** What is fetched for a job is pinned as it comes, also after all that the job had here was released. */
  #isDeleted(job: JobId): boolean {
    return this.#components.queries.jobRecord(job)?.deleted !== undefined;
  }

  #begin(job: JobId, hash: BlobHash, isPinned: boolean): void {
    const key = keyOf(job, hash);
    const use = this.#uses.get(key);
    if (use === undefined) this.#uses.set(key, { copies: 1, isKept: isPinned });
    else use.copies += 1;
  }

  /** Whether its pin is to be taken back: the last copy has ended, and none came to be, or the job is deleted. */
  #end(job: JobId, hash: BlobHash, isKept: boolean): boolean {
    const key = keyOf(job, hash);
    const use = this.#uses.get(key);
    if (use === undefined) return false;
    use.copies -= 1;
    use.isKept ||= isKept;
    if (use.copies > 0) return false;
    this.#uses.delete(key);
    return !use.isKept || this.#isDeleted(job);
  }

  async #unpin(job: JobId, hashes: readonly BlobHash[]): Promise<void> {
    const { blobs } = this.#components;
    for (const hash of hashes) {
      // Somebody may have begun with it again meanwhile.
      const isFree = blobs.pins(hash).includes(job) && !this.#uses.has(keyOf(job, hash));
      if (isFree) await blobs.unpin(hash, job).catch(() => undefined);
    }
  }
}

const keyOf = (job: JobId, hash: BlobHash): string => `${job}/${hash}`;
