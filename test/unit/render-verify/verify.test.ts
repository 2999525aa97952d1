import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { FrameError } from '../../../node/src/render/verify/errors.ts';
import { verifyFrame } from '../../../node/src/render/verify/verify.ts';
import { ffmpeg, picture, pictureProcess, temporaryFolder } from './pictures.ts';

const folder = temporaryFolder();
const pictures = pictureProcess();
const [width, height] = [67, 41];
let count = 0;

function check(bytes: Buffer, name: string, more: { format?: string } = {}) {
  const path = join(folder, `case-${count++}-${name}`);
  writeFileSync(path, bytes);
  return verifyFrame({ pictures }, { path, width, height, ...more });
}

const code =
  (...codes: string[]) =>
  (error: unknown) =>
    error instanceof FrameError && codes.includes(error.code) && /^[A-Z/].*\.$/.test(error.message);

/** Every format that an engine writes, made by other hands than ours. */
const made: { name: string; format: string; arguments?: string[]; decoded?: 'structure'; loud: boolean }[] = [
  { name: 'eight.png', format: 'PNG', loud: true },
  { name: 'sixteen.png', format: 'PNG', arguments: ['-pix_fmt', 'rgba64be'], loud: true },
  { name: 'grey.png', format: 'PNG', arguments: ['-pix_fmt', 'gray'], loud: true },
  { name: 'a.jpg', format: 'JPEG', loud: false },
  { name: 'a.webp', format: 'WEBP', loud: false },
  { name: 'packed.tif', format: 'TIFF', arguments: ['-compression_algo', 'deflate'], loud: true },
  { name: 'a.bmp', format: 'BMP', loud: false },
  { name: 'runs.tga', format: 'TARGA', loud: false },
  { name: 'raw.tga', format: 'TARGA_RAW', arguments: ['-rle', '0'], loud: false },
  { name: 'a.sgi', format: 'IRIS', loud: false },
  { name: 'a.dpx', format: 'DPX', loud: false },
  { name: 'a.j2c', format: 'JPEG2000', arguments: ['-c:v', 'jpeg2000', '-format', 'j2k'], loud: false },
  { name: 'a.jp2', format: 'JPEG2000', arguments: ['-c:v', 'jpeg2000', '-format', 'jp2'], loud: false },
  { name: 'none.exr', format: 'OPEN_EXR', arguments: ['-compression', 'none'], loud: false },
  { name: 'rle.exr', format: 'OPEN_EXR', arguments: ['-compression', 'rle'], loud: false },
  { name: 'zips.exr', format: 'OPEN_EXR', arguments: ['-compression', 'zip1'], loud: true },
  {
    name: 'zip.exr',
    format: 'OPEN_EXR',
    arguments: ['-compression', 'zip16', '-format', 'half'],
    loud: true,
  },
];

for (const { name, format, arguments: more = [], decoded = 'pixels', loud } of made) {
  test(`${name}: whole is accepted; cut, lengthened, of another size or format is refused`, async () => {
    const path = join(folder, name);
    const bytes = picture(path, `${width}x${height}`, ...more);
    const verified = await verifyFrame({ pictures }, { path, format, width, height });
    assert.equal(verified.decoded, decoded);
    assert.deepEqual([verified.width, verified.height, verified.sizeBytes], [width, height, bytes.length]);
    assert.match(verified.pixelHash, /^[0-9a-f]{64}$/);

    for (const length of [0, 1, 20, Math.floor(bytes.length / 2), bytes.length - 700, bytes.length - 1]) {
      const cut = await check(bytes.subarray(0, Math.max(0, length)), name, { format }).catch(
        (error) => error,
      );
      // TGA ends with a signature that holds no pixels, and that not every program writes.
      if (format.startsWith('TARGA') && cut.pixelHash === verified.pixelHash) continue;
      assert.ok(
        code('frame-truncated', 'frame-undecodable')(cut),
        `cut to ${length} of ${bytes.length}: ${cut}`,
      );
    }
    const zeroed = Buffer.from(bytes).fill(0, bytes.length >> 1, (bytes.length >> 1) + 200);
    const outcome = await check(zeroed, name, { format }).catch((error) => error);
    // A format without checksums can't tell zeroes from black, but then the hash tells.
    if (loud) assert.ok(outcome instanceof FrameError, 'zeroes in the middle');
    else assert.notEqual(outcome.pixelHash, verified.pixelHash);

    const other = { path, width: width + 1, height, format };
    await assert.rejects(verifyFrame({ pictures }, other), code('frame-wrong-size'));
    const unasked = format === 'PNG' ? 'JPEG' : 'PNG';
    await assert.rejects(
      verifyFrame({ pictures }, { path, width, height, format: unasked }),
      code('frame-undecodable'),
    );
  });
}

test('a size that is not known beforehand is not held against the picture', async () => {
  const path = join(folder, 'unknown-size.png');
  picture(path, '31x17');
  const verified = await verifyFrame({ pictures }, { path, width: 0, height: 0 });
  assert.deepEqual([verified.width, verified.height, verified.format], [31, 17, 'png']);
});

test('missing files, folders and files from before the render are told apart', async () => {
  const path = join(folder, 'old.png');
  picture(path);
  const ask = (more: object) => verifyFrame({ pictures }, { path, width, height, ...more });
  await assert.rejects(ask({ path: join(folder, 'none.png') }), code('frame-missing'));
  await assert.rejects(ask({ path: folder }), code('frame-missing', 'frame-undecodable'));
  utimesSync(path, 1000, 1000);
  await assert.rejects(ask({ notBefore: 2_000_000 }), code('frame-stale'));
  const { mtimeMs } = statSync(path);
  await ask({ notBefore: mtimeMs });
});

