import assert from 'node:assert/strict';
import { it } from 'node:test';
import { encodeMessage, type Message } from '@cuadro/protocol';
import { canonicalMessages, tolerant } from '../../../node/src/daemon/network.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

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

it('tries again where the network is not up yet, and no more once the node stops', async () => {
  const clock = new ManualClock();
  const log: string[] = [];
  const note = (message: string): number => log.push(message);
  const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };
  const calls: string[] = [];
  let isUp = false;
  const mesh = {
    start: async () => {
      calls.push(isUp ? 'up' : 'down');
      if (!isUp) throw new Error('No address to listen at.');
    },
    stop: async () => {
      calls.push('stop');
    },
  };
  const part = tolerant(mesh, { clock, logger });
  await part.start();
  await clock.advanceSettled(10_000);
  assert.deepEqual(calls, ['down', 'down']);
  assert.equal(log.length, 1, 'said once');
  isUp = true;
  await clock.advanceSettled(10_000);
  await clock.advanceSettled(60_000);
  assert.deepEqual(calls, ['down', 'down', 'up']);
  assert.equal(log.length, 2);
  isUp = false;
  await part.stop();
  await part.start();
  await part.stop();
  await clock.advanceSettled(60_000);
  assert.deepEqual(calls.slice(3), ['stop', 'down', 'stop']);
});
