import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { CuadroError, errorBodySchema, ROUTES, type RouteName, routePath } from '@cuadro/protocol';
import type { z } from 'zod';
import type { Api } from '../../../node/src/api/server.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { CONTENT, type FakeNode, HASH, JOB_A, JOB_B, JOB_GONE, SELF, startFake, TOKEN } from './fakes.ts';

let node: FakeNode;
let api: Api;
before(async () => {
  ({ node, api } = await startFake());
});
after(() => api.stop());

const bearer = { authorization: `Bearer ${TOKEN}` };

async function call(
  name: RouteName,
  params: Record<string, string> = {},
  options: { query?: Record<string, unknown>; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Response> {
  const headers: Record<string, string> = { ...bearer, ...options.headers };
  const init: RequestInit = { method: ROUTES[name].method, headers, redirect: 'manual' };
  if (options.body !== undefined) {
    headers['content-type'] = 'application/json';
    init.body = JSON.stringify(options.body);
  }
  return fetch(`${api.address}${routePath(name, params, options.query)}`, init);
}

async function errorOf(response: Response): Promise<{ status: number; code: string; message: string }> {
  const { error } = errorBodySchema.parse(await response.json());
  return { status: response.status, code: error.code, message: error.message };
}

describe('every route answers as the table says (SPEC R91)', () => {
  const job = { job: JOB_A };
  const calls: [RouteName, Record<string, string>, unknown?][] = [
    ['farm', {}],
    ['here', {}],
    ['config', {}],
    ['setConfig', {}, { slots: 2 }],
    ['departure', {}],
    ['leaveNow', {}],
    ['stop', {}],
    ['retention', {}],
    ['tidy', {}, { days: 7 }],
    ['jobs', {}],
    ['job', job],
    ['submit', {}, { path: '/tmp/a.blend', settings: { frames: '1-3' } }],
    ['preflight', {}, { path: '/tmp/a.blend' }],
    ['setJob', job, { desired: 'paused', priority: 60 }],
    ['requeue', job, { tasks: 'failed' }],
    ['deleteJob', job],
    ['tasks', job],
    ['task', { ...job, task: 'frame 2' }],
    ['fetchJob', job, { to: '/tmp/to' }],
    ['nodes', {}],
    ['node', { node: 'Studio' }],
    ['setNode', { node: 'here' }, { ownerDesired: 'paused' }],
    ['activity', {}],
    ['night', {}],
    ['swarm', {}],
    ['door', {}],
    ['openDoor', {}, { forMs: 600_000 }],
    ['closeDoor', {}],
    ['admit', {}, { newcomer: 'amber piano river' }],
    ['refuse', {}, {}],
    ['removeMember', {}, { member: 'laptop' }],
    ['mergeFarm', {}, {}],
    ['joinAddress', {}, { address: '192.168.1.5' }],
    ['foundFarm', {}],
  ];
  for (const [name, params, body] of calls) {
    test(name, async () => {
      const response = await call(name, params, { body });
      assert.equal(response.status, 200, await response.clone().text());
      const schema: z.ZodType = ROUTES[name].response;
      const answer: unknown = await response.json();
      assert.deepEqual(schema.parse(answer), answer);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      assert.equal(response.headers.get('cache-control'), 'no-store');
    });
  }

  test('no route is left out of this file', () => {
    const raw = (Object.keys(ROUTES) as RouteName[]).filter((name) => 'raw' in ROUTES[name]);
    assert.deepEqual(
      [...calls.map(([name]) => name), ...raw].sort(),
      Object.keys(ROUTES).sort(),
      'each route is either called here or raw, and raw ones have tests of their own',
    );
  });

  test('the log of an attempt is plain text', async () => {
    const response = await call('log', { ...job, task: '2' }, { query: { attempt: 'x' } });
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain/);
    assert.match(await response.text(), /it went wrong/);
    assert.deepEqual(node.calls.at(-1), { name: 'log', args: [JOB_A, 1, 'x'] });
    assert.equal(
      (await errorOf(await call('log', { ...job, task: '2' }, { query: { attempt: 'none' } }))).code,
      'attempt-not-found',
    );
  });

  test('metrics and the OpenAPI document', async () => {
    assert.match(await (await call('metrics')).text(), /cuadro_test 1/);
    const document = (await (await call('openapi')).json()) as {
      paths: Record<string, Record<string, { operationId: string }>>;
    };
    const operations = Object.values(document.paths).flatMap((path) =>
      Object.values(path).map((operation) => operation.operationId),
    );
    assert.deepEqual(operations.sort(), Object.keys(ROUTES).sort());
  });
});

describe('what a handler is given', () => {
  test('job names become ids', async () => {
    for (const text of [JOB_B, JOB_B.toUpperCase(), 'aaaac', '12', '#12']) {
      const response = await call('job', { job: text });
      assert.equal(((await response.json()) as { id: string }).id, JOB_B, text);
    }
    const refusals: [string, number, string][] = [
      ['aaaa', 409, 'job-ambiguous'],
      ['x', 404, 'job-not-found'],
      ['#99', 404, 'job-not-found'],
      ['99', 404, 'job-not-found'],
      [' ', 404, 'job-not-found'],
      [JOB_GONE, 409, 'job-deleted'],
    ];
    for (const [text, status, code] of refusals) {
      const { message, ...rest } = await errorOf(await call('job', { job: text }));
      assert.deepEqual(rest, { status, code }, text);
      assert.ok(message.length > 10);
    }
  });

  test('task names become indices', async () => {
    const answer = (await (await call('task', { job: JOB_A, task: 'frame 3' })).json()) as { index: number };
    assert.equal(answer.index, 2);
    assert.equal((await errorOf(await call('task', { job: JOB_A, task: 'film' }))).code, 'task-not-found');
  });

  test('machine names become peer ids', async () => {
    for (const text of ['here', SELF, 'studio', 'STUDIO', SELF.slice(0, 12)]) {
      await call('setNode', { node: text }, { body: { desired: 'active' } });
      assert.deepEqual(node.calls.at(-1), { name: 'setNode', args: [SELF, { desired: 'active' }] });
    }
    assert.equal(
      (await errorOf(await call('setNode', { node: 'other' }, { body: {} }))).code,
      'node-not-found',
    );
  });

  test('a submission gets its defaults, and names of jobs become ids', async () => {
    await call('submit', {}, { body: { path: '/tmp/a.blend', after: ['#1', 'aaaac'] } });
    assert.deepEqual(node.calls.at(-1), {
      name: 'submit',
      args: [{ type: 'blender-animation', path: '/tmp/a.blend', settings: {}, after: [JOB_A, JOB_B] }],
    });
    for (const body of [{ path: 'a.blend' }, { outputFolder: 'out' }]) {
      const { code, message } = await errorOf(await call('submit', {}, { body }));
      assert.equal(code, 'request-invalid');
      assert.match(message, /absolute/);
    }
  });

  test('pages of tasks', async () => {
    const response = await call('tasks', { job: JOB_A }, { query: { offset: 1, limit: 1 } });
    const { total, tasks } = (await response.json()) as { total: number; tasks: { index: number }[] };
    assert.deepEqual([total, tasks.map((task) => task.index)], [3, [1]]);
    const failed = await call('tasks', { job: JOB_A }, { query: { state: 'failed' } });
    assert.equal(((await failed.json()) as { total: number }).total, 1);
  });

  test('a client that goes away ends its submission', async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    node.onSubmit = (_, signal) => {
      begun.resolve(signal);
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const client = new AbortController();
    const answer = fetch(`${api.address}${routePath('submit')}`, {
      method: 'POST',
      headers: { ...bearer, 'content-type': 'application/json' },
      body: '{}',
      signal: client.signal,
    });
    const signal = await begun.promise;
    assert.equal(signal.aborted, false);
    client.abort();
    await assert.rejects(answer);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    assert.equal((signal.reason as CuadroError).code, 'aborted');
    node.onSubmit = undefined;
  });
});

describe('errors (SPEC R90)', () => {
  test('of the catalogue keep code, status and details', async () => {
    node.failure = new CuadroError('preflight-failed', { why: 'no camera.', hidden: undefined });
    const response = await call('submit', {}, { body: {} });
    assert.equal(response.status, 400);
    assert.deepEqual(await response.json(), {
      error: {
        code: 'preflight-failed',
        message: "The scene can't be rendered as it is: no camera.",
        details: { why: 'no camera.' },
      },
    });
  });

  test('unknown ones become internal; their stack stays in the log', async () => {
    node.failure = new TypeError('x is not a function\n    at secret');
    const response = await call('jobs');
    assert.equal(response.status, 500);
    const text = await response.text();
    assert.match(text, /"internal"/);
    assert.doesNotMatch(text, /secret|server\.ts/);
    const logged = node.logged.at(-1);
    assert.equal(logged?.level, 'error');
    assert.match(String((logged?.fields?.['error'] as Error | undefined)?.stack), /secret/);
  });

  test('of other rooms count where they share the code and bear what the sentence needs', async () => {
    node.failure = Object.assign(new Error('gone'), { code: 'blob-not-found', hash: 'abc' });
    const found = await errorOf(await call('jobs'));
    assert.deepEqual(found, {
      status: 404,
      code: 'blob-not-found',
      message: 'This node does not hold the content abc.',
    });
    node.failure = Object.assign(new Error('gone'), { code: 'blob-not-found' });
    assert.equal((await errorOf(await call('jobs'))).code, 'internal');
  });

  const invalid: [string, RouteName, Record<string, string>, unknown, RegExp][] = [
    ['a priority out of range', 'setJob', { job: JOB_A }, { priority: 1000 }, /priority/],
    ['a wrong word', 'setJob', { job: JOB_A }, { desired: 'on' }, /desired/],
    ['a missing field', 'fetchJob', { job: JOB_A }, {}, /to/],
    ['a list where an object belongs', 'submit', {}, [], /object/],
    [
      'an object whose length cannot be compared',
      'fetchJob',
      { job: JOB_A },
      { to: { length: { toString: '' } } },
      /read/,
    ],
    ['a hash that is none', 'blob', { hash: 'xyz' }, undefined, /SHA-256/],
  ];
  for (const [title, name, params, body, pattern] of invalid) {
    test(`the request: ${title}`, async () => {
      const { status, code, message } = await errorOf(await call(name, params, { body }));
      assert.deepEqual({ status, code }, { status: 400, code: 'request-invalid' });
      assert.match(message, pattern);
      assert.ok(!message.includes('\n'));
    });
  }

  test('broken JSON, another type, a body that is too large', async () => {
    const url = `${api.address}${routePath('submit')}`;
    const post = (body: string, type: string) =>
      fetch(url, { method: 'POST', headers: { ...bearer, 'content-type': type }, body });
    for (const [body, type] of [
      ['{"a":', 'application/json'],
      ['{"__proto__": {"x": 1}}', 'application/json'],
      ['a=1', 'application/x-www-form-urlencoded'],
      ['x', 'text/plain'],
      [`"${'x'.repeat(1_100_000)}"`, 'application/json'],
    ] as const) {
      const { code, status } = await errorOf(await post(body, type));
      assert.deepEqual(
        { code, status },
        { code: 'request-invalid', status: 400 },
        `${type} ${body.slice(0, 20)}`,
      );
    }
  });

  test('an address that does not exist', async () => {
    const response = await fetch(`${api.address}/api/v1/nothing`, { headers: bearer });
    assert.deepEqual(await errorOf(response), {
      status: 404,
      code: 'not-found',
      message: 'There is nothing at /api/v1/nothing.',
    });
  });
});

describe('blobs', () => {
  const blob = (query: Record<string, unknown> = {}, headers: Record<string, string> = {}, hash = HASH) =>
    call('blob', { hash }, { query, headers });

  test('are sent whole with their type, and kept for ever', async () => {
    const response = await blob({ name: 'render/0001.PNG' });
    assert.equal(await response.text(), CONTENT.toString());
    assert.equal(response.headers.get('content-type'), 'image/png');
    assert.equal(response.headers.get('content-length'), String(CONTENT.length));
    assert.equal(response.headers.get('etag'), `"${HASH}"`);
    assert.match(response.headers.get('cache-control') ?? '', /immutable/);
    assert.match(response.headers.get('content-security-policy') ?? '', /sandbox/);
    assert.equal(response.headers.get('content-disposition'), null);
    const again = await blob({}, { 'if-none-match': `"${HASH}"` });
    assert.equal(again.status, 304);
  });

  test('are never a type that runs', async () => {
    for (const name of ['a.html', 'a.svg', 'a.js', 'a', '']) {
      assert.equal((await blob({ name })).headers.get('content-type'), 'application/octet-stream', name);
    }
  });

  test('are downloaded under their name', async () => {
    const response = await blob({ name: '../x/Würfel "1"\r\n.png', download: '' });
    assert.equal(
      response.headers.get('content-disposition'),
      `attachment; filename="W_rfel _1___.png"; filename*=UTF-8''W%C3%BCrfel%20%221%22%0D%0A.png`,
    );
  });

  test('ranges', async () => {
    const cases: [string, number, string, string | null][] = [
      ['bytes=0-0', 206, '0', 'bytes 0-0/36'],
      ['bytes=5-8', 206, '5678', 'bytes 5-8/36'],
      ['bytes=30-', 206, 'uvwxyz', 'bytes 30-35/36'],
      ['bytes=30-99', 206, 'uvwxyz', 'bytes 30-35/36'],
      ['bytes=-3', 206, 'xyz', 'bytes 33-35/36'],
      ['bytes=-99', 206, CONTENT.toString(), 'bytes 0-35/36'],
      ['bytes=36-', 416, '', 'bytes */36'],
      ['bytes=-0', 416, '', 'bytes */36'],
      ['bytes=5-4', 200, CONTENT.toString(), null],
      ['bytes=0-1,3-4', 200, CONTENT.toString(), null],
      ['lines=1-2', 200, CONTENT.toString(), null],
    ];
    for (const [range, status, text, contentRange] of cases) {
      const response = await blob({}, { range });
      assert.deepEqual(
        [response.status, await response.text(), response.headers.get('content-range')],
        [status, text, contentRange],
        range,
      );
    }
  });

  test('that are not there', async () => {
    const response = await blob({}, {}, 'b'.repeat(64));
    assert.equal(response.headers.get('etag'), null);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal((await errorOf(response)).code, 'blob-not-found');
  });
});

describe('the stop', () => {
  test('tells whoever still waits that the node is stopping', async () => {
    const clock = new ManualClock();
    const { node, api } = await startFake({ clock });
    const begun = Promise.withResolvers<void>();
    node.onSubmit = (_, signal) => {
      begun.resolve();
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const answer = fetch(`${api.address}${routePath('submit')}`, {
      method: 'POST',
      headers: { ...bearer, 'content-type': 'application/json' },
      body: '{}',
    });
    await begun.promise;
    const stopped = api.stop();
    await clock.advanceSettled(1_000);
    const { status, code } = await errorOf(await answer);
    assert.deepEqual({ status, code }, { status: 503, code: 'node-stopping' });
    await stopped;
    assert.equal(clock.pendingTimers, 0);
  });
});

describe('the port', () => {
  test('that is taken moves to the next, and is told', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const second = await startFake({ port, portAttempts: 5 });
    assert.ok(second.api.port > port && second.api.port < port + 5);
    assert.match(second.node.logged[0]?.message ?? '', /taken/);
    await second.api.stop();
    await assert.rejects(startFake({ port, portAttempts: 1 }), { code: 'port-taken' });
    await new Promise((resolve) => other.close(resolve));
    const third = await startFake({ port, portAttempts: 1 });
    assert.equal(third.api.port, port);
    await third.api.stop();
    await third.api.stop();
    await third.api.start();
    assert.equal(third.api.port, port, 'starts again after a stop');
    await third.api.stop();
  });
});
