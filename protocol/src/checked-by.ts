import { z } from 'zod';

/**
 * As the schema's own `safeParse`, also of what makes zod throw: a bound of texts and lists is compared with the
 * `length` of any value that has one, and where that is an object it can't be compared. Whatever others wrote is
 * checked by this.
 */
export function checkedBy<S extends z.ZodType>(schema: S, value: unknown): z.ZodSafeParseResult<z.output<S>> {
  try {
    return schema.safeParse(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return NEVER.safeParse(value);
  }
}

const NEVER = z.never('It is not readable.');

/** @throws z.ZodError for what is none. */
export function parsedBy<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = checkedBy(schema, value);
  if (!parsed.success) throw parsed.error;
  return parsed.data;
}
