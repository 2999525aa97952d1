import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { configSchema, EXIT } from '@cuadro/protocol';
import { defaultDataFolder } from '../../../node/src/cli/data-folder.ts';
import { configPath, defaultConfig, loadConfig, saveConfig } from '../../../node/src/system/config.ts';
import {
  nodeFilePath,
  readNodeFile,
  removeNodeFile,
  signinAddress,
  writeNodeFile,
} from '../../../node/src/system/node-file.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { runCaptured } from './harness.ts';

const random = createSystemRandom();
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cuadro-files-'));
});
beforeEach(async () => {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
});
after(() => rm(folder, { recursive: true }));

describe('the data folder', () => {
  const table: [Record<string, string>, NodeJS.Platform, string][] = [
    [{}, 'linux', '/home/ana/.local/share/cuadro'],
    [{ XDG_DATA_HOME: '/data' }, 'linux', '/data/cuadro'],
    [{ XDG_DATA_HOME: 'relative' }, 'linux', '/home/ana/.local/share/cuadro'],
    [{}, 'darwin', '/home/ana/Library/Application Support/Cuadro'],
    [{ LOCALAPPDATA: 'C:\\Users\\ana\\AppData\\Local' }, 'win32', 'C:\\Users\\ana\\AppData\\Local\\Cuadro'],
    [{ CUADRO_DATA: '/own', XDG_DATA_HOME: '/data' }, 'linux', '/own'],
    [{ CUADRO_DATA: 'own' }, 'linux', resolve('own')],
  ];
  for (const [env, platform, expected] of table) {
    test(`${platform} ${JSON.stringify(env)}`, () => {
      assert.equal(defaultDataFolder(env, platform, '/home/ana'), expected);
    });
  }
});

describe('the node file', () => {
  const file = { pid: process.pid, port: 7700, address: 'http://127.0.0.1:7700', token: 'a+b/c' };

  test('is for its owner only, and says where the node is', async () => {
    await writeNodeFile({ random }, folder, file);
    assert.deepEqual(readNodeFile(folder), file);
    assert.equal((await stat(nodeFilePath(folder))).mode & 0o777, 0o600);
    assert.equal(signinAddress(file), 'http://127.0.0.1:7700/signin?token=a%2Bb%2Fc');
    await removeNodeFile(folder);
    await removeNodeFile(folder);
    assert.equal(readNodeFile(folder), undefined);
  });

  test('of a killed node counts as none, and so does anything else', async () => {
    const bad = [
      // The largest pid of Linux is 2^22; this one cannot live.
      { ...file, pid: 2 ** 30 },
      { ...file, pid: 0 },
      { ...file, pid: -1 },
      { ...file, address: 'http://evil.example:7700' },
      { ...file, address: 'http://127.0.0.1:7700@evil.example' },
      { ...file, address: 'http://127.0.0.1:77000' },
      { ...file, token: '' },
      { ...file, token: '\udffb' },
      { pid: process.pid },
      [],
      null,
    ];
    for (const value of bad) {
      await writeFile(nodeFilePath(folder), JSON.stringify(value));
      assert.equal(readNodeFile(folder), undefined, JSON.stringify(value));
    }
    await writeFile(nodeFilePath(folder), '{"pid":');
    assert.equal(readNodeFile(folder), undefined);
    const { exit, err } = await runCaptured(['jobs', '--data', folder]);
    assert.equal(exit, EXIT.noNode);
    assert.match(err, /cuadro up/);
  });

  test('whose port nobody listens on leads to the same sentence', async () => {
    await writeNodeFile({ random }, folder, { ...file, port: 1, address: 'http://127.0.0.1:1' });
    for (const command of ['jobs', 'watch', 'nodes', 'down', 'dashboard']) {
      const { exit, err } = await runCaptured([command, '--data', folder]);
      assert.deepEqual([exit, /No node runs/.test(err)], [EXIT.noNode, true], command);
    }
  });
});

describe('the config file', () => {
  test('is read and set where a killed node left its file and another program has its process id', async () => {
    const left = { pid: process.pid, port: 9, address: 'http://127.0.0.1:9', token: 'a' };
    await writeNodeFile({ random }, folder, left);
    const run = (...args: string[]) => runCaptured(['config', ...args, '--data', folder]);
    const set = await run('set', 'slots', '2');
    assert.deepEqual([set.exit, set.out], [EXIT.ok, 'slots = 2\n'], set.err);
    assert.equal((await run('get', 'slots')).out, '2\n');
    assert.equal((await loadConfig(folder)).slots, 2);
  });

  test('holds what was set; all else follows the defaults', async () => {
    configSchema.parse(defaultConfig());
    assert.deepEqual(await loadConfig(folder), defaultConfig());
    const changed = await saveConfig({ random }, folder, { slots: 2 });
    assert.deepEqual(changed, { ...defaultConfig(), slots: 2 });
    await saveConfig({ random }, folder, { name: 'ana' });
    assert.deepEqual(JSON.parse(await readFile(configPath(folder), 'utf8')), { slots: 2, name: 'ana' });
    assert.deepEqual(await loadConfig(folder), { ...defaultConfig(), slots: 2, name: 'ana' });
  });

  test('keeps what a newer version wrote', async () => {
    await writeFile(configPath(folder), '{"future": 1}');
    await saveConfig({ random }, folder, { slots: 2 });
    assert.deepEqual(JSON.parse(await readFile(configPath(folder), 'utf8')), { future: 1, slots: 2 });
  });

  test('is refused with a sentence where it says something impossible', async () => {
    for (const [text, pattern] of [
      ['{"slots": 0}', /slots/],
      ['{', /not JSON/],
      ['[]', /not a JSON object/],
    ] as const) {
      await writeFile(configPath(folder), text);
      await assert.rejects(loadConfig(folder), { code: 'config-invalid', message: pattern });
      await assert.rejects(saveConfig({ random }, folder, { name: 'x' }), { code: 'config-invalid' });
      assert.equal(await readFile(configPath(folder), 'utf8'), text, 'left as it was');
    }
    await rm(configPath(folder));
    await assert.rejects(saveConfig({ random }, folder, { slots: 0 }), { code: 'request-invalid' });
    assert.deepEqual(await readdir(folder), []);
  });

  test('is read and written by the command line where no node runs', async () => {
    const data = join(folder, 'new');
    const set = await runCaptured(['config', 'set', 'slots', '3', '--data', data]);
    assert.deepEqual([set.exit, set.out], [EXIT.ok, 'slots = 3\n']);
    assert.match(set.err, /when it starts/);
    assert.equal((await runCaptured(['config', 'get', 'slots', '--data', data])).out, '3\n');
    const list = await runCaptured(['config', '--json', '--data', data]);
    assert.equal(configSchema.parse(JSON.parse(list.out)).slots, 3);
  });

  test('of a folder that cannot be written', {
    skip: process.getuid?.() === 0 && 'root may write everywhere',
  }, async () => {
    await chmod(folder, 0o500);
    await assert.rejects(saveConfig({ random }, folder, { slots: 2 }), { code: 'store-unwritable' });
    await chmod(folder, 0o700);
  });
});
