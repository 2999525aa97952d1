import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encode } from '@cuadro/protocol';
import { Packer } from '../../../node/src/core/packer.ts';
import { BELEN } from './farm.ts';
import { hash, rendered } from './rendered.ts';

/** As long as those of machines are: an attempt's key with it makes no shape. */
const PEER = `12D3KooW${'x'.repeat(44)}`;
const attempt = { epoch: { term: 3, peer: PEER }, sequence: 7 };
const KEY = `3.7.${PEER}`;

/** Packs and unpacks it, from the end of a larger piece of memory as records lie in theirs; how many bytes it takes. */
function assertKept(packer: Packer, made: object): number {
  const bytes = packer.pack(made);
  assert.ok(bytes !== undefined);
  const memory = new Uint8Array(5 + bytes.length);
  memory.set(bytes, 5);
  const back = packer.unpack(memory.subarray(5));
  assert.deepStrictEqual(back, made);
  assert.deepEqual(Object.keys(back), Object.keys(made), 'in their order');
  return bytes.length;
}

/** Bytes of a value besides those of the list that it stands in alone. */
const costOf = (packer: Packer, value: unknown): number => assertKept(packer, [value]) - 2;

describe('packed values', () => {
  it('come out as they went in, whatever they are made of', () => {
    const packer = new Packer();
    const key = fc.string({ maxLength: 40, unit: 'grapheme' }).filter((text) => text !== '__proto__');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(null, true, false, undefined, hash(9), hash(9).slice(1), BELEN, `1.2.${BELEN}`),
        fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
        fc.double(),
        fc.string({ unit: 'grapheme' }),
        fc.uint8Array(),
        fc.array(tie('value')),
        fc.dictionary(key, tie('value'), { noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(key, value, { noNullPrototype: true }), (made) => {
        assertKept(packer, made);
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses what would come out as something else', () => {
    const packer = new Packer();
    const odd = [{ text: '\ud800' }, { big: 1n }, { date: new Date(0) }, JSON.parse('{"__proto__": 1}')];
    for (const value of odd) assert.equal(packer.pack(value as object), undefined);
    assert.ok(packer.pack(rendered(1)), 'and goes on with what is sound');
  });

  it('are not mixed up by names that hold what stands between two', () => {
    const packer = new Packer();
    const alike = [
      { 'a\u0000b': 1 },
      { a: 1, b: 2 },
      { 'a\u0000b': 3 },
      {},
      { '': 1 },
      { 'a\u0000b': 1, c: 2 },
      { a: 1, 'b\u0000c': 2 },
    ];
    for (const made of alike) assertKept(packer, made);
  });

  it('take a third of what is stored, and a tenth of what objects take', () => {
    const packer = new Packer();
    packer.pack(rendered(1));
    const size = packer.pack(rendered(123_456))?.length ?? 0;
    assert.ok(size < 190, `${size} bytes, of ${encode(rendered(123_456)).length} as they are stored`);
  });
});

describe('what a packed value takes', () => {
  for (const [what, bytes, values] of [
    ['nothing, a truth or a small number', 1, [undefined, null, false, true, 0, 1, 15, 16, 110, 111]],
    ['a whole number below 128', 2, [112, 113, 127, -1, -127]],
    ['a whole number', 3, [128, 129, 16_383, -128, -16_383]],
    ['a larger one', 4, [16_384, -16_384, 2 ** 21 - 1]],
    ['the largest', 9, [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]],
    ['any other number', 9, [-0, 0.5, -0.5, 2 ** 53, -(2 ** 53), 1e300, Number.NaN, Infinity, -Infinity]],
    ['an empty list, text or no bytes', 2, [[], '', new Uint8Array()]],
    ['a text', 5, ['abc', '.bc', 'ab.', '1.2']],
    ['bytes', 5, [new Uint8Array([1, 0, 255])]],
    ['a hash, which is half as long as its text', 34, [hash(9), hash(15)]],
    ['a short one', 10, ['0123456789abcdef']],
    ['what is too short for one, of an odd length or in capitals', 16, ['0123456789abcd', '0123456789ABCD']],
  ] as const)
    it(`is ${bytes} bytes for ${what}`, () => {
      const packer = new Packer();
      for (const value of values) assert.equal(costOf(packer, value), bytes, String(value));
    });

  it('grows by a byte for each seven bits of a number', () => {
    const packer = new Packer();
    for (let bits = 7; bits < 53; bits++)
      for (const number of [2 ** bits - 1, 2 ** bits, 2 ** bits + 1, 3 * 2 ** (bits - 1) + 5])
        assert.equal(costOf(packer, number), 1 + Math.ceil(number.toString(2).length / 7), String(number));
  });

  it('is a byte for the first 64 of the texts that come again, and two or three for the others, 4,096 at most', () => {
    const packer = new Packer();
    const peerOf = (number: number): object => ({ peer: `${'peer'.repeat(9)}${number}` });
    for (let number = 0; number <= 4_096; number++) packer.pack(peerOf(number));
    const taken = [0, 63, 64, 127, 128, 4_095, 4_096].map((number) => assertKept(packer, peerOf(number)));
    assert.deepEqual(taken, [2, 2, 3, 3, 4, 4, 43]);
  });

  it('is as much for the first 64 and the other shapes of objects', () => {
    const packer = new Packer();
    const shapeOf = (number: number): object => ({ [`${'name'.repeat(5)}${number}`]: null });
    for (let number = 0; number <= 4_096; number++) packer.pack(shapeOf(number));
    const taken = [0, 63, 64, 127, 128, 4_095].map((number) => assertKept(packer, shapeOf(number)));
    assert.deepEqual(taken, [2, 2, 3, 3, 4, 4]);
    assert.ok(assertKept(packer, shapeOf(4_096)) <= 5, 'one more has names and no shape');
  });

  it('has names of up to 24 signs in the shapes, and longer ones once each', () => {
    const packer = new Packer();
    const named = (length: number): object => ({ ['n'.repeat(length)]: null });
    for (const length of [24, 25, 60]) assertKept(packer, named(length));
    assert.deepEqual(
      [24, 25, 60].map((length) => assertKept(packer, named(length))),
      [2, 4, 4],
    );
  });

  it('is a byte for the key that says the attempt of its value', () => {
    const packer = new Packer();
    assertKept(packer, { [KEY]: { attempt } });
    assert.equal(assertKept(packer, { [KEY]: { attempt } }), 9);
  });

  it('is the key, too, where its value says another attempt or none', () => {
    const packer = new Packer();
    const { epoch, sequence } = attempt;
    for (const value of [
      undefined,
      null,
      5,
      {},
      ...[undefined, null, 5, {}, { epoch }, { sequence }].map((other) => ({ attempt: other })),
      ...[null, 5, {}, { term: 3 }, { peer: PEER }].map((other) => ({ attempt: { epoch: other, sequence } })),
      { attempt: { epoch, sequence: 8 } },
    ])
      assert.ok(assertKept(packer, { [KEY]: value, [`${KEY}.`]: value }) > 4);
  });

  it("is a text's end once, and the rest in full, where it has points", () => {
    const packer = new Packer();
    const texts = [PEER, `1.2.${PEER}`, `.${PEER}`, '.', 'a.', '', '..b'];
    for (const text of texts) assertKept(packer, { kind: text, peer: text, next: 0 });
    assert.deepEqual(
      texts.map((kind) => assertKept(packer, { kind })),
      [2, 7, 4, 4, 5, 2, 5],
    );
  });

  it('may be more than there was memory for, by any number of bytes', () => {
    for (let length = 1_010; length < 1_030; length++) {
      const list: unknown[] = Array.from({ length }, () => null);
      for (const last of [null, 0.5, 2 ** 50, 'text', new Uint8Array(5_000)])
        assertKept(new Packer(), [...list, last, true]);
    }
  });
});
