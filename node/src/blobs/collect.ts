import { dirname } from 'node:path';
import { type FileCalls, systemFileCalls } from '../system/file-calls.ts';
import { isUnwritable, reasonOf, syncFolder, systemCode } from '../system/files.ts';
import { BlobSourceUnreadableError, DestinationExistsError, DestinationUnwritableError } from './errors.ts';
import type { BlobHash, BlobStore, SignalOption } from './interface.ts';

/**
 * What became of a collected file. `written`: it is new. `already-there`: the same content stood there.
 * `replaced`: an older result of ours, or with `overwrite` a foreign file, gave way. `kept-foreign`: a file that we
 * did not write (or that somebody changed since) was left alone; the user must be told.
 */
export type CollectOutcome = 'written' | 'already-there' | 'replaced' | 'kept-foreign';

export interface CollectOptions extends SignalOption {
  /** Replace foreign files too. */
  readonly overwrite?: boolean;
  /** The hashes of what we wrote there before: a file that still has one of them is ours. */
  readonly ours?: ReadonlySet<BlobHash>;
}

/**
 * Puts a finished blob into a user's output folder (which must exist) under its final name: temporary name in the
 * same folder, fsync, rename, fsync of the folder. A reader of the folder never sees half a file.
 */
export async function collectFile(
  components: { blobs: BlobStore; files?: FileCalls },
  hash: BlobHash,
  destination: string,
  options: CollectOptions = {},
): Promise<CollectOutcome> {
  const { overwrite = false, ours, signal } = options;
  const common = { ...(signal === undefined ? {} : { signal }), durable: true, fileMode: 0o644 };
  const standing = await standingAt(components, destination, options);
  if (holds(standing, hash)) return keep(components, destination);
  const isOurs = standing.kind === 'file' && ours?.has(standing.hash) === true;
  if (standing.kind !== 'nothing' && !isOurs && !overwrite) return 'kept-foreign';
  if (standing.kind !== 'nothing') {
    await components.blobs.materialize(hash, destination, { ...common, existing: 'replace' });
    return 'replaced';
  }
  try {
    await components.blobs.materialize(hash, destination, { ...common, existing: 'refuse' });
    return 'written';
  } catch (error) {
    // Somebody put a file there a moment ago: look again, once; it is foreign unless it is this very content.
    if (!(error instanceof DestinationExistsError)) throw error;
    if (overwrite) {
      await components.blobs.materialize(hash, destination, { ...common, existing: 'replace' });
      return 'replaced';
    }
    const now = await standingAt(components, destination, options);
    return holds(now, hash) ? keep(components, destination) : 'kept-foreign';
  }
}

/** Whoever wrote it may have been killed before it was durable, and who is told that it is there forgets it. */
async function keep(
  { files = systemFileCalls }: { files?: FileCalls },
  destination: string,
): Promise<'already-there'> {
  try {
    const file = await files.open(destination);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await syncFolder(dirname(destination), files);
  } catch (error) {
    // Where nothing may be written nothing waits to be; some systems sync no file that is open for reading alone.
    if (!isUnwritable(error))
      throw new DestinationUnwritableError(destination, reasonOf(error), { cause: error });
  }
  return 'already-there';
}

/** What stands at a path, beside a blob: the same content, something else, or nothing. */
export async function standsAt(
  components: { blobs: BlobStore; files?: FileCalls },
  hash: BlobHash,
  path: string,
  options: SignalOption = {},
): Promise<'nothing' | 'same' | 'other'> {
  const standing = await standingAt(components, path, options);
  if (standing.kind === 'nothing') return 'nothing';
  return holds(standing, hash) ? 'same' : 'other';
}

/** What stands at a path; `other` is a link, a folder, a device or an unreadable file. */
type Standing = { readonly kind: 'nothing' | 'other' } | { readonly kind: 'file'; readonly hash: BlobHash };

async function standingAt(
  { blobs, files = systemFileCalls }: { blobs: BlobStore; files?: FileCalls },
  path: string,
  options: SignalOption,
): Promise<Standing> {
  try {
    const stat = await files.lstat(path);
    if (!stat.isFile()) return { kind: 'other' };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { kind: 'nothing' };
    throw new DestinationUnwritableError(path, reasonOf(error), { cause: error });
  }
  try {
    const { hash } = await blobs.hashFile(
      path,
      options.signal === undefined ? {} : { signal: options.signal },
    );
    return { kind: 'file', hash };
  } catch (error) {
    if (!(error instanceof BlobSourceUnreadableError)) throw error;
    const { cause } = error;
    if (isUnwritable(cause) || systemCode(cause) === 'ENOTFILE') return { kind: 'other' };
    // A file of ours that a failing disk, or a system with too many open files, does not give is no foreign one, nor is
    // one that just went: whoever is told so gives it up for ever.
    throw new DestinationUnwritableError(path, reasonOf(cause), { cause: error });
  }
}

function holds(standing: Standing, hash: BlobHash): boolean {
  return standing.kind === 'file' && standing.hash === hash;
}
