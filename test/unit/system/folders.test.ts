import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { type FileCalls, systemFileCalls } from '../../../node/src/system/file-calls.ts';
import { makeFolder, makeFoldersBelow, makeFolderSync } from '../../../node/src/system/folders.ts';
import { disguised } from '../disguised.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'cuadro-folders-'));
});
after(() => rm(root, { recursive: true, force: true }));

const ways: [name: string, make: (folder: string) => unknown][] = [
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

test('folders below one are made with durable names, and those that are there are synced as well', async () => {
  const folder = join(root, 'below');
  const synced: string[] = [];
  const files: FileCalls = {
    ...systemFileCalls,
    open: async (path, ...more) => {
      const file = await systemFileCalls.open(path, ...more);
      return disguised(file, {
        sync: () => {
          synced.push(relative(root, path));
          return file.sync();
        },
      });
    },
  };
  await makeFolder(folder, {}, files);
  assert.deepEqual(synced.splice(0), ['']);
  await makeFoldersBelow(folder, '.', files);
  assert.deepEqual(synced, []);
  await makeFoldersBelow(folder, 'a/b', files);
  assert.deepEqual(synced.splice(0), ['below', join('below', 'a')]);
  // A process that was killed may have made them a moment ago.
  await makeFoldersBelow(folder, 'a/b', files);
  assert.deepEqual(synced, ['below', join('below', 'a')]);
  assert.ok((await stat(join(folder, 'a', 'b'))).isDirectory());
});

test('a folder is made in one that may not be read', async () => {
  const closed: FileCalls = {
    ...systemFileCalls,
    open: () => Promise.reject(Object.assign(new Error('closed'), { code: 'EACCES' })),
  };
  assert.equal(await makeFolder(join(root, 'in-closed'), {}, closed), true);
  const broken: FileCalls = {
    ...systemFileCalls,
    open: () => Promise.reject(Object.assign(new Error('broken'), { code: 'EIO' })),
  };
  await assert.rejects(makeFolder(join(root, 'in-broken'), {}, broken), { code: 'EIO' });
});
