import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { prepareLaunch } from '../../../node/src/render/blender/launch.ts';

/** What a confined Blender is shown of the system, beside the system's own folders. */

const confiner = {
  confinement: { kind: 'bubblewrap' as const, sentence: 'Confined.' },
  bubblewrap: '/usr/bin/bwrap',
  system: [],
};
const before = { OCIO: process.env['OCIO'], HOME: process.env['HOME'] };
let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'cuadro-launch-')));
  for (const folder of ['bin', 'blender-4.2', 'colours']) await mkdir(join(root, folder));
  await writeFile(join(root, 'blender-4.2', 'blender'), '');
  await writeFile(join(root, 'colours', 'config.ocio'), '');
  delete process.env['OCIO'];
});

afterEach(async () => {
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  await rm(root, { recursive: true });
});

/** Paths that are bound to be read. */
async function shown(blender: string): Promise<string[]> {
  const folder = join(root, 'session');
  const command = await prepareLaunch({ blender, confiner, folder, readableDirectories: [], slot: {} });
  const { arguments: all } = command;
  return all.filter((_, index) => all[index - 1] === '--ro-bind');
}

test('a Blender that a link leads to is shown with its own files', async () => {
  const link = join(root, 'bin', 'blender');
  await symlink(join(root, 'blender-4.2', 'blender'), link);
  const paths = await shown(link);
  assert.ok(paths.includes(join(root, 'bin')), paths.join());
  assert.ok(paths.includes(join(root, 'blender-4.2')), paths.join());
});

test("the studio's colour management is shown with its tables", async () => {
  process.env['OCIO'] = join(root, 'colours', 'config.ocio');
  const paths = await shown('/usr/bin/blender');
  assert.ok(paths.includes(join(root, 'colours')), paths.join());
});

test('a colour management that is not there, or built in, shows nothing', async () => {
  const plain = await shown('/usr/bin/blender');
  for (const value of [join(root, 'none', 'config.ocio'), 'ocio://default', 'config.ocio', '']) {
    process.env['OCIO'] = value;
    assert.deepEqual(await shown('/usr/bin/blender'), plain, value);
  }
});

test("a colour management that lies loose in a user's home does not show that home", async () => {
  process.env['HOME'] = join(root, 'colours');
  process.env['OCIO'] = join(root, 'colours', 'config.ocio');
  const paths = await shown('/usr/bin/blender');
  assert.ok(paths.includes(join(root, 'colours', 'config.ocio')), paths.join());
  assert.ok(!paths.includes(join(root, 'colours')), paths.join());
});
