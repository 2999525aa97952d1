import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { createTemporaryFiles } from '../../../node/src/system/temporary-files.ts';

test('a sweep removes what a killed node left, and nothing of anybody else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-temporary-'));
  try {
    const killed = createTemporaryFiles({ random: createSeededRandom(1) }, { owner: 'mine' });
    const other = createTemporaryFiles({ random: createSeededRandom(2) }, { owner: 'theirs' });
    const again = createTemporaryFiles({ random: createSeededRandom(3) }, { owner: 'mine' });
    const left = killed.take(folder);
    const foreign = other.take(folder);
    const inUse = again.take(folder);
    for (const path of [left, foreign, inUse, join(folder, '.cuadro-mine-notes.txt')]) {
      await writeFile(path, '');
    }
    await again.sweep(folder);
    const paths = (await readdir(folder)).map((name) => join(folder, name));
    assert.deepEqual(paths.sort(), [foreign, inUse, join(folder, '.cuadro-mine-notes.txt')].sort());
    again.giveBack(inUse);
    await again.sweep(folder);
    assert.equal((await readdir(folder)).length, 2);
    await again.sweep(join(folder, 'not there'));
  } finally {
    await rm(folder, { recursive: true });
  }
});
