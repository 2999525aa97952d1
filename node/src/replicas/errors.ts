/** How a peer broke the rules of an exchange (SPEC R49); the code is what is counted. */
export type SyncFaultCode =
  | 'frame-too-large'
  | 'malformed-frame'
  | 'unexpected-frame'
  | 'out-of-order'
  | 'not-asked'
  | 'endless-list'
  | 'wrong-digest'
  | 'malformed-record'
  | 'too-many-bad-records';

/** Ends the exchange with the peer that caused it; never leaves this room. */
export class SyncFault extends Error {
  override readonly name = 'SyncFault';
  readonly code: SyncFaultCode;

  constructor(code: SyncFaultCode, options?: ErrorOptions) {
    super(`The peer broke the rules of an exchange: ${code}.`, options);
    this.code = code;
  }
}

/** The exchange took too long or is no longer wanted; nobody's fault. */
export class SyncEndedError extends Error {
  override readonly name = 'SyncEndedError';
  readonly code: 'exchange-too-long' | 'exchange-stalled' | 'stream-ended' | 'sync-stopped';

  constructor(code: SyncEndedError['code']) {
    super(`The exchange ended: ${code}.`);
    this.code = code;
  }
}
