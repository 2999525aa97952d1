import type { z } from 'zod';
import type { Dice } from './dice.ts';
import type { Wild } from './wild-cbor.ts';

/** Makes values that a schema takes, from the schema itself: a new property is covered as soon as it is there. */

export type Maker = (dice: Dice) => Wild;

/** Among these is one for every pattern that a schema of ours has; who adds a pattern adds a text. */
const TEXTS = [
  '12D3KooWAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  '12D3KooWBbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',
  'aaaaaaaaaaaaaaaa',
  'bbbbbbbbbbbbbbbb',
  '0'.repeat(64),
  '1'.repeat(64),
  '2'.repeat(32),
  'task/bbbbbbbbbbbbbbbb/0000000003',
  'job/bbbbbbbbbbbbbbbb',
  'other',
  'job',
  'film',
  'tablao',
  'shot.blend',
  'textures/wood.png',
  '/absolute/path',
  '1-10',
  'x',
  '',
];
const LENGTHS = [0, 1, 3, 16, 32, 48, 64, 256, 1_000];
/** Attempts to make what the refinements of a schema want; then whatever came of the last stands. */
const TRIES = 4;

const made = new WeakMap<object, Maker>();
/** Makers for schemas whose form does not tell what they take. */
const given = new WeakMap<object, Maker>();

export function teach(schema: z.ZodType, maker: Maker): void {
  given.set(schema, maker);
}

export function validOf(schema: z.ZodType): Maker {
  const known = given.get(schema) ?? made.get(schema);
  if (known !== undefined) return known;
  // Before it is there, for what holds itself.
  made.set(schema, (dice) => maker(dice));
  const maker = makerOf(schema);
  made.set(schema, maker);
  return maker;
}

interface Definition {
  type: string;
  checks?: unknown[];
  shape?: Record<string, z.ZodType>;
  catchall?: z.ZodType;
  element?: z.ZodType;
  innerType?: z.ZodType;
  options?: z.ZodType[];
  items?: z.ZodType[];
  keyType?: z.ZodType;
  valueType?: z.ZodType;
  in?: z.ZodType;
  values?: Wild[];
  entries?: Record<string, Wild>;
}

function makerOf(schema: z.ZodType): Maker {
  const definition = schema.def as unknown as Definition;
  const plain = formOf(schema, definition);
  if (definition.type === 'string' || definition.type === 'custom' || !definition.checks?.length)
    return plain;
  return (dice) => {
    let value = plain(dice);
    for (let tries = 1; tries < TRIES && !schema.safeParse(value).success; tries++) value = plain(dice);
    return value;
  };
}

function formOf(schema: z.ZodType, definition: Definition): Maker {
  const inner = (name: 'innerType' | 'element' | 'keyType' | 'valueType' | 'in'): Maker =>
    validOf(definition[name] as z.ZodType);
  switch (definition.type) {
    case 'object':
      return objectOf(definition);
    case 'array':
      return listOf(schema, inner('element'));
    case 'record':
      return mapOf(inner('keyType'), inner('valueType'));
    case 'tuple': {
      const items = (definition.items ?? []).map(validOf);
      return (dice) => items.map((item) => item(dice));
    }
    case 'union': {
      const options = (definition.options ?? []).map(validOf);
      return (dice) => dice.pick(options)(dice);
    }
    case 'optional':
    case 'default':
    case 'nullable': {
      const maker = inner('innerType');
      const absent = definition.type === 'nullable' ? null : undefined;
      return (dice) => (dice.once(3) ? absent : maker(dice));
    }
    case 'pipe':
      return inner('in');
    case 'literal':
      return (dice) => dice.pick(definition.values as Wild[]);
    case 'enum':
      return (dice) => dice.pick(Object.values(definition.entries as Record<string, Wild>));
    case 'boolean':
      return (dice) => dice.once(2);
    case 'number':
      return numberOf(schema);
    case 'string':
      return oneOf(schema, TEXTS);
    case 'custom':
      return oneOf(
        schema,
        LENGTHS.map((length) => new Uint8Array(length).fill(length)),
      );
    case 'unknown':
    case 'any':
      return (dice) => dice.pick([null, 1, 'x', [], { a: 1 }, true]);
    default:
      return () => undefined;
  }
}

/** Now and then with a property of a version to come, where the schema takes that. */
function objectOf({ shape = {}, catchall }: Definition): Maker {
  const parts = Object.entries(shape).map(([name, schema]) => [name, validOf(schema)] as const);
  return (dice) => {
    const value: Record<string, Wild> = {};
    for (const [name, maker] of parts) {
      const part = maker(dice);
      if (part !== undefined) value[name] = part;
    }
    if (catchall?.def.type === 'unknown' && dice.once(8))
      value['future'] = dice.pick([1, 'x', null, { a: [1] }]);
    return value;
  };
}

function listOf(schema: z.ZodType, item: Maker): Maker {
  const { minimum = 0 } = schema._zod.bag as { minimum?: number };
  return (dice) => Array.from({ length: minimum + dice.size(3) }, () => item(dice));
}

function mapOf(key: Maker, value: Maker): Maker {
  return (dice) => {
    const map: Record<string, Wild> = {};
    for (let left = dice.size(3); left > 0; left--) map[key(dice) as string] = value(dice);
    return map;
  };
}

function numberOf(schema: z.ZodType): Maker {
  const bag = schema._zod.bag as {
    minimum?: number;
    maximum?: number;
    exclusiveMinimum?: number;
    format?: string;
  };
  const least = bag.minimum ?? (bag.exclusiveMinimum === undefined ? -1_000 : bag.exclusiveMinimum + 1);
  const most = bag.maximum ?? least + 100_000;
  const isWhole = bag.format === 'safeint';
  return (dice) => {
    if (dice.once(8)) return dice.once(2) ? least : most;
    const value = least + dice.size(Math.min(most - least, 100_000));
    return isWhole || value + 0.5 > most || !dice.once(6) ? value : value + 0.5;
  };
}

function oneOf(schema: z.ZodType, candidates: readonly Wild[]): Maker {
  const fitting = candidates.filter((candidate) => schema.safeParse(candidate).success);
  if (fitting.length === 0) throw new RangeError('No text or bytes of the list are of this form: add some.');
  return (dice) => dice.pick(fitting);
}
