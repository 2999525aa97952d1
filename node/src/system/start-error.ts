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
