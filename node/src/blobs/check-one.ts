import { BlobCorruptError, BlobNotFoundError } from './errors.ts';
import type { BlobCheck, BlobHash, CheckOptions } from './interface.ts';
import { blobLimits } from './options.ts';
import type { Shelf } from './shelf.ts';

/** Reads a blob whole, for the store's check; undefined for one that went since the check began. */
export async function checkOne(
  shelf: Shelf,
  hash: BlobHash,
  { rest, signal }: Pick<CheckOptions, 'rest'> & { signal: AbortSignal },
): Promise<BlobCheck['state'] | undefined> {
  const entry = shelf.index.get(hash);
  if (entry === undefined) return undefined;
  try {
    if (rest === undefined || entry.sizeBytes <= blobLimits.checkStretchBytes)
      await shelf.verify(entry, signal);
    else await shelf.reader.verifyInStretches(entry, rest, signal);
    return 'ok';
  } catch (error) {
    if (error instanceof BlobCorruptError) return 'corrupt';
    if (!(error instanceof BlobNotFoundError)) throw error;
    shelf.lost(hash);
    return shelf.pins.table.isPinned(hash) ? 'missing' : undefined;
  }
}