/** A PNG chunk with its checksum. */
function chunk(type: string, body: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, checksum]);
}

test('renders that differ by metadata alone hash alike, and one changed pixel shows', async () => {
  const bytes = picture(join(folder, 'plain.png'), `${width}x${height}`, '-pix_fmt', 'rgb24');
  const dated = Buffer.concat([
    bytes.subarray(0, 33),
    chunk('tEXt', Buffer.from('Date\x002026/11/24 04:11:50')),
    chunk('tEXt', Buffer.from('RenderTime\x0000:01.23')),
    bytes.subarray(33),
  ]);
  const plain = await check(bytes, 'plain.png');
  assert.equal((await check(dated, 'dated.png')).pixelHash, plain.pixelHash);
  const packed = await sharp(bytes).png({ compressionLevel: 1 }).toBuffer();
  assert.equal((await check(packed, 'packed-otherwise.png')).pixelHash, plain.pixelHash);
  const pixels = await sharp(bytes).raw().toBuffer();
  pixels[100] = (pixels[100] as number) ^ 1;
  const changed = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  assert.notEqual((await check(changed, 'changed.png')).pixelHash, plain.pixelHash);
});

test('the hash of an EXR is of its samples, however they are packed', async () => {
  const hashes = new Set<string>();
  for (const compression of ['none', 'rle', 'zip1', 'zip16']) {
    const path = join(folder, `same-${compression}.exr`);
    picture(path, `${width}x${height}`, '-compression', compression, '-format', 'float');
    hashes.add((await verifyFrame({ pictures }, { path, width, height })).pixelHash);
  }
  assert.equal(hashes.size, 1);
});

test('what our own unpacking gives is what ffmpeg decodes', async () => {
  const { undoCompression } = await import('../../../node/src/render/verify/exr-compression.ts');
  const { readExrHeaders } = await import('../../../node/src/render/verify/exr-header.ts');
  const path = join(folder, 'oracle.exr');
  const bytes = picture(path, `${width}x${height}`, '-compression', 'zip16', '-format', 'float');
  const raw = join(folder, 'oracle.raw');
  ffmpeg('-i', path, '-f', 'rawvideo', '-pix_fmt', 'gbrpf32le', raw);
  const planes = readFileSync(raw);
  const { parts, bytes: start } = readExrHeaders(bytes);
  const part = parts[0];
  assert.ok(part);
  const offset = Number(bytes.readBigUInt64LE(start));
  const packed = bytes.subarray(offset + 8, offset + 8 + bytes.readInt32LE(offset + 4));
  const plain = undoCompression(3, packed, 16 * width * part.channels.length * 4);
  assert.ok(plain);
  // The block holds, row by row, one row of each channel in alphabetical order: B, then G.
  assert.ok(
    plain.subarray(0, width * 4).equals(planes.subarray(width * height * 4, width * height * 4 + width * 4)),
  );
  assert.ok(plain.subarray(width * 4, width * 8).equals(planes.subarray(0, width * 4)));
});

test('a PNG with true checksums and too few rows is refused', async () => {
  const header = Buffer.from([0, 0, 0, width, 0, 0, 0, height, 8, 2, 0, 0, 0]);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const file = (rows: number) =>
    Buffer.concat([
      signature,
      chunk('IHDR', header),
      chunk('IDAT', deflateSync(Buffer.alloc(rows * (1 + width * 3)))),
      chunk('IEND', Buffer.alloc(0)),
    ]);
  await check(file(height), 'all-rows.png');
  await assert.rejects(check(file(height - 1), 'too-few.png'), code('frame-truncated'));
  await assert.rejects(check(file(height + 1), 'too-many.png'), code('frame-undecodable'));
  await assert.rejects(
    check(Buffer.concat([file(height), signature]), 'trailing.png'),
    code('frame-undecodable'),
  );
});

test('Radiance HDR: runs are undone, cuts are refused', async () => {
  const rows = Array.from({ length: height }, () => {
    const run = (value: number) => [128 + 60, value, 7, 1, 2, 3, 4, 5, 6, 7];
    return Buffer.from([2, 2, 0, width, ...run(9), ...run(8), ...run(7), ...run(6)]);
  });
  const head = Buffer.from(`#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y ${height} +X ${width}\n`);
  const bytes = Buffer.concat([head, ...rows]);
  assert.equal((await check(bytes, 'a.hdr', { format: 'HDR' })).decoded, 'pixels');
  await assert.rejects(check(bytes.subarray(0, -1), 'cut.hdr'), code('frame-truncated'));
  await assert.rejects(check(bytes.subarray(0, bytes.length / 2), 'half.hdr'), code('frame-truncated'));
  const broken = Buffer.from(bytes).fill(0, head.length + 300, head.length + 400);
  await assert.rejects(check(broken, 'zeroes.hdr'), code('frame-undecodable', 'frame-truncated'));
});

test('without ffmpeg a whole BMP counts by structure, and a cut one is still refused', async () => {
  const path = join(folder, 'structure.bmp');
  const bytes = picture(path);
  const lame = pictureProcess({ ffmpeg: join(folder, 'no-such-ffmpeg') });
  const verified = await lame.verify({ path, width, height });
  assert.equal(verified.decoded, 'structure');
  writeFileSync(path, bytes.subarray(0, -1));
  await assert.rejects(lame.verify({ path, width, height }), code('frame-truncated'));
});

test('names that look like patterns are plain names', async () => {
  const path = join(folder, 'shot %04d [*].bmp');
  picture(join(folder, 'pattern.bmp'));
  copyFileSync(join(folder, 'pattern.bmp'), path);
  assert.equal((await verifyFrame({ pictures }, { path, width, height })).decoded, 'pixels');
});
