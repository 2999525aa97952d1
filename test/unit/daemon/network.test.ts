import assert from 'node:assert/strict';
import { it } from 'node:test';
import { encodeMessage, type Message } from '@cuadro/protocol';
import { canonicalMessages } from '../../../node/src/daemon/network.ts';

const beacon = (load: number): Message => ({
  kind: 'beacon',
  peer: `12D3KooW${'m'.repeat(44)}`,
  held: [],
  load,
  freeDiskBytes: 0,
});

it('encodes what goes to many once, and every other message for itself', () => {
  const codec = canonicalMessages();
  const [one, other] = [beacon(1), beacon(2)];
  const bytes = codec.encode(one);
  assert.equal(codec.encode(one), bytes);
  assert.deepEqual(codec.encode(other), encodeMessage(other));
  assert.deepEqual(codec.encode(one), bytes, 'and the first again');
});

it('R4: decodes what comes twice once, whoever brings it, and lets nothing else pass for it', () => {
  const codec = canonicalMessages();
  const bytes = encodeMessage(beacon(1));
  const message = codec.decode(bytes);
  assert.deepEqual(message, beacon(1));
  assert.equal(codec.decode(Uint8Array.from(bytes)), message);
  assert.deepEqual(codec.decode(encodeMessage(beacon(2))), beacon(2));
  assert.equal(codec.decode(bytes.subarray(1)), undefined);
  assert.equal(codec.decode(bytes.subarray(1)), undefined);
  assert.deepEqual(codec.decode(bytes), beacon(1));
});
