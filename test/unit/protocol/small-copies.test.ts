import assert from 'node:assert/strict';
import { it } from 'node:test';
import { copyOf } from '../../../protocol/src/small-copies.ts';

it('gives copies that no later one touches, and that change with nothing', () => {
  const source = Uint8Array.from({ length: 70_000 }, (_, place) => (place * 31) % 251);
  const lengths = [0, 1, 64, 65, 300, 2_047, 2_048, 2_049, 16_384, 60_000];
  const kept = Array.from({ length: 400 }, (_, number) => {
    const length = lengths[number % lengths.length] as number;
    const start = (number * 7) % 9_000;
    const copy = copyOf(source, start, start + length);
    return { copy, was: Buffer.from(source.subarray(start, start + length)) };
  });
  source.fill(0);
  for (const { copy, was } of kept) assert.equal(Buffer.compare(copy, was), 0);
  for (const { copy } of kept) copy.fill(255);
  const [first, ...others] = kept;
  first?.copy.fill(1);
  for (const { copy } of others) assert.ok(copy.every((byte) => byte === 255));
});

it('shares blocks among small copies alone, so that a long-lived one keeps little', () => {
  const source = new Uint8Array(100_000);
  for (const length of [65, 2_048]) assert.equal(copyOf(source, 0, length).buffer.byteLength, 16_384);
  for (const length of [2_049, 50_000]) assert.equal(copyOf(source, 0, length).buffer.byteLength, length);
});
