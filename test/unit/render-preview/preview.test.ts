import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { PreviewError } from '../../../node/src/render/preview/interface.ts';
import { makePreview, makeThumbnail } from '../../../node/src/render/preview/make.ts';
import { picture, pictureProcess, temporaryFolder } from '../render-verify/pictures.ts';

const folder = temporaryFolder();
const pictures = pictureProcess();
const code = (expected: string) => (error: unknown) =>
  error instanceof PreviewError && error.code === expected;

for (const name of ['a.png', 'a.jpg', 'a.tif', 'a.webp', 'a.exr', 'a.bmp', 'a.tga', 'a.dpx']) {
  test(`a thumbnail of ${name} is a whole WebP of the same shape`, async () => {
    const source = join(folder, name);
    picture(source, '640x360');
    const destination = join(folder, `${name}.small.webp`);
    const made = await makeThumbnail({ pictures }, { source, destination });
    assert.deepEqual([made.width, made.height, made.path], [320, 180, destination]);
    assert.equal(made.sizeBytes, readFileSync(destination).length);
    const { format, width, height } = await sharp(destination).metadata();
    assert.deepEqual([format, width, height], ['webp', 320, 180]);
    const { dominant } = await sharp(destination).stats();
    assert.ok(dominant.r + dominant.g + dominant.b > 0, 'not black');
  });
}

test('16-bit pictures with alpha keep it as WebP and lie on black as JPEG; nothing is enlarged', async () => {
  const source = join(folder, 'alpha.png');
  await sharp({
    create: { width: 30, height: 60, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0 } },
  })
    .toColourspace('rgb16')
    .png()
    .toFile(source);
  const webp = await makePreview({ pictures }, { source, destination: join(folder, 'alpha.webp') });
  assert.deepEqual([webp.width, webp.height], [30, 60]);
  assert.equal((await sharp(webp.path).metadata()).hasAlpha, true);
  const jpeg = await makePreview(
    { pictures },
    { source, destination: join(folder, 'alpha.jpg'), format: 'jpeg' },
  );
  const [red] = await sharp(jpeg.path).raw().toBuffer();
  assert.ok((red as number) < 8);
});

test('a plain PNG gives its thumbnail along with its check, and keeps what is see-through', async () => {
  const paints = { opaque: 1, 'see-through': 0.25 };
  for (const [name, alpha] of Object.entries(paints)) {
    const path = join(folder, `${name}.png`);
    const background = { r: 200, g: 40, b: 90, alpha };
    await sharp({ create: { width: 64, height: 32, channels: 4, background } })
      .png()
      .toFile(path);
    const { thumbnail } = await pictures.verify({ path, width: 64, height: 32, thumbnailLongSide: 16 });
    assert.ok(thumbnail);
    const { data, info } = await sharp(thumbnail).raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height], [16, 8]);
    const wanted = alpha === 1 ? [200, 40, 90] : [200, 40, 90, 64];
    assert.equal(info.channels, wanted.length);
    for (const [i, value] of wanted.entries())
      assert.ok(Math.abs((data[i] as number) - value) < 8, `${name}: ${[...data.subarray(0, 4)].join()}`);
    const unasked = await pictures.verify({ path, width: 64, height: 32 });
    assert.equal(unasked.thumbnail, undefined);
  }
});

test('a damaged or missing source leaves what stood at the destination', async () => {
  const destination = join(folder, 'kept.webp');
  writeFileSync(destination, 'as it was');
  const whole = picture(join(folder, 'whole.png'), '640x360');
  const source = join(folder, 'cut.png');
  writeFileSync(source, whole.subarray(0, whole.length / 2));
  for (const path of [source, join(folder, 'none.png'), destination]) {
    await assert.rejects(
      makeThumbnail({ pictures }, { source: path, destination }),
      code('preview-unreadable'),
    );
  }
  assert.equal(readFileSync(destination, 'utf8'), 'as it was');
});

test('a destination that cannot be written is told, and no temporary file stays', async () => {
  const source = join(folder, 'unwritable.png');
  picture(source, '64x36');
  const blocked = join(folder, 'blocked');
  mkdirSync(join(blocked, 'here.webp'), { recursive: true });
  for (const destination of [join(blocked, 'here.webp'), join(folder, 'no-folder', 'a.webp')]) {
    await assert.rejects(makeThumbnail({ pictures }, { source, destination }), code('preview-unwritable'));
  }
  assert.deepEqual(readdirSync(blocked), ['here.webp']);
});
