import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { FolderSyncs, freeDiskBytes, writeFileDurably } from '../../../node/src/system/files.ts';
import { createFolderLock } from '../../../node/src/system/folder-lock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { mountTmpfs, temporaryFolder } from '../blobs/helpers.ts';

const random = createSystemRandom();

describe('durable files', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  before(() => {
    folder = temporaryFolder();
  });
  after(() => folder.remove());

  it('replaces whole, with the mode asked for, and leaves nothing beside it', async () => {
    const path = join(folder.path, 'config.json');
    await writeFileDurably({ random }, path, 'one');
    await writeFileDurably({ random }, path, 'two', { mode: 0o600 });
    assert.equal(readFileSync(path, 'utf8'), 'two');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    mkdirSync(join(folder.path, 'taken'));
    await assert.rejects(writeFileDurably({ random }, join(folder.path, 'taken'), 'x'), { code: 'EISDIR' });
    assert.deepEqual(readdirSync(folder.path).sort(), ['config.json', 'taken']);
    assert.ok((await freeDiskBytes(folder.path)) > 0);
  });

  it('shares folder syncs, and reports their failure to all who wait', async () => {
    const syncs = new FolderSyncs();
    await Promise.all(Array.from({ length: 20 }, () => syncs.sync(folder.path)));
    const absent = join(folder.path, 'absent');
    const results = await Promise.allSettled(Array.from({ length: 3 }, () => syncs.sync(absent)));
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    );
    await syncs.sync(folder.path);
  });
});

describe('the lock of a data folder', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  before(() => {
    folder = temporaryFolder();
  });
  after(() => folder.remove());

  const holder = async (data: string) => {
    const module = join(import.meta.dirname, '../../../node/src/system/folder-lock.ts');
    const program = `import { createFolderLock } from ${JSON.stringify(module)};
      // Kept in view: a lock that nobody refers to any more is collected, and its database closed.
      const lock = createFolderLock(${JSON.stringify(data)});
      await lock.start(); console.log('held'); setInterval(() => lock, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    return child;
  };

  it('refuses a second process and names the first; a killed one leaves no lock', async () => {
    const data = join(folder.path, 'data');
    const child = await holder(data);
    const lock = createFolderLock(data);
    await assert.rejects(lock.start(), { code: 'data-folder-in-use', pid: child.pid, folder: data });
    child.kill('SIGKILL');
    await once(child, 'close');
    assert.ok(existsSync(join(data, 'node.pid')), 'the killed one could not tidy up');
    await lock.start();
    await lock.start();
    await assert.rejects(createFolderLock(data).start(), { code: 'data-folder-in-use', pid: process.pid });
    await lock.stop();
    await lock.stop();
    const next = createFolderLock(data);
    await next.start();
    await next.stop();
  });

  it('lets one node in, and no second, whatever a damaged disk has put into the lock', async () => {
    const data = join(folder.path, 'damaged');
    const path = join(data, 'node.lock');
    mkdirSync(data);
    const database = new DatabaseSync(path);
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a)');
    database.close();
    const later = readFileSync(path);
    // The version that may write it (https://www.sqlite.org/fileformat2.html#file_format_version_numbers).
    later[18] = 6;
    for (const content of [later, Buffer.from('no database'), Buffer.alloc(4096)]) {
      writeFileSync(path, content);
      const child = await holder(data);
      try {
        await assert.rejects(createFolderLock(data).start(), { code: 'data-folder-in-use', pid: child.pid });
      } finally {
        child.kill('SIGKILL');
        await once(child, 'close');
      }
      assert.equal(statSync(path).size, 0);
    }
  });

  it('says when the folder cannot be written', async (context) => {
    const file = join(folder.path, 'file');
    writeFileSync(file, '');
    await assert.rejects(createFolderLock(file).start(), { code: 'data-folder-unwritable' });
    const mount = mountTmpfs(join(folder.path, 'disk'), '1m');
    if (mount === undefined) return context.skip('needs the right to mount a tmpfs');
    try {
      mount.remount('ro');
      await assert.rejects(createFolderLock(join(folder.path, 'disk')).start(), {
        code: 'data-folder-unwritable',
        message: /read-only/,
      });
    } finally {
      mount.unmount();
      chmodSync(folder.path, 0o755);
    }
  });
});
