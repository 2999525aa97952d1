import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { hashBySharp, hashPlain } from '../../../node/src/render/verify/decode.ts';
import { checkPng, PNG_SIGNATURE } from '../../../node/src/render/verify/png.ts';
import { plainPixels } from '../../../node/src/render/verify/png-pixels.ts';

/** Bytes without a pattern, the same ones each time. */
function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed + 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function chunk(type: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}

/** A PNG whose filtered rows are given as they stand: any bytes are somebody's differences. */
function png(
  {
    width,
    height,
    colourType,
    bits = 8,
  }: { width: number; height: number; colourType: number; bits?: number },
  rows: Buffer,
  between: readonly Buffer[] = [],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = bits;
  header[9] = colourType;
  const parts = [
    chunk('IHDR', header),
    ...between,
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ];
  return Buffer.concat([PNG_SIGNATURE, ...parts]);
}

/** Rows of noise, each behind the filter that `filterOf` gives it. */
function filteredRows(
  seed: number,
  rowBytes: number,
  height: number,
  filterOf: (row: number) => number,
): Buffer {
  const rows = noise(seed, height * (rowBytes + 1));
  for (let y = 0; y < height; y++) rows[y * (rowBytes + 1)] = filterOf(y);
  return rows;
}

for (const [colourType, channels] of [
  [2, 3],
  [6, 4],
] as const) {
  for (const filter of [0, 1, 2, 3, 4, 'mixed'] as const) {
    test(`filter ${filter} with ${channels} channels is undone as libvips does it`, async () => {
      for (const [width, height] of [
        [1, 1],
        [1, 7],
        [31, 1],
        [37, 23],
      ] as const) {
        const seed = width * 100 + height;
        const order = noise(seed, height);
        const rows = filteredRows(seed, width * channels, height, (y) =>
          filter === 'mixed' ? (order[y] as number) % 5 : filter,
        );
        const file = png({ width, height, colourType }, rows);
        const plain = plainPixels(checkPng(file));
        assert.ok(plain);
        assert.deepEqual([plain.width, plain.height, plain.channels], [width, height, channels]);
        assert.deepEqual(plain.data, await sharp(file).raw().toBuffer());
        assert.equal(hashPlain(plain), (await hashBySharp(file)).pixelHash);
      }
    });
  }
}

test('a row with a filter that does not exist is damage', () => {
  const rows = filteredRows(1, 12, 3, (y) => (y === 2 ? 5 : 0));
  const whole = checkPng(png({ width: 4, height: 3, colourType: 2 }, rows));
  assert.throws(() => plainPixels(whole), { code: 'frame-undecodable' });
});

test('what means something else than its bytes is left to libvips', () => {
  const rows = (bytes: number): Buffer => filteredRows(1, bytes, 3, () => 0);
  const others = {
    'a palette': png({ width: 4, height: 3, colourType: 3 }, rows(4), [chunk('PLTE', noise(1, 768))]),
    grey: png({ width: 4, height: 3, colourType: 0 }, rows(4)),
    '16 bits': png({ width: 4, height: 3, colourType: 2, bits: 16 }, rows(24)),
    'a transparent colour': png({ width: 4, height: 3, colourType: 2 }, rows(12), [
      chunk('tRNS', noise(1, 6)),
    ]),
  };
  for (const [what, file] of Object.entries(others))
    assert.equal(plainPixels(checkPng(file)), undefined, what);
});
