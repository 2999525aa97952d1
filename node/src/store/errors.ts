import { whyUnwritten } from '../system/start-error.ts';

/** The records could not be opened; `code` is stable, `cause` is what the system said. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: 'store-closed' | 'store-open-failed';

  constructor(code: StoreError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Records or own notes could not be written: with the catalogue's code, and the details of its sentence. */
export class StoreWriteError extends Error {
  override readonly name = 'StoreWriteError';
  readonly code: 'store-full' | 'store-unwritable';
  readonly path: string;
  readonly why: string;

  constructor(path: string, cause: unknown) {
    const { code, why } = whyUnwritten(cause);
    super(`The records in ${path} can't be written: ${why}.`, { cause });
    this.code = code;
    this.path = path;
    this.why = why;
  }
}
