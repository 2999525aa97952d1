import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareBytes,
  compareCanonical,
  decode,
  encode,
  isCanonical,
  MalformedBytesError,
} from '@cuadro/protocol';
import { RECORDS } from './arbitraries.ts';

/** What is canonical by definition: what comes out again when the value is encoded. */
const oracle = (bytes: Uint8Array, value: unknown): boolean => compareBytes(encode(value), bytes) === 0;

const anyValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      null,
      true,
      false,
      0,
      -1,
      23,
      24,
      255,
      256,
      65_535,
      65_536,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 53 - 1,
      0.5,
      -0,
    ),
    fc.uint8Array({ maxLength: 30 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('a', 'b', 'aa', '_', '__proto__')), tie('value'), {
      maxKeys: 4,
    }),
  ),
})).value;

test('R4: what was encoded is canonical', () => {
  fc.assert(
    fc.property(fc.oneof(anyValue, ...Object.values(RECORDS)), (value) => {
      const bytes = encode(value);
      assert.equal(isCanonical(bytes, decode(bytes)), true);
    }),
    { numRuns: 1_000 },
  );
});

test('R4: of mutated bytes that still are a value, exactly those that encoding gives again are canonical', () => {
  const mutation = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }), how: fc.nat({ max: 3 }) });
  let otherwise = 0;
  fc.assert(
    fc.property(
      fc.oneof(anyValue, ...Object.values(RECORDS)),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      (value, mutations) => {
        let bytes = encode(value);
        for (const { at, byte, how } of mutations) {
          const place = at % (bytes.length + 1);
          if (how === 0) bytes = bytes.map((old, i) => (i === place ? byte : old));
          // One bit: heads become those of other types and lengths.
          else if (how === 1) bytes = bytes.map((old, i) => (i === place ? old ^ (1 << (byte & 7)) : old));
          else if (how === 2) bytes = new Uint8Array([...bytes.slice(0, place), byte, ...bytes.slice(place)]);
          else bytes = new Uint8Array([...bytes.slice(0, place), ...bytes.slice(place + 1)]);
        }
        let decoded: unknown;
        try {
          decoded = decode(bytes);
        } catch (error) {
          assert.ok(error instanceof MalformedBytesError);
          return;
        }
        const expected = oracle(bytes, decoded);
        if (!expected) otherwise += 1;
        assert.equal(isCanonical(bytes, decoded), expected, Buffer.from(bytes).toString('hex'));
      },
    ),
    { numRuns: 20_000 },
  );
  assert.ok(otherwise > 20, `Only ${otherwise} values were not canonical.`);
});

const NOT_CANONICAL: readonly (readonly [what: string, hex: string])[] = [
  ['a map out of order', 'a2616202616101'],
  ['a longer key before a shorter', 'a262616101616202'],
  ['an integer as a float', 'fb3ff0000000000000'],
  ['a half float', 'f93800'],
  ['a single float', 'fa3fc00000'],
  ['the name of the prototype', 'a1695f5f70726f746f5f5fa0'],
  ['text that is not UTF-8', '61ff'],
  ['undefined', 'f7'],
];
for (const [what, hex] of NOT_CANONICAL) {
  test(`R4: ${what} is refused or not canonical`, () => {
    const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
    let value: unknown;
    try {
      value = decode(bytes);
    } catch (error) {
      assert.ok(error instanceof MalformedBytesError);
      return;
    }
    assert.equal(isCanonical(bytes, value), false);
  });
}

test('R4: two values are ordered as their bytes are, also where one look shows that they are the same', () => {
  const copied = anyValue.map((value): [unknown, unknown] => [value, structuredClone(value)]);
  fc.assert(
    fc.property(fc.oneof(fc.tuple(anyValue, anyValue), copied), ([one, other]) => {
      const expected = compareBytes(encode(one), encode(other));
      assert.equal(Math.sign(compareCanonical(one, other)), Math.sign(expected));
    }),
    { numRuns: 2_000 },
  );
  assert.equal(compareCanonical({ a: 1, b: undefined }, { a: 1 }), 0, 'What is undefined is left out.');
  assert.equal(
    compareCanonical({ a: 1, b: [2] }, { b: [2], a: 1 }),
    0,
    'The order of properties says nothing.',
  );
});
