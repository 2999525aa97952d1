import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, it } from 'node:test';
import { removeTree } from '../../../node/src/blobs/tree.ts';

const source = (path: string): string => fileURLToPath(new URL(`../../../node/src/${path}`, import.meta.url));

/** Opens four scenes one after another, as the frames of four jobs do, and waits until what is idle is forgotten. */
const program = `
  const [folder, protocol, scenesPath, memoryPath, randomPath] = process.argv.slice(1);
  const { SceneFolders } = await import(scenesPath);
  const { createMemoryBlobStore } = await import(memoryPath);
  const { createSystemRandom } = await import(randomPath);
  const { encode } = await import(protocol);
  const { readdir } = await import('node:fs/promises');
  const blobs = createMemoryBlobStore();
  await blobs.start();
  const scenes = new SceneFolders({ blobs, random: createSystemRandom() }, { folder });
  for (const name of ['a', 'b', 'c', 'd']) {
    const { hash, sizeBytes } = await blobs.putBytes(Buffer.from(name));
    const files = [{ path: 'shot.blend', blob: hash, sizeBytes }];
    const bundle = await blobs.putBytes(encode({ version: 1, main: 'shot.blend', files, remap: [] }));
    (await scenes.open(bundle.hash, new AbortController().signal)).release();
  }
  for (let turn = 0; turn < 500 && (await readdir(folder)).length > 2; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
`;

let base: string;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'cuadro-review-'));
  await chmod(base, 0o777);
});
after(() => removeTree(base));

it('removes scenes that nobody uses, also as an ordinary user', () => {
  const folder = join(base, 'scenes');
  const isRoot = process.getuid?.() === 0;
  const command = [
    ...(isRoot ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : []),
    ...[process.execPath, '--input-type=module', '-e', program, folder],
    fileURLToPath(new URL('../../../protocol/src/index.ts', import.meta.url)),
    ...['worker/scenes.ts', 'blobs/memory.ts', 'system/random.ts'].map(source),
  ];
  const [file, ...args] = command as [string, ...string[]];
  const run = spawnSync(file, args, { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  assert.equal(
    readdirSync(folder).length,
    2,
    'two idle scenes are kept; the rest stays on the disk for good',
  );
});
