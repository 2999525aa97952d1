import assert from 'node:assert/strict';
import { it } from 'node:test';
import { free } from '../../../node/src/blobs/transfer/frames.ts';

it('memory that came for one thing is given back at once, and that of others left alone', () => {
  const own = Buffer.allocUnsafeSlow(4_096);
  const shared = new Uint8Array(new SharedArrayBuffer(16));
  const together = new Uint8Array(16).fill(1);
  for (const bytes of [own, new Uint8Array(), shared, together.subarray(0, 8)]) free(bytes);
  assert.deepEqual([own.byteLength, shared.byteLength, together.byteLength], [0, 16, 16]);
  assert.deepEqual([...together.subarray(0, 8)], Array(8).fill(1));
});
