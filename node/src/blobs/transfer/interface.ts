import type { BlobsRequest, Bundle, PeerId } from '@cuadro/protocol';
import type { SignalOption, Startable } from '../../system/interface.ts';
import type { BlobHash, BlobInfo, PinOwner } from '../interface.ts';
import type { TreeSums } from './ledger.ts';
import type { Flow } from './rates.ts';

/** How far a file or a tree is. */
export interface FetchProgress {
  readonly doneBytes: number;
  /** Undefined as long as nobody has said how large it is. */
  readonly sizeBytes: number | undefined;
  /** Machines that brought a part of it. */
  readonly from: readonly PeerId[];
}

export interface FetchOptions extends SignalOption {
  /** Who is known to hold it; asked again whenever the known ones are exhausted. Called often: must be cheap. */
  readonly holders: () => readonly PeerId[];
  /** Who may have a tree as well: they are asked what they have of it. Called as often. */
  readonly others?: () => readonly PeerId[];
  /** Pinned for this owner before the promise resolves. */
  readonly pin?: PinOwner;
  readonly onProgress?: (progress: FetchProgress) => void;
}

/** A file to fetch; its size, where it is known, lets requests be cut well. */
export interface WantedBlob {
  readonly hash: BlobHash;
  readonly sizeBytes?: number;
}

export interface TransferStatus {
  readonly active: readonly ({ readonly hash: BlobHash } & FetchProgress)[];
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Requests made of others, by kind: of small files each asks for many. */
  readonly requests: Readonly<Record<BlobsRequest['kind'], number>>;
  /** Holders that no caller knew, by how they were found: they said so when asked, or a provider record named them. */
  readonly found: Readonly<Record<'asked' | 'record', number>>;
  /** Machines that sent what didn't fit, how often, and of which file last. */
  readonly liars: Readonly<Record<PeerId, { readonly count: number; readonly hash: BlobHash }>>;
}

/** What comes here at the moment: sums alone, which cost the same for any number of files. */
export interface TransferSums {
  /** Bundles of which something is missing here. */
  readonly trees: readonly TreeSums[];
  /** All that comes of each machine, the fastest first. */
  readonly flows: readonly Flow[];
  /** Machines that are asked for nothing for a while, since they sent what did not fit. */
  readonly shunned: readonly PeerId[];
}

/**
 * Brings stored files here from other machines, and serves them to others. Start it before the mesh, stop it after.
 * One fetch of a file is shared by all who wait for it; giving up a wait stops it only when nobody else waits. What
 * was begun and not ended is gone on with later, also after a restart.
 * Errors: `BlobUnreachableError` when nobody who holds it answers, `store-full`, `store-unwritable`.
 */
export interface Transfer extends Startable {
  /** Resolves when the file is here, whole, durable and pinned; at once where it is here already. */
  fetch(hash: BlobHash, options: FetchOptions): Promise<BlobInfo>;
  /** As `fetch` for many, identical ones once, small ones many in a round trip. The first failure is thrown. */
  fetchMany(blobs: readonly WantedBlob[], options: FetchOptions): Promise<void>;
  /** The bundle's own file, then all that it names; afterwards this machine is told to the farm as one that has it. */
  ensureTree(bundle: BlobHash, options: FetchOptions): Promise<Bundle>;
  /** Tells the farm, from now on, that a bundle can be had here. */
  announce(hash: BlobHash): void;
  status(): TransferStatus;
  sums(): TransferSums;
}
