/** The failures of the blob store; callers branch on `code`. */

export type BlobErrorCode =
  | 'blob-not-found'
  | 'blob-unreachable'
  | 'blob-corrupt'
  | 'blob-mismatch'
  | 'blob-too-large'
  | 'blob-hash-invalid'
  | 'blob-source-unreadable'
  | 'store-full'
  | 'store-unwritable'
  | 'store-stopped'
  | 'destination-exists'
  | 'destination-unwritable'
  | 'tree-path-unsafe';

export abstract class BlobStoreError extends Error {
  abstract readonly code: BlobErrorCode;
}

export class BlobNotFoundError extends BlobStoreError {
  override readonly name = 'BlobNotFoundError';
  readonly code = 'blob-not-found';
  readonly hash: string;
  constructor(hash: string) {
    super(`The file ${hash.slice(0, 12)} is not stored on this machine.`);
    this.hash = hash;
  }
}

/** Nobody who holds it can be reached now; it may be asked for again when a machine comes back. */
export class BlobUnreachableError extends BlobStoreError {
  override readonly name = 'BlobUnreachableError';
  readonly code = 'blob-unreachable';
  readonly hash: string;
  /** Peer ids of the machines that are known to hold it. */
  readonly holders: readonly string[];
  constructor(hash: string, holders: readonly string[], reason: string) {
    super(`The file ${hash.slice(0, 12)} can't be fetched now: ${reason}.`);
    this.hash = hash;
    this.holders = holders;
  }
}

export class BlobCorruptError extends BlobStoreError {
  override readonly name = 'BlobCorruptError';
  readonly code = 'blob-corrupt';
  readonly hash: string;
  constructor(hash: string) {
    super(`The stored file ${hash.slice(0, 12)} is damaged; it was taken out of use.`);
    this.hash = hash;
  }
}

/** The content is not what the caller said it would be, or changed while it was read. */
export class BlobMismatchError extends BlobStoreError {
  override readonly name = 'BlobMismatchError';
  readonly code = 'blob-mismatch';
}

export class BlobTooLargeError extends BlobStoreError {
  override readonly name = 'BlobTooLargeError';
  readonly code = 'blob-too-large';
  readonly sizeBytes: number;
  readonly maxBytes: number;
  constructor(sizeBytes: number, maxBytes: number) {
    super(`The file has ${sizeBytes} bytes; at most ${maxBytes} can be read at once.`);
    this.sizeBytes = sizeBytes;
    this.maxBytes = maxBytes;
  }
}

export class BlobHashInvalidError extends BlobStoreError {
  override readonly name = 'BlobHashInvalidError';
  readonly code = 'blob-hash-invalid';
  constructor() {
    super('A file hash has 64 lower-case hexadecimal digits.');
  }
}

export class BlobSourceUnreadableError extends BlobStoreError {
  override readonly name = 'BlobSourceUnreadableError';
  readonly code = 'blob-source-unreadable';
  readonly path: string;
  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`${path} cannot be read: ${reason}.`, options);
    this.path = path;
  }
}

/** Neither evicting nor waiting helps: the disk, or the quota together with the pins, has no room. */
export class StoreFullError extends BlobStoreError {
  override readonly name = 'StoreFullError';
  readonly code = 'store-full';
  readonly neededBytes: number;
  readonly freeBytes: number;
  constructor(neededBytes: number, freeBytes: number, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.neededBytes = neededBytes;
    this.freeBytes = freeBytes;
  }
}

export class StoreUnwritableError extends BlobStoreError {
  override readonly name = 'StoreUnwritableError';
  readonly code = 'store-unwritable';
  readonly folder: string;
  constructor(folder: string, options?: ErrorOptions) {
    super(`The data folder ${folder} cannot be written to.`, options);
    this.folder = folder;
  }
}

export class StoreStoppedError extends BlobStoreError {
  override readonly name = 'StoreStoppedError';
  readonly code = 'store-stopped';
  constructor() {
    super('The file store is not running.');
  }
}

export class DestinationExistsError extends BlobStoreError {
  override readonly name = 'DestinationExistsError';
  readonly code = 'destination-exists';
  readonly path: string;
  constructor(path: string) {
    super(`${path} exists already.`);
    this.path = path;
  }
}

/** The folder that a file should be written into refuses it, or its disk is full. */
export class DestinationUnwritableError extends BlobStoreError {
  override readonly name = 'DestinationUnwritableError';
  readonly code = 'destination-unwritable';
  readonly path: string;
  readonly reason: string;
  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`${path} cannot be written: ${reason}.`, options);
    this.path = path;
    this.reason = reason;
  }
}

export class TreePathUnsafeError extends BlobStoreError {
  override readonly name = 'TreePathUnsafeError';
  readonly code = 'tree-path-unsafe';
  readonly path: string;
  constructor(path: string, reason: string) {
    super(`The path ${JSON.stringify(path.slice(0, 200))} cannot be part of a bundle: ${reason}.`);
    this.path = path;
  }
}

/** Whether the store takes nothing now. */
export const isNoRoom = (error: unknown): boolean =>
  error instanceof StoreFullError || error instanceof StoreUnwritableError;
