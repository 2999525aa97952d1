import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadToken } from '../../../node/src/system/node-file.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';

const folder = mkdtempSync(join(tmpdir(), 'cuadro-token-'));
const path = join(folder, 'token');
after(() => rmSync(folder, { recursive: true, force: true }));

const load = (): Promise<string> => loadToken({ random: createSeededRandom(1) }, folder);

test('a token is kept from one start to the next', async () => {
  const made = await load();
  assert.match(made, /^[a-z2-7]{32}$/);
  writeFileSync(path, `${made.replace(/./, 'b')}\n`);
  assert.equal(await load(), made.replace(/./, 'b'));
});

test('R4: a token that no client could send is replaced by one that each can', async () => {
  const made = await load();
  for (const garbled of [
    `${made.slice(0, 20)} ${made.slice(20)}`,
    `${made}\n${made}`,
    `${made.slice(1)}\ufffd`,
    `${made}\0`,
    made.repeat(2_000),
    made.slice(1),
  ]) {
    writeFileSync(path, garbled);
    const token = await load();
    assert.match(token, /^[a-z2-7]{32}$/);
    assert.equal(readFileSync(path, 'utf8'), `${token}\n`);
  }
});
