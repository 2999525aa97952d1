import type { JobId, TaskIndex } from '@cuadro/protocol';
import type { BlobHash, PinOwner } from './interface.ts';
import type { SignalOption } from '../system/interface.ts';
import type { WantedBlob } from './transfer/interface.ts';

/** What a file belongs to: tells at once which machines hold it. */
export interface ContentPlace {
  readonly job?: JobId;
  readonly task?: TaskIndex;
}

export interface EnsureOptions extends SignalOption {
  /**
   * Waits for machines to come back instead of failing; told with one sentence each time it begins to wait. The
   * signal ends such a wait, and `waitMaxMs`.
   */
  readonly onWaiting?: (sentence: string) => void;
  /** So long it waits at most, in milliseconds, and then fails all the same; for ever without it. */
  readonly waitMaxMs?: number;
  /** Each file is kept for this owner from when it has come; the caller takes that back, also after a failure. */
  readonly pin?: PinOwner;
  readonly onProgress?: (progress: {
    readonly doneBytes: number;
    readonly sizeBytes: number | undefined;
  }) => void;
}

/**
 * Brings content here that other machines hold. Who calls: whoever is about to read what the records name. Each
 * resolves when everything is here, at once where it is here already.
 * Errors: `BlobUnreachableError` unless `onWaiting` is given; those of the blob store.
 */
export interface ContentSource {
  ensure(hash: BlobHash, place: ContentPlace, options?: EnsureOptions): Promise<void>;
  ensureMany(blobs: readonly WantedBlob[], place: ContentPlace, options?: EnsureOptions): Promise<void>;
  /** The bundle itself, and every file that it names. */
  ensureTree(bundle: BlobHash, place: ContentPlace, options?: EnsureOptions): Promise<void>;
}

/** Of a machine that has no others: what isn't here is nowhere, and the store says so to whoever reads it. */
export const localContent: ContentSource = {
  ensure: () => Promise.resolve(),
  ensureMany: () => Promise.resolve(),
  ensureTree: () => Promise.resolve(),
};
