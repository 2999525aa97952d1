import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { CuadroError } from '@cuadro/protocol';
import { loadIdentity } from '../../../node/src/system/identity.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';

/** The key that is a machine: kept for good, and never replaced unasked. */

const random = createSystemRandom();
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cuadro-identity-'));
  path = join(folder, 'identity.key');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the key of a machine', () => {
  test('is made once, and is the same at the next start', async () => {
    const made = await loadIdentity({ random }, path);
    assert.equal((await loadIdentity({ random }, path)).peer, made.peer);
  });

  const damages: Record<string, { why: RegExp; damage: () => Promise<void> }> = {
    'an empty file': { why: /it is empty/, damage: () => writeFile(path, '') },
    garbage: { why: /content is damaged/, damage: () => writeFile(path, Buffer.alloc(200, 0xff)) },
    'half a key': { why: /content is damaged/, damage: () => truncate(path, 60) },
    'a key of another kind': {
      why: /another kind/,
      damage: () => {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        return writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }));
      },
    },
  };
  for (const [name, { why, damage }] of Object.entries(damages)) {
    test(`R170: ${name} is told in a sentence that names the file, and left as it is`, async () => {
      await loadIdentity({ random }, path);
      await damage();
      const before = await readFile(path);
      await assert.rejects(loadIdentity({ random }, path), (error) => {
        assert.ok(error instanceof CuadroError);
        assert.equal(error.code, 'identity-damaged');
        assert.match(error.message, why);
        assert.ok(error.message.includes(path));
        assert.doesNotMatch(error.message, /openssl|DECODER|error:/i);
        return true;
      });
      assert.deepEqual(await readFile(path), before);
    });
  }
});
