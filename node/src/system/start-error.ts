import { CuadroError } from '@cuadro/protocol';
import { DataFolderInUseError, DataFolderUnwritableError } from './errors.ts';
import { isNoSpace, isUnwritable, reasonOf } from './files.ts';

/** What kept a node from starting, as an error of the catalogue where a user can do something about it. */
export function startError(error: unknown, folder: string): unknown {
  for (
    let cause: unknown = error;
    cause !== undefined;
    cause = (cause as { cause?: unknown } | null)?.cause
  ) {
    if (cause instanceof CuadroError) return cause;
    if (cause instanceof DataFolderInUseError) {
      return new CuadroError('data-folder-in-use', { path: folder, pid: cause.pid ?? '?' }, { cause: error });
    }
    if (isNoSpace(cause))
      return new CuadroError('store-full', { path: folder, why: 'the disk is full' }, { cause: error });
    if (cause instanceof DataFolderUnwritableError && !isNoSpace(cause.cause)) {
      return new CuadroError('store-unwritable', { path: folder, why: cause.reason }, { cause: error });
    }
    if (isUnwritable(cause)) {
      return new CuadroError('store-unwritable', { path: folder, why: reasonOf(cause) }, { cause: error });
    }
    if (typeof cause !== 'object' || cause === null) break;
  }
  return error;
}

/** What ended a node that ran, its records being no longer writable, as an error of the catalogue. */
export function writeError(error: unknown, folder: string): CuadroError {
  const { code, why } = whyUnwritten(error);
  return new CuadroError(code, { path: folder, why }, { cause: error });
}

/** Why something can't be written that belongs to the data folder: the catalogue's code, and the reason in its sentence. */
export function whyUnwritten(error: unknown): { code: 'store-full' | 'store-unwritable'; why: string } {
  let deepest = error instanceof Error ? error : new Error(String(error));
  while (deepest.cause instanceof Error) deepest = deepest.cause;
  const why = plainReason(deepest);
  return { code: why === DISK_FULL ? 'store-full' : 'store-unwritable', why };
}

const DISK_FULL = 'the disk is full';

/** LevelDB gives what the system said in its own text, without a code. */
function plainReason(error: Error): string {
  const { message } = error;
  if (isNoSpace(error) || /No space left on device|Disk quota exceeded/.test(message)) return DISK_FULL;
  if (/Read-only file system/.test(message)) return 'the file system is read-only';
  if (/Input\/output error/.test(message)) return 'the disk reported an error';
  if (/No such file or directory/.test(message)) return 'a file or folder of it is gone';
  return reasonOf(error).replace(/\.$/, '');
}
