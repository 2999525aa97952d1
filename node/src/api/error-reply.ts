import {
  CuadroError,
  describeError,
  type ERRORS,
  type ErrorBody,
  type ErrorDetails,
  findingText,
  isErrorCode,
} from '@cuadro/protocol';
import type { z } from 'zod';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { Logger } from '../system/interface.ts';

/** Any error as the API answers it: status and body by the catalogue; the stack of an unknown one to the log. */
export function errorReply(
  error: unknown,
  context: { logger: Logger; method: string; url: string },
): { status: number; body: ErrorBody } {
  const known = asCuadroError(error);
  if (known.code === 'internal') {
    // The address without its query, which may hold a token.
    const path = context.url.split('?', 1)[0];
    context.logger.error('A request failed.', { method: context.method, path, error });
  }
  const details = Object.fromEntries(
    Object.entries(known.details).filter(([, value]) => value !== undefined),
  );
  return { status: known.status, body: { error: { code: known.code, message: known.message, details } } };
}

/** The error of the catalogue that says what happened. */
export function asCuadroError(error: unknown): CuadroError {
  if (error instanceof CuadroError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    return new CuadroError(
      'request-invalid',
      { why: validationSentence(error.validation) },
      { cause: error },
    );
  }
  if (!(error instanceof Error)) return new CuadroError('internal', { why: 'an unknown failure' });
  if (error.name === 'AbortError') return new CuadroError('aborted', {}, { cause: error });
  const { code, statusCode } = error as Error & { code?: unknown; statusCode?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new CuadroError('request-invalid', { why: asClause(error.message) }, { cause: error });
  }
  if (typeof code === 'string' && isErrorCode(code) && fillable(code, error)) {
    return new CuadroError(code, detailsOf(error), { cause: error });
  }
  return new CuadroError('internal', { why: asClause(error.message) }, { cause: error });
}

/** Errors of other rooms share the catalogue's codes; they serve where they also bear the details of its sentence. */
function fillable(code: keyof typeof ERRORS, error: Error): boolean {
  return !describeError(code, detailsOf(error)).includes('?');
}

function detailsOf(error: Error): ErrorDetails {
  const entries = Object.entries(error).filter(([, value]) =>
    ['string', 'number', 'boolean'].includes(typeof value),
  );
  return { why: asClause(error.message), ...Object.fromEntries(entries) };
}

/** One line that can stand inside a sentence: no full stop, not endless. */
function asClause(message: string): string {
  const line = message.split('\n', 1)[0] ?? '';
  return line.slice(0, 300).replace(/\.$/, '');
}

/** What the parts of a request were found to be, as fastify's own type has it. */
interface Validation {
  keyword: string;
  instancePath: string;
  message?: string | undefined;
  params: Record<string, unknown>;
}

/** The first finding, by the name of what is wrong: `priority must be at most 100`. */
function validationSentence([first]: readonly Validation[]): string {
  if (first === undefined) return 'not readable';
  const { keyword, instancePath, message, params } = first;
  // As zod found it, before it was turned to what fastify knows.
  const issue = { ...params, code: keyword, message, path: instancePath.split('/').filter(Boolean) };
  return asClause(findingText(issue as unknown as z.core.$ZodIssue));
}
