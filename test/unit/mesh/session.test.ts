import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection, Stream } from '@libp2p/interface';
import { encodeFrame, FRAME } from '../../../node/src/mesh/frames.ts';
import { Session } from '../../../node/src/mesh/session.ts';
import { Tally } from '../../../node/src/mesh/tally.ts';

test('R4: a frame that is none ends the session and is counted once, whatever came with it', () => {
  const stream = new EventTarget();
  const connection = Object.assign(new EventTarget(), {
    status: 'open',
    remotePeer: 'member',
    abort: () => undefined,
  });
  const tally = new Tally();
  const session = new Session({
    connection: connection as unknown as Connection,
    stream: stream as unknown as Stream,
    tally,
    now: () => 0,
  });
  const heard: string[] = [];
  session.listen({
    frame: ({ content }) => heard.push(Buffer.from(content).toString()),
    closed: (reason) => heard.push(reason),
  });
  const frame = (text: string): Uint8Array => encodeFrame(FRAME.message, Buffer.from(text));
  const beyond = Uint8Array.of(255, 255, 255, 255);
  for (const data of [frame('first'), [beyond, beyond, frame('later')], beyond])
    stream.dispatchEvent(Object.assign(new Event('message'), { data }));
  assert.deepEqual(heard, ['first', 'The peer sent a frame beyond its bound.']);
  assert.deepEqual(tally.counts().refused, { 'frame-invalid': { count: 1, peer: 'member' } });
});
