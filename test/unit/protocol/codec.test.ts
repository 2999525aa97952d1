import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareCanonical,
  decode,
  encode,
  knownRecordSchema,
  MalformedBytesError,
  messageSchema,
  planSchema,
  recordKey,
  RECORD_BYTES_MAX,
  type KnownRecord,
} from '@cuadro/protocol';
import { RECORDS } from './arbitraries.ts';

const anyRecord = fc.oneof(...Object.values(RECORDS));

test('R4: what was encoded decodes to the same, and equal values have equal bytes', () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const decoded = decode(encode(record));
      assert.deepEqual(encode(decoded), encode(record));
      const reversed = Object.fromEntries(Object.entries(record).reverse());
      assert.deepEqual(encode(reversed), encode(record));
      assert.equal(compareCanonical(reversed, record), 0);
    }),
  );
});

test('R4: undefined properties are left out', () => {
  assert.deepEqual(encode({ a: 1, b: undefined }), encode({ a: 1 }));
});

/** Reads bytes as a node at its door would: bytes, then shape. */
function read(bytes: Uint8Array): void {
  let value: unknown;
  try {
    value = decode(bytes);
  } catch (error) {
    assert.ok(error instanceof MalformedBytesError && error.code === 'malformed-bytes');
    return;
  }
  const record = knownRecordSchema.safeParse(value);
  if (record.success) assert.equal(typeof recordKey(record.data as KnownRecord), 'string');
  messageSchema.safeParse(value);
  planSchema.safeParse(value);
}

test('R4: mutated, cut and made-up bytes never do more than be refused', () => {
  const mutation = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }), how: fc.nat({ max: 2 }) });
  fc.assert(
    fc.property(anyRecord, fc.array(mutation, { minLength: 1, maxLength: 4 }), (record, mutations) => {
      let bytes = encode(record);
      for (const { at, byte, how } of mutations) {
        const place = at % (bytes.length + 1);
        if (how === 0) bytes = bytes.slice(0, place);
        else if (how === 1) bytes = bytes.map((old, i) => (i === place ? byte : old));
        else bytes = new Uint8Array([...bytes.slice(0, place), byte, ...bytes.slice(place)]);
      }
      read(bytes);
    }),
    { numRuns: 1_000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => read(bytes)),
    { numRuns: 1_000 },
  );
});

test('R3: a message over the bound is refused before it is read', () => {
  assert.throws(() => decode(new Uint8Array(RECORD_BYTES_MAX + 1)), MalformedBytesError);
  assert.throws(() => decode(encode('x'.repeat(100)), 50), /50 is the limit/);
});

test('R4: deep nesting is refused or read, and never ends the node', () => {
  const deep = new Uint8Array(200_000).fill(0x81);
  assert.throws(() => decode(deep), MalformedBytesError);
});

test('R3: a job that claims more tasks than a job may have is refused', () => {
  const [job] = fc.sample(RECORDS.job, { numRuns: 1, seed: 3 });
  assert.ok(job?.kind === 'job' && knownRecordSchema.safeParse(job).success);
  const huge = { ...job, spec: { ...job.spec, tasks: 1_000_001 } };
  assert.equal(knownRecordSchema.safeParse(huge).success, false);
});

test('R4: a property named __proto__ is refused; the word as a value is not', () => {
  const named = encode({ a: [{ ['x'.repeat(9)]: 1 }] });
  const bytes = Uint8Array.from(named);
  const at = Buffer.from(bytes).indexOf('x'.repeat(9));
  bytes.set(Buffer.from('__proto__'), at);
  assert.throws(() => decode(bytes), MalformedBytesError);
  assert.deepEqual(decode(encode({ a: '__proto__' })), { a: '__proto__' });
});
