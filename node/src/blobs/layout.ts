import { dirname, join } from 'node:path';
import type { FileCalls } from '../system/file-calls.ts';
import { syncFolder } from '../system/files.ts';
import { BlobHashInvalidError } from './errors.ts';
import type { BlobHash } from './interface.ts';

/** Names inside the data folder. Folders by the first two digits keep each of them at a few hundred files. */
export interface BlobLayout {
  readonly root: string;
  readonly blobs: string;
  /** Temporary names of what is on its way in; swept at start. On the file system of `blobs`, so that rename works. */
  readonly incoming: string;
  readonly quarantine: string;
  readonly pins: string;
  folderOf(hash: BlobHash): string;
  pathOf(hash: BlobHash): string;
  /** The piece list beside a blob of more than one piece; recomputed when it is lost. */
  piecesPathOf(hash: BlobHash): string;
  /** Where its pieces are put until all are there. */
  partPathOf(hash: BlobHash): string;
}

export const piecesSuffix = '.pieces';
/** A blob that arrives in pieces and is not whole yet, below `incoming`. */
export const partSuffix = '.part';

const hashPattern = /^[0-9a-f]{64}$/;

export function isBlobHash(text: string): boolean {
  return hashPattern.test(text);
}

/** Hashes reach file names, so each is checked at the door. */
export function assertBlobHash(hash: string): void {
  if (typeof hash !== 'string' || !isBlobHash(hash)) throw new BlobHashInvalidError();
}

export function blobLayout(root: string): BlobLayout {
  const blobs = join(root, 'blobs');
  const folderOf = (hash: BlobHash): string => join(blobs, hash.slice(0, 2));
  return {
    root,
    blobs,
    incoming: join(root, 'incoming'),
    quarantine: join(root, 'quarantine'),
    pins: join(root, 'pins.journal'),
    folderOf,
    pathOf: (hash) => join(folderOf(hash), hash),
    piecesPathOf: (hash) => join(folderOf(hash), `${hash}${piecesSuffix}`),
    partPathOf: (hash) => join(root, 'incoming', `${hash}${partSuffix}`),
  };
}

/** The blob of a part's file name, or undefined for another file. */
export function blobOfPart(name: string): BlobHash | undefined {
  const hash = name.endsWith(partSuffix) ? name.slice(0, -partSuffix.length) : '';
  return isBlobHash(hash) ? hash : undefined;
}

/** Makes the folders, durably, and removes what a killed node left half-written; parts stay, to be gone on with. */
export async function prepareLayout(layout: BlobLayout, files: FileCalls): Promise<void> {
  for (const folder of [layout.blobs, layout.incoming, layout.quarantine])
    await files.mkdir(folder, { recursive: true });
  const present = new Set(await files.readdir(layout.blobs));
  // All 256 at once, so that storing a blob never has to make the name of a folder durable as well.
  for (let index = 0; index < 256; index += 1) {
    const name = index.toString(16).padStart(2, '0');
    if (!present.has(name)) await files.mkdir(join(layout.blobs, name), { recursive: true });
  }
  for (const name of await files.readdir(layout.incoming)) {
    if (blobOfPart(name) !== undefined) continue;
    await files.rm(join(layout.incoming, name), { recursive: true, force: true });
  }
  await syncFolder(layout.blobs, files);
  await syncFolder(layout.root, files);
  await syncAbove(layout.root, files);
}

/**
 * The data folder may be new, by whoever made it, and so may those above it; until their names are durable nothing in
 * them is.
 */
async function syncAbove(root: string, files: FileCalls): Promise<void> {
  for (let folder = root; dirname(folder) !== folder; folder = dirname(folder)) {
    // One that may not be opened was there before, and is none of ours.
    await syncFolder(dirname(folder), files).catch(() => undefined);
  }
}
