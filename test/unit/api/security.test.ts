import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { API_PREFIX, ROUTES, routePath } from '@cuadro/protocol';
import type { Api } from '../../../node/src/api/server.ts';
import { type FakeNode, startFake, TOKEN } from './fakes.ts';

let node: FakeNode;
let api: Api;
before(async () => {
  ({ node, api } = await startFake());
});
after(() => api.stop());

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** Unlike fetch, sets any header and any path. */
function ask(
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      { host: '127.0.0.1', port: api.port, path, method, headers, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('latin1');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
        response.on('error', reject);
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

/** Node's client frames no body of a GET by itself. */
const length = (body: string | undefined): Record<string, string> =>
  body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };

const bearer = { authorization: `Bearer ${TOKEN}` };
const farm = routePath('farm');
const codeOf = (answer: Answer): string =>
  (JSON.parse(answer.text) as { error: { code: string } }).error.code;

describe('the token', () => {
  test('is asked for on every route of the API', async () => {
    for (const route of Object.values(ROUTES)) {
      const path = `${API_PREFIX}${route.path.replace(/:\w+/g, 'x')}`;
      const answer = await ask(path, {}, route.method);
      assert.deepEqual([answer.status, codeOf(answer)], [401, 'token-missing'], path);
    }
  });

  test('is asked for however the address is written', async () => {
    for (const path of [
      '/%61pi/v1/farm',
      '/api%2Fv1/farm',
      '/api/v1/%66arm',
      '//api/v1/farm',
      '/api/v1/farm/',
      '/api/v1/farm;x',
      '/api/v1/farm?x',
      '/API/v1/farm',
      '/./api/v1/farm',
      '/x/../api/v1/farm',
      '/api',
      '/api/v2',
    ]) {
      const answer = await ask(path);
      assert.ok(!answer.text.includes('ffffffffffffffff'), `${path}: ${answer.text}`);
    }
    assert.equal((await ask('/%61pi/v1/farm')).status, 401);
  });

  test('counts in the header and in the cookie of this port only', async () => {
    const name = `cuadro-${api.port}`;
    const cases: [Record<string, string>, number][] = [
      [bearer, 200],
      [{ authorization: `bearer  ${TOKEN}` }, 200],
      [{ authorization: `Bearer ${TOKEN}x` }, 401],
      [{ authorization: 'Bearer ' }, 401],
      [{ authorization: `Basic ${TOKEN}` }, 401],
      [{ cookie: `${name}=${TOKEN}` }, 200],
      [{ cookie: `a=b; ${name}=${TOKEN}; c` }, 200],
      [{ cookie: `cuadro-1=${TOKEN}` }, 401],
      [{ cookie: `x${name}=${TOKEN}` }, 401],
      [{ cookie: `${name}=%ff` }, 401],
      [{ cookie: name }, 401],
    ];
    for (const [headers, status] of cases) {
      assert.equal((await ask(farm, headers)).status, status, JSON.stringify(headers));
    }
  });
});

describe('other pages', () => {
  test('are refused by Host', async () => {
    for (const host of [
      'evil.example',
      `evil.example:${api.port}`,
      '127.0.0.1',
      '127.0.0.1:1',
      `127.0.0.1:${api.port}.evil`,
    ]) {
      for (const path of [farm, '/', `/signin?token=${TOKEN}`]) {
        const answer = await ask(path, { ...bearer, host });
        assert.deepEqual([answer.status, codeOf(answer)], [403, 'host-refused'], `${host} ${path}`);
      }
    }
    for (const host of [`localhost:${api.port}`, `LOCALHOST:${api.port}`, `[::1]:${api.port}`]) {
      assert.equal((await ask(farm, { ...bearer, host })).status, 200, host);
    }
  });

  test('are refused by Origin and Sec-Fetch-Site', async () => {
    for (const origin of [
      'null',
      'http://evil.example',
      'http://127.0.0.1:1',
      `https://127.0.0.1:${api.port}`,
    ]) {
      assert.equal(codeOf(await ask(farm, { ...bearer, origin })), 'origin-refused', origin);
    }
    for (const site of ['cross-site', 'same-site']) {
      assert.equal(codeOf(await ask(farm, { ...bearer, 'sec-fetch-site': site })), 'origin-refused', site);
    }
    const own = { origin: `http://127.0.0.1:${api.port}`, 'sec-fetch-site': 'same-origin' };
    const answer = await ask(farm, { ...bearer, ...own });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  });
});

describe('signing in', () => {
  test('sets a cookie that pages of others cannot use, and goes to the dashboard', async () => {
    const answer = await ask(`/signin?token=${TOKEN}`);
    assert.deepEqual([answer.status, answer.headers['location']], [303, '/']);
    const cookie = String(answer.headers['set-cookie']);
    assert.match(cookie, new RegExp(`^cuadro-${api.port}=${TOKEN};`));
    for (const part of ['HttpOnly', 'SameSite=Strict', 'Path=/']) assert.ok(cookie.includes(part), part);
    const signedIn = await ask(farm, { cookie: cookie.split(';')[0] as string });
    assert.equal(signedIn.status, 200);
  });

  test('with a wrong token says what to do', async () => {
    for (const path of [
      '/signin',
      '/signin?token=',
      '/signin?token=x',
      `/signin?token=${TOKEN}&token=${TOKEN}`,
    ]) {
      const answer = await ask(path);
      assert.equal(answer.status, 401, path);
      assert.equal(answer.headers['set-cookie'], undefined);
      assert.match(answer.text, /cuadro dashboard/);
    }
  });
});

describe('hostile input', () => {
  test('never crashes, never answers 500', async () => {
    const paths = fc.oneof(
      fc.constantFrom(...Object.values(ROUTES).map((route) => `${API_PREFIX}${route.path}`)),
      fc.webPath().map((path) => `${API_PREFIX}/jobs/${path}`),
      fc.string({ unit: 'binary-ascii', maxLength: 60 }).map((text) => `/${encodeURI(text)}`),
      fc.stringMatching(/^[!-~]{0,60}$/).map((text) => `/${text}`),
      fc.constantFrom(
        '/%',
        '/%zz',
        '/%00',
        `/${'a'.repeat(5_000)}`,
        `${API_PREFIX}/jobs/${'a'.repeat(3_000)}`,
      ),
    );
    const headers = fc.dictionary(
      fc.constantFrom('content-type', 'range', 'if-none-match', 'last-event-id', 'cookie', 'accept', 'x-y'),
      fc.oneof(fc.stringMatching(/^[ -~]{0,40}$/), fc.constantFrom('application/json', 'bytes=1-', '-1')),
    );
    const bodies = fc.option(fc.oneof(fc.json(), fc.string({ maxLength: 200 })), { nil: undefined });
    const methods = fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'PUT', 'HEAD', 'OPTIONS');
    await fc.assert(
      fc.asyncProperty(paths, methods, headers, bodies, async (path, method, extra, body) => {
        // Streams of events don't end; they have tests of their own.
        fc.pre(!path.startsWith(`${API_PREFIX}/events`));
        const answer = await ask(path, { ...bearer, ...extra, ...length(body) }, method, body);
        assert.ok(answer.status < 500, `${method} ${path}: ${answer.status} ${answer.text}`);
      }),
      { numRuns: 400 },
    );
    assert.equal((await ask(farm, bearer)).status, 200);
    assert.deepEqual(
      node.logged.filter((line) => line.level === 'error'),
      [],
    );
  });

  test('that is no HTTP at all is cut', async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(bytes, async (data) => {
        await new Promise<void>((resolve) => {
          const socket = connect(api.port, '127.0.0.1', () => socket.end(data));
          socket.on('error', () => undefined);
          socket.on('close', () => resolve());
          socket.resume();
        });
      }),
      { numRuns: 50 },
    );
    assert.equal((await ask(farm, bearer)).status, 200);
  });
});
