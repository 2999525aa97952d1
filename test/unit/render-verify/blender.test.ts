import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FrameError } from '../../../node/src/render/verify/errors.ts';
import { pictureProcess, temporaryFolder } from './pictures.ts';

/** What real Blender writes in every format that it has: accepted whole, refused cut. */
const folder = temporaryFolder();
const script = join(import.meta.dirname, 'every_format.py');
execFileSync(
  'blender',
  ['-b', '--factory-startup', '-noaudio', '--python-exit-code', '7', '--python', script, '--', folder],
  { stdio: 'ignore' },
);
const files = readdirSync(folder);
const pictures = pictureProcess();
const size = { width: 64, height: 36 };

/** A file's own name tells the format that was asked of Blender. */
function formatOf(name: string): string {
  if (name === 'deep.png') return 'PNG';
  if (!name.endsWith('.exr')) return name.split('.')[0] as string;
  return name.startsWith('one') ? 'OPEN_EXR' : 'OPEN_EXR_MULTILAYER';
}

test('Blender wrote the formats that it always has', () => {
  assert.ok(files.length >= 30, files.join(' '));
});

for (const name of files) {
  test(`${name} of Blender's counts whole, and not cut`, async () => {
    const path = join(folder, name);
    const bytes = readFileSync(path);
    const format = formatOf(name);
    const verified = await pictures.verify({ path, format, ...size });
    assert.equal(verified.decoded, 'pixels');
    const cut = join(folder, `cut-${name}`);
    // One byte, a few, and most of it; TGA's last bytes hold no pixels, so there the cut must reach the rows.
    const least = format.startsWith('TARGA') ? 60 : 1;
    for (const missing of [least, 100, bytes.length >> 1]) {
      writeFileSync(cut, bytes.subarray(0, bytes.length - missing));
      const outcome = await pictures.verify({ path: cut, format, ...size }).catch((error: unknown) => error);
      assert.ok(
        outcome instanceof FrameError,
        `${missing} bytes of ${bytes.length} cut off: ${JSON.stringify(outcome)}`,
      );
    }
  });
}

test('one render hashes alike in all formats that lose nothing of it in the same way', async () => {
  // Blender adds the usual ending where a name has another.
  const find = (start: string) => files.find((name) => name.startsWith(start)) ?? start;
  const hash = async (name: string) =>
    (await pictures.verify({ path: join(folder, find(name)), ...size })).pixelHash;
  const plain = await Promise.all(['NONE', 'RLE', 'ZIPS', 'ZIP'].map((codec) => hash(`one-${codec}.exr`)));
  assert.equal(new Set(plain).size, 1);
  const layers = await Promise.all(
    ['NONE', 'RLE', 'ZIPS', 'ZIP'].map((codec) => hash(`layers-${codec}.exr`)),
  );
  assert.equal(new Set(layers).size, 1);
  assert.equal(await hash('PNG.'), await hash('TIFF.'));
  assert.equal(await hash('TARGA.'), await hash('TARGA_RAW.'));
});
