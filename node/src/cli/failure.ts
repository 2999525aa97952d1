import type { ErrorBody } from '@cuadro/protocol';
import { CuadroError, ERRORS, EXIT, type ExitCode, isErrorCode } from '@cuadro/protocol/errors';

/** An error that the node answered; its code may be one that only a newer node knows. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
  readonly code: string;
  readonly details: Record<string, unknown>;

  constructor(body: ErrorBody['error']) {
    super(body.message);
    this.code = body.code;
    this.details = body.details;
  }
}

/** The command line is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'usage';
}

export interface Failure {
  code: string;
  message: string;
  details: Record<string, unknown>;
  exit: ExitCode;
}

/** What the command line says of an error, and the exit code by the catalogue. */
export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) {
    return { code: error.code, message: error.message, details: {}, exit: EXIT.usage };
  }
  if (error instanceof CuadroError || error instanceof AnswerError) {
    return {
      code: error.code,
      message: error.message,
      details: { ...error.details },
      exit: exitOf(error.code),
    };
  }
  if (!(error instanceof Error))
    return { code: 'internal', message: String(error), details: {}, exit: EXIT.failure };
  // A part of the node that did not start is only the wrapper of what is wrong.
  if (error.name === 'StartFailedError' && error.cause !== undefined) return failureOf(error.cause);
  // Ctrl-C or Ctrl-D at a question; Node's own words name the key.
  if (error.name === 'AbortError') return failureOf(new CuadroError('aborted', {}, { cause: error }));
  const { code } = error as Error & { code?: unknown };
  const known = typeof code === 'string' && isErrorCode(code) ? code : undefined;
  return {
    code: known ?? 'internal',
    message: error.message,
    details: {},
    exit: exitOf(known ?? 'internal'),
  };
}

function exitOf(code: string): ExitCode {
  return isErrorCode(code) ? ERRORS[code].exit : EXIT.failure;
}
