import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { StoredFiles } from '../../../scripts/bench/stored-files.ts';

const JOB = 'abcdefghijklmnop';

it('leaves the files and pins of a bench on the disk as the blob store leaves them', async () => {
  const base = await mkdtemp(join(tmpdir(), 'cuadro-stored-files-'));
  const storeIn = (folder: string) =>
    createFileBlobStore(
      { clock: createSystemClock(), random: createSystemRandom() },
      { folder: join(base, folder), options: { reserveBytes: 0 } },
    );
  const [slow, quick] = [storeIn('slow'), storeIn('quick')];
  try {
    await slow.start();
    await quick.start();
    await quick.stop();
    const contents = Array.from({ length: 20 }, (_, i) => Buffer.from(`file ${i}`));
    const infos = await slow.putMany(
      contents.map((bytes) => ({ bytes })),
      { pin: JOB },
    );
    const files = new StoredFiles(join(base, 'quick'));
    await files.start();
    const hashes = await files.put(contents, JOB);
    await files.stop();
    assert.deepEqual(
      hashes,
      infos.map(({ hash }) => hash),
    );
    await quick.start();
    assert.deepEqual([...quick.pinnedBy(JOB)].sort(), [...slow.pinnedBy(JOB)].sort());
    const states: string[] = [];
    for await (const { state } of quick.check()) states.push(state);
    assert.deepEqual(
      states,
      contents.map(() => 'ok'),
    );
    await Promise.all([quick.stop(), slow.stop()]);
    assert.deepEqual(await standingIn(join(base, 'quick')), await standingIn(join(base, 'slow')));
    assert.deepEqual(linesOf(join(base, 'quick')), linesOf(join(base, 'slow')));
  } finally {
    await Promise.all([quick.stop(), slow.stop()]);
    await rm(base, { recursive: true });
  }
});

/** Everything in a data folder: path, permission bits, and of files their size; the pins' lines are compared apart. */
async function standingIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const path of (await readdir(folder, { recursive: true })).sort()) {
    const { mode, size } = await stat(join(folder, path));
    const isFile = path.startsWith('blobs') && path.length > 'blobs/00'.length;
    found.push(`${path} ${mode.toString(8)} ${isFile ? size : ''}`);
  }
  return found;
}

const linesOf = (folder: string): string[] =>
  readFileSync(join(folder, 'pins.journal'), 'latin1').split('\n').filter(Boolean).sort();
