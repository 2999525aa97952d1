import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Api } from '../../../node/src/api/server.ts';
import { startFake } from './fakes.ts';

describe('the dashboard', () => {
  let api: Api;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cuadro-ui-'));
    await mkdir(join(folder, 'assets'));
    await writeFile(join(folder, 'index.html'), '<!doctype html><title>the dashboard</title>');
    await writeFile(join(folder, 'assets', 'index-abc123.js'), 'export {};');
    ({ api } = await startFake({ uiFolder: folder }));
  });
  after(async () => {
    await api.stop();
    await rm(folder, { recursive: true });
  });

  test('is the page of every address of its own', async () => {
    for (const path of ['/', '/index.html', '/jobs', '/jobs/aaaa/frames?wall', '/apis']) {
      const response = await fetch(`${api.address}${path}`);
      assert.equal(response.status, 200, path);
      assert.match(await response.text(), /the dashboard/, path);
      assert.equal(response.headers.get('cache-control'), 'no-cache', path);
      const policy = response.headers.get('content-security-policy') ?? '';
      assert.match(policy, /default-src 'self'/);
      assert.doesNotMatch(policy, /script-src[^;]*unsafe/);
    }
  });

  test('keeps what has a hash in its name', async () => {
    const response = await fetch(`${api.address}/assets/index-abc123.js`);
    assert.match(response.headers.get('cache-control') ?? '', /immutable/);
    assert.match(response.headers.get('content-type') ?? '', /javascript/);
    assert.equal(await response.text(), 'export {};');
  });

  test('serves nothing else', async () => {
    for (const path of [
      '/assets/gone.js',
      '/favicon.ico',
      '/..%2f..%2fetc/passwd.txt',
      '/assets/..%2f..%2fx.js',
    ]) {
      const response = await fetch(`${api.address}${path}`);
      assert.ok([403, 404, 400].includes(response.status), `${path} ${response.status}`);
    }
    const post = await fetch(`${api.address}/jobs`, { method: 'POST' });
    assert.equal(post.status, 404);
  });
});

describe('without a built dashboard', () => {
  for (const uiFolder of [undefined, '/nonexistent/folder']) {
    test(`a sentence stands in (${uiFolder})`, async () => {
      const { api } = await startFake({ uiFolder });
      const response = await fetch(`${api.address}/`);
      assert.equal(response.status, 200);
      assert.match(await response.text(), /npm run build/);
      await api.stop();
    });
  }
});
