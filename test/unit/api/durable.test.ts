import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROUTES, type RouteName, routePath } from '@cuadro/protocol';
import { startFake, TOKEN } from './fakes.ts';

test('an answer is given once what it shows is on disk', async (t) => {
  const { node, api } = await startFake();
  t.after(() => api.stop());
  const call = (name: RouteName): Promise<Response> =>
    fetch(`${api.address}${routePath(name, {})}`, {
      method: ROUTES[name].method,
      headers: { authorization: `Bearer ${TOKEN}` },
    });
  let written = (): void => undefined;
  node.onDisk = new Promise((resolve) => {
    written = resolve;
  });
  let answered = false;
  const answer = call('jobs').then((response) => {
    answered = true;
    return response;
  });
  // Raw answers show no records: one that was asked for later comes first.
  assert.equal((await call('metrics')).status, 200);
  assert.equal(answered, false);
  written();
  assert.equal((await answer).status, 200);
});
