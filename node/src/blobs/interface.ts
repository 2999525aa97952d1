import type { SignalOption, Startable } from '../system/interface.ts';

export type { SignalOption } from '../system/interface.ts';

/**
 * The content-addressed file store of one node (DESIGN.md section 6). A blob is named by the SHA-256 of its
 * bytes, whatever its size; its *manifest* lists the hashes of its pieces, so that ranges can be verified alone
 * and, later, pieces fetched from any holder. Everything a promise of this interface reports as stored is
 * durable: content, name and folder have been through fsync before it resolves.
 */

/** SHA-256 in lower-case hexadecimal, 64 characters. */
export type BlobHash = string;

/**
 * Who keeps a blob from being evicted: a job id, or another stable name (1 to 200 printable characters). One that begins
 * with `PASSING` (pins.ts) needs it for the moment: its pins hold like others, but are not written down, and are gone
 * with the next start.
 */
export type PinOwner = string;

export interface BlobInfo {
  readonly hash: BlobHash;
  readonly sizeBytes: number;
}

/** The pieces of a blob. Piece size follows from `sizeBytes` alone, so every honest holder has the same manifest. */
export interface BlobManifest extends BlobInfo {
  readonly pieceBytes: number;
  /** One hash per piece, in order; the last piece may be shorter. An empty blob has none. */
  readonly pieces: readonly BlobHash[];
}

export interface PutOptions extends SignalOption {
  /** Pins the blob for this owner, durably, before the promise resolves. */
  readonly pin?: PinOwner;
  /** Refuses with `blob-mismatch` (and keeps nothing) when the content has another hash. */
  readonly expectedHash?: BlobHash;
}

export interface PutFileOptions extends PutOptions {
  /**
   * `copy` leaves the source alone. `move` takes it: after success the source is gone; after a failure it is
   * where it was. Nobody may write to a moved file any more.
   */
  readonly mode: 'copy' | 'move';
}

/** One item of `putMany`. */
export type BlobSource =
  | { readonly path: string; readonly mode: 'copy' | 'move' }
  | { readonly bytes: Uint8Array };

/**
 * A blob on its way in, piece by piece and in any order: what transfer fetches from several holders at once. Nothing
 * of it can be read before `finish`.
 */
export interface BlobArrival {
  readonly manifest: BlobManifest;
  /** Indices of the pieces that are not here yet, ascending. */
  missing(): number[];
  /**
   * Verifies a piece and puts it in its place; one that is here already is left alone. The caller keeps the bytes
   * as they are until it resolves.
   * @throws `blob-mismatch` where the bytes are not that piece (nothing is written), `store-full`.
   */
  write(index: number, bytes: Uint8Array): Promise<void>;
  /**
   * A piece that is here, verified again; undefined for one that isn't, or no longer. While `finish` is under way too,
   * until the blob is there under its own hash. `into` as in `OpenOptions`.
   */
  read(index: number, into?: Uint8Array): Promise<Uint8Array | undefined>;
  /**
   * After the last piece: makes the blob durable, and readable. An abort ends it as `suspend` does.
   * @throws `blob-mismatch` where the pieces fit the manifest and the whole is another blob: the manifest was made
   * up, and everything is discarded.
   */
  finish(options?: PutOptions): Promise<BlobInfo>;
  /** Ends it, and keeps what is here for a later `receive` (also after a restart) as long as nobody needs the room. */
  suspend(): Promise<void>;
}

/** Bytes `start` (inclusive) to `end` (exclusive) of a blob. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface OpenOptions extends SignalOption {
  /** Default: the whole blob. A range that leaves the blob is refused with a RangeError. */
  readonly range?: ByteRange;
  /** Memory that may be used for what is read, where it is shared between threads and a piece fits. */
  readonly into?: Uint8Array;
}

