export type MeshErrorCode =
  /** The peer is not reachable now, or none of the addresses answered. */
  | 'peer-unreachable'
  /** The peer answered, and does not serve that protocol, or refuses this request. */
  | 'protocol-refused'
  /** The stream ended before its time: either side aborted it, or the connection is gone. */
  | 'stream-cut'
  /** Nothing moved on the stream for longer than the limit. */
  | 'stream-stalled'
  /** A message, request or answer beyond its bound (limits.ts). */
  | 'too-large'
  /** The mesh isn't started, or was stopped meanwhile. */
  | 'mesh-stopped';

/** What can fail between machines; callers branch on `code`. */
export class MeshError extends Error {
  override readonly name = 'MeshError';
  readonly code: MeshErrorCode;

  constructor(code: MeshErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const meshStopped = (): MeshError => new MeshError('mesh-stopped', 'The mesh is not running.');

export const peerUnreachable = (peer: string, options?: ErrorOptions): MeshError =>
  new MeshError('peer-unreachable', `${peer} cannot be reached now.`, options);

export const tooLarge = (what: string, bytes: number, limit: number): MeshError =>
  new MeshError('too-large', `The ${what} has ${bytes} bytes; ${limit} are the limit.`);
