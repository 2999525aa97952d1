import { CuadroError, LOG_LINES_MAX, LOG_LINE_LENGTH_MAX } from '@cuadro/protocol';

/** Ends an attempt without a failure: its owner, a cancel, or the coordinator took it back, or its runner gave it back. */
export class AttemptStopped extends Error {
  override readonly name = 'AttemptStopped';
  readonly code = 'attempt-stopped';
}

export interface FailureDescription {
  code: string;
  message: string;
  lines: string[];
}

/**
 * Codes that say the machine is at fault, not the task: the attempt counts as stopped, and the machine takes no work
 * until it was looked at. What is written to while an attempt runs lies in the node's own data folder.
 */
const MACHINE_CODES: ReadonlySet<string> = new Set([
  'no-blender',
  'no-ffmpeg',
  'store-full',
  'store-unwritable',
  'destination-unwritable',
  'start-failed',
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EIO',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  // Nobody looked at the frame.
  'pictures-stopped',
  'pictures-busy',
]);

/** The scene is held by nobody within reach: neither the task nor this machine is at fault. */
export const lacksScene = (code: string): boolean => code === 'blob-unreachable';

/** What is told of an error that ended an attempt: its stable code, one sentence, the log's telling lines. */
export function describeFailure(error: unknown): FailureDescription {
  const { code, lines } = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown;
    lines?: unknown;
  };
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: typeof code === 'string' ? code : 'internal',
    message: message.slice(0, 2_000) || 'It failed without a word.',
    lines: Array.isArray(lines)
      ? lines.slice(0, LOG_LINES_MAX).map((line) => String(line).slice(0, LOG_LINE_LENGTH_MAX))
      : [],
  };
}

export const isMachineFault = (code: string): boolean => MACHINE_CODES.has(code);

/** An error of the worker's own, with the catalogue's code where it has one. */
export const missingInput = (hash: string): CuadroError => new CuadroError('blob-not-found', { hash });
