import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeFolder, makeFolderSync } from '../../../node/src/system/folders.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'cuadro-folders-'));
});
after(() => rm(root, { recursive: true, force: true }));

const ways: [name: string, make: (folder: string) => void | Promise<void>][] = [
  ['makeFolder', makeFolder],
  ['makeFolderSync', makeFolderSync],
];

for (const [name, make] of ways) {
  test(`${name} makes a folder with its parents, and again`, async () => {
    const folder = join(root, name, 'a', 'b', 'c');
    await make(folder);
    await make(folder);
    assert.ok((await stat(folder)).isDirectory());
    await make('/');
  });

  test(`${name} gives up where the system refuses`, { timeout: 5_000 }, async () => {
    await writeFile(join(root, 'file'), '');
    await assert.rejects(async () => make(join(root, 'file')), { code: 'EEXIST' });
    await assert.rejects(async () => make(join(root, 'file', 'a', 'b')), { code: 'ENOTDIR' });
  });

  // Node's own recursive mkdir never comes back from here.
  test(`${name} gives up in /proc`, { timeout: 5_000, skip: process.platform !== 'linux' }, async () => {
    await assert.rejects(async () => make('/proc/cuadro'), { code: 'ENOENT' });
    await assert.rejects(async () => make('/proc/cuadro/a/b'), { code: 'ENOENT' });
  });
}
