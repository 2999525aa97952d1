import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as dagCbor from '@ipld/dag-cbor';
import fc from 'fast-check';
import { encode } from '@cuadro/protocol';
import { quickEncode } from '../../../protocol/src/quick-encode.ts';
import { anyEncodable, RECORDS } from './arbitraries.ts';

const anyRecord = fc.oneof(...Object.values(RECORDS));

/** By the library; Node's buffers of it are made plain. */
const bytesOf = (value: unknown): Uint8Array => Uint8Array.from(dagCbor.encode(value));

test('R4: what is written quickly has the bytes that DAG-CBOR has for it', () => {
  fc.assert(
    fc.property(anyEncodable, (value) => {
      const quick = quickEncode(value);
      if (quick !== undefined) assert.deepEqual(quick, bytesOf(value));
    }),
    { numRuns: 3_000 },
  );
  fc.assert(
    fc.property(anyRecord, (record) => {
      assert.deepEqual(
        Uint8Array.from(encode(record)),
        bytesOf(JSON.parse(JSON.stringify(record, hex), fromHex)),
      );
    }),
  );
});

/** Bytes survive JSON, and undefined properties don't. */
const hex = (_key: string, value: unknown): unknown =>
  value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : value;
const fromHex = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'hex' in value
    ? Uint8Array.from(Buffer.from(String(value.hex), 'hex'))
    : value;

test('R4: plain values of ASCII are written quickly, and only these', () => {
  const plain = {
    name: 'a',
    list: [1, -1, 0.5, null, true],
    bytes: Uint8Array.of(1, 2),
    inner: { z: {}, a: [] },
  };
  assert.deepEqual(quickEncode(plain), bytesOf(plain));
  assert.deepEqual(quickEncode({ b: 1, gone: undefined }), bytesOf({ b: 1 }));
  assert.deepEqual(quickEncode({ inner: { gone: undefined }, gone: undefined }), bytesOf({ inner: {} }));
  const many = Object.fromEntries(Array.from({ length: 24 }, (_, i) => [`key${i}`, i]));
  assert.deepEqual(quickEncode(many), bytesOf(many));
  // The head of so many is longer than a byte.
  const fewer = { ...many, key7: undefined };
  assert.equal(quickEncode(fewer), undefined);
  assert.deepEqual(encode(fewer), bytesOf(JSON.parse(JSON.stringify(fewer))));
  const circle: unknown[] = [];
  circle.push(circle);
  for (const doubtful of [
    undefined,
    [undefined],
    'é',
    { é: 1 },
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -0,
    2 ** 60,
    1n,
    new Map(),
    new Date(0),
    { '/': 'a' },
    { asCID: 1 },
    circle,
    'x'.repeat(600_000),
    new Uint8Array(600_000),
    Array.from({ length: 600_000 }, () => 1),
  ])
    assert.equal(quickEncode(doubtful), undefined);
});

test('R4: what is returned stays as it is when the next value is written', () => {
  const first = encode({ a: 'first' });
  const copy = first.slice();
  encode({ a: 'other' });
  assert.deepEqual(first, copy);
});
