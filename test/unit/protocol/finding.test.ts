import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { clauseOf, findingText } from '../../../protocol/src/finding.ts';

const schema = z.strictObject({
  slots: z.int().min(1).max(64).optional(),
  share: z.number().gt(0).lt(1).optional(),
  name: z.string().min(1).max(3, 'That is a long name').optional(),
  word: z.string().min(2).max(3).optional(),
  film: z.boolean().optional(),
  order: z.enum(['sequential', 'coarse-to-fine']).optional(),
  tags: z.array(z.string()).min(1).max(2).optional(),
  path: z.object({ folder: z.string() }).optional(),
  version: z.literal(1).optional(),
});

const table: [value: unknown, text: string][] = [
  [{ slots: 0 }, 'slots must be at least 1'],
  [{ slots: 65 }, 'slots must be at most 64'],
  [{ slots: 1.5 }, 'slots must be a whole number'],
  [{ slots: 'two' }, 'slots must be a number'],
  [{ share: Number.NaN }, 'share must be a number'],
  [{ share: 0 }, 'share must be more than 0'],
  [{ share: 1 }, 'share must be less than 1'],
  [{ name: '' }, 'name must not be empty'],
  [{ name: 'abcd' }, 'name: That is a long name'],
  [{ word: 'a' }, 'word must have at least 2 characters'],
  [{ word: 'abcd' }, 'word must have at most 3 characters'],
  [{ word: 3 }, 'word must be text'],
  [{ film: 'perhaps' }, 'film must be true or false'],
  [{ order: 'random' }, 'order must be one of sequential, coarse-to-fine'],
  [{ version: 2 }, 'version must be 1'],
  [{ tags: [] }, 'tags must not be empty'],
  [{ tags: ['a', 'b', 'c'] }, 'tags must have at most 2 entries'],
  [{ path: {} }, 'path.folder is missing'],
  [{ foo: 1 }, '"foo" is not known'],
  [{ foo: 1, bar: 2 }, '"foo", "bar" are not known'],
  [7, 'must be an object'],
];

for (const [value, text] of table)
  test(`${JSON.stringify(value)}: ${text}`, () => {
    const parsed = schema.safeParse(value);
    assert.equal(findingText(parsed.error?.issues[0]), text);
  });

test('without a finding it is not readable', () => assert.equal(clauseOf(undefined), 'is not readable'));
