import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type KnownRecord, RecordBytes } from '@cuadro/protocol';

const record = (name: string) => ({ kind: 'node', peer: name, fields: {} }) as unknown as KnownRecord;

describe('the bytes of records that are remembered', () => {
  it('R4: are those that were read, and keep no message of which they are a small part', () => {
    const bytes = new RecordBytes();
    const message = new Uint8Array(1_000_000).fill(7);
    const [small, large] = [record('small'), record('large')];
    bytes.remember(small, message.subarray(10, 500));
    bytes.remember(large, message.subarray(0, 600_000));
    assert.deepEqual(bytes.of(small), message.subarray(10, 500));
    assert.equal(bytes.of(small).buffer.byteLength, 490);
    assert.equal(bytes.of(large).buffer, message.buffer);
  });

  it('are forgotten by their size as well as by their number', () => {
    const bytes = new RecordBytes();
    const large = Array.from({ length: 40 }, (_, i) => ({
      record: record(`${i}`),
      read: new Uint8Array(2 ** 20),
    }));
    for (const { record: one, read } of large) bytes.remember(one, read);
    const kept = large.filter(({ record: one, read }) => bytes.of(one) === read);
    assert.ok(kept.length >= 1 && kept.length <= 16, `${kept.length} MiB are kept`);
    assert.equal(kept.at(-1), large.at(-1));
  });
});
