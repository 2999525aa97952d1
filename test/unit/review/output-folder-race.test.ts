import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { prepareOutputFolder } from '../../../node/src/jobs/output-folder.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';

let base: string;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'cuadro-review-'));
});
after(() => rm(base, { recursive: true }));

it('gives two jobs that are submitted at once a folder each', async () => {
  const random = createSystemRandom();
  const folders = await Promise.all(
    [1, 2].map(() => prepareOutputFolder({ random }, { base, name: 'shot' })),
  );
  assert.equal(new Set(folders).size, 2, folders.join(' and '));
});
