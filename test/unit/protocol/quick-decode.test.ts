import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as dagCbor from '@ipld/dag-cbor';
import fc from 'fast-check';
import { decode, encode, MalformedBytesError } from '@cuadro/protocol';
import { quickDecode } from '../../../protocol/src/quick-decode.ts';
import { anyEncodable, RECORDS } from './arbitraries.ts';

const anyRecord = fc.oneof(...Object.values(RECORDS));
/** Some values look like links, which the library then can't write. */
function bytesOf(value: unknown): Uint8Array | undefined {
  try {
    return Uint8Array.from(dagCbor.encode(value));
  } catch {
    return undefined;
  }
}

const anyBytes = fc
  .oneof(anyEncodable, anyRecord)
  .map(bytesOf)
  .filter((bytes) => bytes !== undefined);

/** Mistakes that a writer makes: a byte is another one, is missing, or is there twice; something follows. */
const damagedBytes = fc
  .tuple(
    anyBytes,
    fc.nat(),
    fc.nat({ max: 255 }),
    fc.constantFrom('other', 'missing', 'twice', 'more', 'cut'),
  )
  .map(([bytes, place, byte, how]) => {
    const at = place % bytes.length;
    if (how === 'other') return bytes.with(at, byte);
    const rest = how === 'more' ? Uint8Array.of(byte) : bytes.subarray(how === 'twice' ? at : at + 1);
    if (how === 'cut') return bytes.slice(0, at);
    return Uint8Array.from([
      ...bytes.subarray(0, how === 'more' ? bytes.length : at + Number(how === 'twice')),
      ...rest,
    ]);
  });

function byLibrary(bytes: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: dagCbor.decode(bytes) };
  } catch {
    return undefined;
  }
}

test('R4: what is read quickly has the value that DAG-CBOR has for it', () => {
  let sure = 0;
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const quick = quickDecode(bytes);
      if (quick === undefined) return;
      sure += 1;
      assert.deepEqual(quick, dagCbor.decode(bytes));
    }),
    { numRuns: 1_500 },
  );
  assert.ok(sure > 500, `${sure} of 1500 were read`);
});

test('R4: of damaged bytes nothing is read that DAG-CBOR would refuse or take otherwise', () => {
  const seen = { read: 0, refused: 0 };
  fc.assert(
    fc.property(damagedBytes, (bytes) => {
      const quick = quickDecode(bytes);
      const library = byLibrary(bytes);
      seen[library === undefined ? 'refused' : 'read'] += 1;
      if (quick !== undefined) assert.deepEqual({ value: quick }, library);
    }),
    { numRuns: 4_000 },
  );
  assert.ok(seen.read > 300 && seen.refused > 300, `both kinds came: ${JSON.stringify(seen)}`);
});

test('R4: records are read the same from plain bytes and from a part of a buffer', () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const bytes = encode(record);
      const quick = quickDecode(bytes);
      const within = Buffer.concat([Buffer.of(1, 2, 3), bytes, Buffer.of(4)]).subarray(3, 3 + bytes.length);
      assert.deepEqual(quickDecode(within), quick);
      if (quick !== undefined) assert.deepEqual(encode(quick), bytes);
    }),
  );
});

for (const [what, bytes] of [
  ['a key twice', [0xa2, 0x61, 0x61, 1, 0x61, 0x61, 2]],
  ['a property named __proto__', [0xa1, 0x69, ...Buffer.from('__proto__'), 1]],
  ['an integer that is longer than it need be', [0x18, 0x17]],
  ['more items than bytes', [0x9a, 0xff, 0xff, 0xff, 0xff]],
  ['a text beyond its end', [0x65, 0x61]],
  ['a list without an end', [0x9f, 0xff]],
  ['infinity', [0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0]],
  ['nothing at all', []],
] as const) {
  test(`R4: ${what} is malformed`, () => {
    const malformed = Uint8Array.from(bytes);
    assert.equal(quickDecode(malformed), undefined);
    assert.throws(() => decode(malformed), MalformedBytesError);
  });
}

test('R4: bytes within a value are a copy of their own', () => {
  const bytes = encode({ signature: new Uint8Array(64).fill(7) });
  const { signature } = quickDecode(bytes) as { signature: Uint8Array };
  bytes.fill(0);
  assert.deepEqual(signature, new Uint8Array(64).fill(7));
});