export interface BlobReader extends BlobInfo {
  /** Length of what `chunks` yields. */
  readonly lengthBytes: number;
  /**
   * Verified bytes, at most a piece per chunk; read once. A chunk lasts until the next one is asked for. Throws
   * `blob-corrupt` in the place of the first piece that is damaged: nothing unverified is ever yielded.
   */
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface ReadOptions extends SignalOption {
  /** Refuses larger blobs with `blob-too-large`; default `readBytesMax` of the options. */
  readonly maxBytes?: number;
}

export interface MaterializeOptions extends SignalOption {
  /** Permission bits of the new file; default 0o444, read-only. */
  readonly fileMode?: number;
  /** Also fsyncs the file and its folder before resolving; default false. */
  readonly durable?: boolean;
  /** What to do when the destination exists: `replace` (default) or `refuse` with `destination-exists`. */
  readonly existing?: 'replace' | 'refuse';
}

export interface BlobUsage {
  readonly usedBytes: number;
  readonly pinnedBytes: number;
  readonly blobs: number;
  readonly quotaBytes: number;
  readonly freeDiskBytes: number;
  readonly reserveBytes: number;
  /** False: the node must not claim work whose results it couldn't keep; `reason` says why in one sentence. */
  readonly accepting: boolean;
  readonly reason?: string;
}

export interface GarbageReport {
  readonly evictedBlobs: number;
  readonly evictedBytes: number;
}

export interface CheckOptions extends SignalOption {
  /** Goes on behind this one: only what comes after it in the order is read. */
  readonly after?: BlobHash | undefined;
  /** Awaited after each stretch of a large file but the last: whoever checks in its own time gives way in it. */
  readonly rest?: (signal: AbortSignal) => Promise<void>;
}

export interface BlobCheck {
  readonly hash: BlobHash;
  /** `missing`: pinned, but not here. `corrupt`: damaged, and now in quarantine. */
  readonly state: 'ok' | 'corrupt' | 'missing';
}

export type BlobEvent =
  | { readonly type: 'blob-stored'; readonly hash: BlobHash; readonly sizeBytes: number }
  | { readonly type: 'blob-corrupt'; readonly hash: BlobHash; readonly pinnedBy: readonly PinOwner[] }
  | { readonly type: 'blob-missing'; readonly hash: BlobHash; readonly pinnedBy: readonly PinOwner[] }
  | { readonly type: 'blob-evicted'; readonly hash: BlobHash; readonly sizeBytes: number }
  /** The store stopped or resumed accepting; `usage.reason` is the sentence to show. */
  | { readonly type: 'accepting-changed'; readonly usage: BlobUsage };

/**
 * Who calls: the worker (puts results, restores bundles), the API (serves frames), the replicas (pin by records), the
 * transfer (serves pieces, puts what it fetched with `expectedHash` or piece by piece). All methods need a started store.
 * Errors: the classes of errors.ts; an abort rejects with the signal's reason and leaves nothing behind.
 */
export interface BlobStore extends Startable {
  has(hash: BlobHash): Promise<BlobInfo | undefined>;
  putFile(path: string, options: PutFileOptions): Promise<BlobInfo>;
  putBytes(bytes: Uint8Array, options?: PutOptions): Promise<BlobInfo>;
  /** Stores what a stream delivers: fetched content, uploads. `sizeBytes` is the announced length, checked. */
  putStream(
    chunks: AsyncIterable<Uint8Array>,
    options: PutOptions & { readonly sizeBytes: number },
  ): Promise<BlobInfo>;
  /** Stores many at once with shared folder syncs; results in the order of the sources. The first failure stops it. */
  putMany(
    sources: readonly BlobSource[],
    options?: SignalOption & { readonly pin?: PinOwner },
  ): Promise<BlobInfo[]>;

  /**
   * Begins, or goes on with, a blob that is fetched in pieces: one arrival of a blob at a time. Room for the whole
   * blob is promised until it ends.
   * @throws `blob-mismatch` for a manifest that can't be any blob's, `store-full`.
   */
  receive(manifest: BlobManifest, options?: SignalOption): Promise<BlobArrival>;

  open(hash: BlobHash, options?: OpenOptions): Promise<BlobReader>;
  /** The whole blob, verified, in memory. */
  read(hash: BlobHash, options?: ReadOptions): Promise<Uint8Array>;
  manifest(hash: BlobHash, options?: SignalOption): Promise<BlobManifest>;
  /** A verified file of its own at `destination` (reflink or copy; temporary name, then rename). */
  materialize(hash: BlobHash, destination: string, options?: MaterializeOptions): Promise<void>;
  /** Hashes any regular file off the event loop, without storing it. */
  hashFile(path: string, options?: SignalOption): Promise<BlobInfo>;

  /** Holds at once, and is durable when it resolves. A blob may be pinned before it is here. Repeating it changes nothing. */
  pin(hash: BlobHash, owner: PinOwner): Promise<void>;
  unpin(hash: BlobHash, owner: PinOwner): Promise<void>;
  /** Gives up all pins of a job at once. */
  unpinOwner(owner: PinOwner): Promise<void>;
  pins(hash: BlobHash): readonly PinOwner[];
  pinnedBy(owner: PinOwner): readonly BlobHash[];
  /** Everyone who pins anything. */
  pinOwners(): readonly PinOwner[];

  usage(): Promise<BlobUsage>;
  /** Evicts unpinned blobs, least recently used first, until quota and reserve hold. */
  collectGarbage(): Promise<GarbageReport>;
  /**
   * Every pin without a blob, then every blob read and verified, one at a time in the order of their hashes; what is
   * damaged goes to quarantine.
   */
  check(options?: CheckOptions): AsyncIterable<BlobCheck>;
  /** Listeners are called synchronously; the returned function removes the listener. */
  subscribe(listener: (event: BlobEvent) => void): () => void;
}
