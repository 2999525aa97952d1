import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, it } from 'node:test';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { localContent } from '../../../node/src/blobs/source.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { SceneFolders } from '../../../node/src/worker/scenes.ts';
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
  // Only now: the checkout may lie where an ordinary user sees nothing.
  if (process.getuid?.() === 0) {
    process.setgroups([]);
    process.setgid(65534);
    process.setuid(65534);
  }
  const blobs = createMemoryBlobStore();
  await blobs.start();
  const scenes = new SceneFolders({ blobs, content: { ensure: async () => {}, ensureMany: async () => {}, ensureTree: async () => {} }, random: createSystemRandom() }, { folder });
  for (const name of ['a', 'b', 'c', 'd']) {
    const { hash, sizeBytes } = await blobs.putBytes(Buffer.from(name));
    const files = [{ path: 'shot.blend', blob: hash, sizeBytes }];
    const bundle = await blobs.putBytes(encode({ version: 1, main: 'shot.blend', files, remap: [] }));
    (await scenes.open(bundle.hash, { job: 'aaaaaaaaaaaaaaaa', signal: new AbortController().signal, progress() {} })).release();
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
  const command = [
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

it('removes at start what no job needs any more, and keeps what one does', async () => {
  const folder = join(base, 'swept');
  const scenes = new SceneFolders(
    { blobs: createMemoryBlobStore(), content: localContent, random: createSystemRandom() },
    { folder },
  );
  const [wanted, other] = ['a'.repeat(64), 'b'.repeat(64)];
  for (const name of [wanted, other]) {
    const tree = join(folder, name.slice(0, 32), 'textures');
    await mkdir(tree, { recursive: true });
    await writeFile(join(tree, 'x.png'), '');
    await chmod(tree, 0o555);
  }
  await scenes.sweep(new Set([wanted]));
  assert.deepEqual(readdirSync(folder), [wanted.slice(0, 32)]);
});
