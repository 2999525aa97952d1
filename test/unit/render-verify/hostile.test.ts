import assert from 'node:assert/strict';
import type { FileHandle } from 'node:fs/promises';
import { test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import { checkEnd, hashHdr } from '../../../node/src/render/verify/ends.ts';
import { FrameError } from '../../../node/src/render/verify/errors.ts';
import { undoCompression } from '../../../node/src/render/verify/exr-compression.ts';
import { readExrHeaders } from '../../../node/src/render/verify/exr-header.ts';
import { readPictureHeader } from '../../../node/src/render/verify/header.ts';
import { checkPng } from '../../../node/src/render/verify/png.ts';
import { readTiffTables } from '../../../node/src/render/verify/tables.ts';
import { exr, png } from '../../fuzz/decoders/picture-files.ts';
import { Dice } from '../../fuzz/dice.ts';

/** Files that were found by fuzzing, or are of their kind: each is refused, soon and for its own reason. */

const refused = (error: unknown): boolean => error instanceof FrameError;

/** A handle that counts its reads. */
function counted(bytes: Uint8Array): { handle: FileHandle; reads: () => number } {
  let count = 0;
  const read = async (buffer: Buffer, offset: number, length: number, position: number) => {
    count += 1;
    const part = bytes.subarray(position, position + length);
    buffer.set(part, offset);
    return { bytesRead: part.length, buffer };
  };
  return { handle: { read } as unknown as FileHandle, reads: () => count };
}

/** An EXR of the fuzzer's that is whole, with another value for its number of blocks. */
function exrCounting(value: Buffer): Buffer {
  for (let seed = 1; ; seed++) {
    const bytes = Buffer.from(exr(new Dice(seed, seed)));
    const at = bytes.indexOf('chunkCount\0int\0');
    if (at < 0) continue;
    const length = at + 'chunkCount\0int\0'.length;
    const rest = bytes.subarray(length + 4 + bytes.readUInt32LE(length));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(value.length);
    return Buffer.concat([bytes.subarray(0, length), size, value, rest]);
  }
}

test('an EXR whose number of blocks is too short, none or negative', () => {
  for (const value of ['', 'a443', '00000000', 'ffffffff', '00000080']) {
    assert.throws(() => readExrHeaders(exrCounting(Buffer.from(value, 'hex'))), refused, value);
  }
});

test('an EXR block of run lengths that would have to be larger than runs can make it', () => {
  assert.equal(undoCompression(1, Buffer.from([127, 7]), 2 ** 31 - 1), undefined);
  assert.equal(undoCompression(1, Buffer.from([127, 7]), 128)?.length, 128);
});

test('an HDR picture without pixels, or with more than its file can hold', () => {
  for (const size of [
    '-Y 1000000000000 +X 0',
    '-Y 0 +X 1000000000000',
    '-Y 3 +X 1000000000000',
    '-Y 9 +X 8',
  ]) {
    const file = Buffer.from(`#?RADIANCE\n${size}\n0123`);
    const [height, width] = [...size.matchAll(/\d+/g)].map(Number) as [number, number];
    assert.throws(() => hashHdr(file, { format: 'hdr', width, height, alpha: false }), refused, size);
  }
});

test('a PNG whose header promises more than its data can hold claims no memory for it', () => {
  const file = Buffer.from(png(new Dice(3, 3)));
  const before = process.memoryUsage().arrayBuffers;
  assert.throws(() => checkPng(withSize(file, 2 ** 20, 2 ** 10)), refused);
  assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 24);
});

/** The same file with another size in its header, and the checksum that goes with it. */
function withSize(file: Buffer, width: number, height: number): Buffer {
  const copy = Buffer.from(file);
  copy.writeUInt32BE(width, 16);
  copy.writeUInt32BE(height, 20);
  copy.set([8, 6, 0, 0, 0], 24);
  copy.writeUInt32BE(crc32(copy.subarray(12, 29)), 29);
  return copy;
}

test('a JPEG of nothing but fill bytes or empty segments is read by the block', async () => {
  const fill = new Uint8Array(2 ** 20).fill(0xff);
  const segments = Uint8Array.from({ length: 2 ** 20 }, (_, at) => [0xff, 0xe0, 0, 2][at % 4] as number);
  for (const bytes of [fill, segments]) {
    bytes.set([0xff, 0xd8]);
    const { handle, reads } = counted(bytes);
    await readPictureHeader(handle, bytes.length);
    assert.ok(reads() <= 20, `${reads()} reads`);
  }
});

/** A directory of entries of a tag, each with as many values as there is room for in the file. */
function tiff(
  entries: readonly (readonly [tag: number, type: number, count: number, value: number])[],
): Buffer {
  const file = Buffer.alloc(8 + 2 + 12 * entries.length + 4 + 4_096);
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(8, 4);
  file.writeUInt16LE(entries.length, 8);
  for (const [i, [tag, type, count, value]] of entries.entries()) {
    const at = 10 + 12 * i;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(count, at + 4);
    file.writeUInt32LE(value, at + 8);
  }
  return file;
}

test('a TIFF that names the same tag again and again has it read once', () => {
  const entries = Array.from({ length: 20_000 }, () => [273, 4, 50_000, 8] as const);
  const before = process.cpuUsage();
  readTiffTables(tiff(entries));
  // A thousand million values otherwise, which take more than ten times as long.
  assert.ok(process.cpuUsage(before).user < 2e6);
});

test('a TIFF with millions of values of a type that there is not claims no memory for them', () => {
  const before = process.memoryUsage().heapUsed;
  readTiffTables(tiff([[279, 0x3894, 12_517_377, 8]]));
  assert.ok(process.memoryUsage().heapUsed - before < 2 ** 24);
});

test('a TIFF whose packed strips lie over each other is not unpacked', () => {
  const strip = deflateSync(Buffer.alloc(1_000));
  const count = 500;
  const at = 8 + 2 + 12 * 3 + 4;
  const file = tiff([
    [259, 3, 1, 8],
    [273, 4, count, at],
    [279, 4, count, at + 4 * count],
  ]);
  for (let i = 0; i < count; i++) {
    file.writeUInt32LE(file.length - strip.length, at + 4 * i);
    file.writeUInt32LE(strip.length, at + 4 * (count + i));
  }
  file.set(strip, file.length - strip.length);
  assert.throws(() => checkEnd('tiff', file), /its strips overlap/);
});
