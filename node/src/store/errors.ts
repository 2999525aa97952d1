/** The records could not be written or opened; `code` is stable, `cause` is what the system said. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: 'store-closed' | 'store-write-failed' | 'store-open-failed';

  constructor(code: StoreError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
