import assert from 'node:assert/strict';
import { test } from 'node:test';
import { yamux } from '@libp2p/yamux';
import type { MessageStream } from '@libp2p/interface';
import { endConnection } from '../../../node/src/mesh/end-connection.ts';

const silentLog = Object.assign(() => undefined, {
  error: () => undefined,
  trace: () => undefined,
  enabled: false,
  newScope: () => silentLog,
});

test('a connection whose way out is closed already is ended all the same, and nothing is thrown', () => {
  // What encrypts was closed before the multiplexer began to listen: this one believes that it is open.
  const closed = Object.assign(new EventTarget(), {
    log: silentLog,
    send: () => {
      throw new Error('Cannot write to a stream that is closed');
    },
  });
  const muxer = yamux()().createStreamMuxer(closed as unknown as MessageStream);
  let socketEnded = 0;
  // As libp2p ends one: first the multiplexer, then what is below it.
  const connection = {
    abort(error: Error) {
      muxer.abort(error);
      socketEnded++;
    },
  };
  endConnection(connection, 'No hello came.');
  assert.equal(socketEnded, 1);
  assert.equal(muxer.status, 'closed');
});
