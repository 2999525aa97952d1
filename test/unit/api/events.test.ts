import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import type { LiveEvent } from '@cuadro/protocol';
import { liveEventSchema, routePath } from '@cuadro/protocol';
import type { Api } from '../../../node/src/api/server.ts';
import { JOB_A, startFake, TOKEN } from './fakes.ts';

interface Received {
  id?: string;
  event?: string;
  data?: string;
  comment?: string;
}

/** A client of the stream: `next()` gives one block after the other. */
async function listen(api: Api, options: { lastEventId?: string; query?: string } = {}) {
  const abort = new AbortController();
  const headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` };
  if (options.lastEventId !== undefined) headers['last-event-id'] = options.lastEventId;
  const response = await fetch(`${api.address}${routePath('events')}${options.query ?? ''}`, {
    headers,
    signal: abort.signal,
  });
  const blocks = blocksOf(response);
  return {
    response,
    close: () => abort.abort(),
    async next(): Promise<Received> {
      const { value, done } = await blocks.next();
      assert.equal(done, false, 'the stream ended');
      return value;
    },
    async nextEvent(): Promise<{ id: number; event: LiveEvent }> {
      const block = await this.next();
      return { id: Number(block.id), event: liveEventSchema.parse(JSON.parse(block.data ?? '')) };
    },
    ended: async () => (await blocks.next()).done,
  };
}

async function* blocksOf(response: Response): AsyncGenerator<Received> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const block: Record<string, string> = {};
      for (const line of text.slice(0, end).split('\n')) {
        const at = line.indexOf(':');
        block[at === 0 ? 'comment' : line.slice(0, at)] = line.slice(at + 1).trim();
      }
      text = text.slice(end + 2);
      yield block;
    }
  }
}

const submission = (text: string): LiveEvent => ({
  kind: 'submission',
  submission: 's',
  step: 'tracing',
  fraction: 0,
  text,
});

describe('the live events (SPEC R92)', () => {
  test('begin with the newest id, then carry each event with its own', async (t) => {
    const { node, api } = await startFake({}, t);
    const client = await listen(api);
    assert.match(client.response.headers.get('content-type') ?? '', /^text\/event-stream/);
    const hello = await client.next();
    assert.equal(hello.event, 'hello');
    assert.deepEqual(JSON.parse(hello.data ?? ''), { lastId: Number(hello.id) });
    node.emit(submission('one'));
    node.emit(submission('two'));
    assert.deepEqual(await client.nextEvent(), { id: Number(hello.id) + 1, event: submission('one') });
    assert.deepEqual(await client.nextEvent(), { id: Number(hello.id) + 2, event: submission('two') });
    node.setJob(JOB_A, { state: 'paused' });
    const { event } = await client.nextEvent();
    assert.equal(event.kind === 'job' && event.job.state, 'paused');
    client.close();
    await api.stop();
  });

  test('are resumed from the last one seen, by header or query', async (t) => {
    const { node, api } = await startFake({}, t);
    const first = await listen(api);
    const start = Number((await first.next()).id);
    first.close();
    for (const text of ['one', 'two', 'three']) node.emit(submission(text));
    for (const options of [{ lastEventId: String(start + 1) }, { query: `?lastEventId=${start + 1}` }]) {
      const client = await listen(api, options);
      assert.equal((await client.next()).event, 'hello');
      assert.deepEqual(await client.nextEvent(), { id: start + 2, event: submission('two') });
      assert.deepEqual(await client.nextEvent(), { id: start + 3, event: submission('three') });
      client.close();
    }
    const upToDate = await listen(api, { lastEventId: String(start + 3) });
    await upToDate.next();
    node.emit(submission('four'));
    assert.equal((await upToDate.nextEvent()).id, start + 4);
    upToDate.close();
    await api.stop();
  });

  test('are reset where what was missed is gone', async (t) => {
    const { node, api } = await startFake({}, t);
    node.emit(submission('one'));
    for (const lastEventId of ['0', '1', '999999999999999', 'x', '-1']) {
      const client = await listen(api, { lastEventId });
      const hello = await client.next();
      assert.deepEqual(
        await client.nextEvent(),
        { id: Number(hello.id), event: { kind: 'reset' } },
        lastEventId,
      );
      client.close();
    }
    await api.stop();
  });

  test('say that they live', async (t) => {
    const { api } = await startFake({ heartbeatMs: 5 }, t);
    const client = await listen(api);
    await client.next();
    assert.equal((await client.next()).comment, 'still here');
    assert.equal((await client.next()).comment, 'still here');
    client.close();
    await api.stop();
  });

  test('reach many clients, and end when the node stops', async (t) => {
    const { node, api } = await startFake({}, t);
    const clients = await Promise.all(Array.from({ length: 40 }, () => listen(api)));
    for (const client of clients) await client.next();
    node.emit(submission('to all'));
    for (const client of clients) assert.deepEqual((await client.nextEvent()).event, submission('to all'));
    await api.stop();
    for (const client of clients) assert.equal(await client.ended(), true);
  });

  test('are cut for a client that does not read, while others go on', async (t) => {
    const { node, api } = await startFake({ clientBufferBytes: 100_000 }, t);
    const reader = await listen(api);
    await reader.next();
    const slow = connect(api.port, '127.0.0.1');
    slow.on('error', () => undefined);
    slow.write(
      `GET ${routePath('events')} HTTP/1.1\r\nHost: 127.0.0.1:${api.port}\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`,
    );
    await new Promise((resolve) => slow.once('readable', resolve));
    const cut = () => node.logged.some((line) => /too slowly/.test(line.message));
    const text = 'x'.repeat(50_000);
    for (let i = 0; i < 2_000 && !cut(); i += 1) {
      node.emit(submission(`${i} ${text}`));
      const { event } = await reader.nextEvent();
      assert.ok(event.kind === 'submission' && event.text.startsWith(`${i} `));
    }
    assert.ok(cut());
    slow.destroy();
    reader.close();
    await api.stop();
  });
});
