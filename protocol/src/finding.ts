import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** How all of zod's own messages begin; any other is a sentence that the schema gives. */
const ZODS_OWN = /^(Too (small|big)|Invalid|Unrecognized)/;

/**
 * What a value must be, as a clause that follows its name (`must be at least 1`): zod's own words are a programmer's
 * (`Too small: expected number to be >=1`). Where the schema has a sentence of its own, or no clause is known, that.
 */
export function clauseOf(issue: Issue | undefined): string {
  if (issue === undefined) return 'is not readable';
  if (!ZODS_OWN.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'too_small':
      return sized(issue, Number(issue.minimum), issue.inclusive === false ? 'more than' : 'at least');
    case 'too_big':
      return sized(issue, Number(issue.maximum), issue.inclusive === false ? 'less than' : 'at most');
    case 'invalid_type':
      return issue.message.endsWith('received undefined')
        ? 'is missing'
        : `must be ${kindOf(issue.expected)}`;
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
    case 'unrecognized_keys': {
      const keys = issue.keys.map((key) => `"${key}"`).join(', ');
      return `${keys} ${issue.keys.length === 1 ? 'is' : 'are'} not known`;
    }
    default:
      return issue.message;
  }
}

/** The name of what is wrong before it: `samples must be at least 1`. */
export function findingText(issue: Issue | undefined): string {
  const where = issue?.path.join('.') ?? '';
  const clause = clauseOf(issue);
  // A sentence of a schema's own is none that could follow a name.
  const joint = /^(must|is) /.test(clause) ? ' ' : ': ';
  return where === '' ? clause : `${where}${joint}${clause}`;
}

function sized({ origin, message }: Issue & { origin: string }, limit: number, how: string): string {
  switch (origin) {
    case 'number':
    case 'int':
    case 'bigint':
      return `must be ${how} ${limit}`;
    case 'string':
      return limit === 1 && how === 'at least' ? 'must not be empty' : `must have ${how} ${limit} characters`;
    case 'array':
      return limit === 1 && how === 'at least' ? 'must not be empty' : `must have ${how} ${limit} entries`;
    default:
      return message;
  }
}

function kindOf(expected: string): string {
  const kinds: Record<string, string> = {
    int: 'a whole number',
    number: 'a number',
    string: 'text',
    boolean: 'true or false',
    array: 'a list',
    object: 'an object',
  };
  return kinds[expected] ?? expected;
}
