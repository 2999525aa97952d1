import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AbstractStream } from '@libp2p/utils';
import { quietLogger } from '../../../node/src/mesh/quiet-logger.ts';
import { BulkStream } from '../../../node/src/mesh/stream.ts';

/** The library's own stream over a connection that takes what the test lets it take. */
class NarrowStream extends AbstractStream {
  roomBytes = 0;
  readonly sent: number[] = [];

  constructor() {
    super({ id: '1', log: quietLogger.forComponent('test'), direction: 'outbound' });
  }

  sendData(data: { readonly byteLength: number }): { sentBytes: number; canSendMore: boolean } {
    const sentBytes = Math.min(data.byteLength, this.roomBytes);
    this.roomBytes -= sentBytes;
    if (sentBytes > 0) this.sent.push(sentBytes);
    return { sentBytes, canSendMore: sentBytes === data.byteLength };
  }

  sendReset(): void {}
  async sendCloseWrite(): Promise<void> {}
  async sendCloseRead(): Promise<void> {}
  sendPause(): void {}
  sendResume(): void {}
}

function narrow(): { raw: NarrowStream; stream: BulkStream } {
  const raw = new NarrowStream();
  return { raw, stream: new BulkStream({ stream: raw, peer: 'peer', now: () => 0, closed: () => {} }) };
}

test('what came just before the connection takes more does not let a writer wait for ever', async () => {
  const { raw, stream } = narrow();
  let written = false;
  const writing = stream.write(new Uint8Array(1_000)).then(() => (written = true));
  await new Promise(setImmediate);
  assert.deepEqual(raw.sent, []);
  // One packet brought both: bytes for the reader, and room for the writer.
  raw.roomBytes = 10_000;
  raw.onData(new Uint8Array(10));
  raw.onMuxerDrain();
  for (let turn = 0; turn < 10 && !written; turn += 1) await new Promise(setImmediate);
  assert.deepEqual(raw.sent, [1_000]);
  assert.ok(written, 'the writer goes on');
  await writing;
});
