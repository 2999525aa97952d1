import { crc32, deflateSync } from 'node:zlib';
import type { Dice } from '../dice.ts';
import { joined } from '../mutate.ts';

/** Small pictures of each format that is looked at, as an engine would write them. */

const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');

function u32(value: number, little = false): Uint8Array {
  const bytes = Buffer.alloc(4);
  if (little) bytes.writeUInt32LE(value >>> 0);
  else bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function u16(value: number, little = false): Uint8Array {
  const bytes = Buffer.alloc(2);
  if (little) bytes.writeUInt16LE(value & 0xffff);
  else bytes.writeUInt16BE(value & 0xffff);
  return bytes;
}

function chunk(type: string, body: Uint8Array, crcIsRight = true): Uint8Array {
  const typed = joined(text(type), body);
  return joined(u32(body.length), typed, u32(crcIsRight ? crc32(typed) : 7));
}

/** The checksums are right more often than not: else nothing behind them would be reached. */
export function png(dice: Dice): Uint8Array {
  const wild = (value: number): number =>
    dice.once(12) ? dice.pick([0, 1, value + 1, 2 ** 16, 2 ** 31 - 1, 2 ** 32 - 1]) : value;
  const [width, height] = [1 + dice.below(9), 1 + dice.below(9)];
  const colour = dice.pick([0, 2, 2, 3, 4, 6, 6, 6]);
  const channels = [1, 1, 3, 1, 2, 1, 4][colour] as number;
  const rows = dice.bytes(height * (1 + width * channels));
  for (let y = 0; y < height; y++) rows[y * (1 + width * channels)] = dice.below(dice.once(20) ? 256 : 5);
  const packed = dice.once(10) ? dice.bytes(20) : deflateSync(rows, { level: 1 });
  const shape = [dice.once(12) ? dice.next() : 8, colour, 0, 0, dice.once(12) ? 1 : 0];
  const header = joined(u32(wild(width)), u32(wild(height)), Uint8Array.from(shape));
  const isRight = !dice.once(20);
  const middle = packed.length >> 1;
  return joined(
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk('IHDR', header, isRight),
    ...(dice.once(6) ? [chunk(dice.pick(['tRNS', 'tEXt', 'iCCP', 'PLTE']), dice.bytes(dice.size(20)))] : []),
    ...(dice.once(4)
      ? [chunk('IDAT', packed.subarray(0, middle)), chunk('IDAT', packed.subarray(middle))]
      : [chunk('IDAT', packed, isRight)]),
    chunk('IEND', new Uint8Array(0), isRight),
  );
}

const attribute = (name: string, type: string, value: Uint8Array): Uint8Array =>
  joined(text(`${name}\0${type}\0`), u32(value.length, true), value);

const box = (right: number, bottom: number): Uint8Array =>
  joined(u32(0, true), u32(0, true), u32(right, true), u32(bottom, true));

/** One part of lines or tiles, uncompressed, run-length coded or zipped; numbers in its header lie now and then. */
export function exr(dice: Dice): Uint8Array {
  const wild = (value: number): number =>
    dice.once(25) ? dice.pick([0, 1, -1, value + 1, 2 ** 16, 2 ** 31 - 1, -(2 ** 31), dice.next()]) : value;
  const [width, height] = [1 + dice.below(9), 1 + dice.below(9)];
  const compression = dice.pick([0, 0, 1, 2, 3, 4]);
  const lines = [1, 1, 1, 16, 32][compression] as number;
  const isTiled = dice.once(4);
  const isMultipart = dice.once(6);
  const levels = dice.once(3) ? 1 : 0;
  const channels = joined(
    ...['B', 'G', 'R'].map((name) =>
      joined(text(`${name}\0`), u32(wild(1), true), u32(0), u32(wild(1), true), u32(wild(1), true)),
    ),
    Uint8Array.of(0),
  );
  const blocks = isTiled ? 1 : Math.ceil(height / lines);
  const header = joined(
    attribute('channels', 'chlist', channels),
    attribute('compression', 'compression', Uint8Array.of(wild(compression))),
    attribute('dataWindow', 'box2i', box(wild(width - 1), wild(height - 1))),
    attribute('displayWindow', 'box2i', box(width - 1, height - 1)),
    attribute('lineOrder', 'lineOrder', Uint8Array.of(0)),
    ...(isTiled
      ? [
          attribute(
            'tiles',
            'tiledesc',
            joined(u32(wild(width), true), u32(wild(height), true), Uint8Array.of(levels)),
          ),
        ]
      : []),
    ...(isMultipart || dice.once(4)
      ? [attribute('chunkCount', 'int', dice.once(10) ? dice.bytes(2) : u32(wild(blocks), true))]
      : []),
    ...(isMultipart
      ? [
          attribute('name', 'string', text('left')),
          attribute('type', 'string', text(isTiled ? 'tiledimage' : 'scanlineimage')),
        ]
      : []),
    Uint8Array.of(0),
    ...(isMultipart ? [Uint8Array.of(0)] : []),
  );
  const flags =
    (isTiled && !isMultipart ? 0x200 : 0) | (isMultipart ? 0x1000 : 0) | (dice.once(60) ? 0x800 : 0);
  const head = joined(u32(0x0131_2f76, true), u32(2 | flags, true), header);
  const bodies = Array.from({ length: blocks }, (_, block) => {
    const rows = isTiled ? height : Math.min(lines, height - block * lines);
    const plain = dice.bytes(width * 3 * 2 * rows).fill(block);
    const packed = compression === 2 || compression === 3 ? deflateSync(plain, { level: 1 }) : plain;
    const body = dice.once(20) ? dice.bytes(dice.size(40)) : packed.length < plain.length ? packed : plain;
    const place = isTiled ? joined(u32(0), u32(0), u32(0), u32(0)) : u32(wild(block * lines), true);
    return joined(...(isMultipart ? [u32(0)] : []), place, u32(wild(body.length), true), body);
  });
  let offset = head.length + blocks * 8;
  const table = bodies.map((body) => {
    const bytes = joined(u32(wild(offset), true), u32(dice.once(60) ? dice.next() : 0, true));
    offset += body.length;
    return bytes;
  });
  return joined(head, ...table, ...bodies);
}

function tiff(dice: Dice): Uint8Array {
  const little = dice.once(2);
  const wild = (value: number): number =>
    dice.once(15) ? dice.pick([0, 8, 2 ** 31, 2 ** 32 - 1, dice.next()]) : value;
  const strip = dice.once(2) ? deflateSync(dice.bytes(12), { level: 1 }) : dice.bytes(12);
  const entries = [
    [256, 3, 1, 2],
    [257, 3, 1, 2],
    [259, 3, 1, dice.pick([1, 8, 5])],
    [273, 4, wild(1), wild(8)],
    [277, 3, 1, 3],
    [279, 4, wild(1), wild(strip.length)],
  ] as const;
  const written = entries.map(([tag, type, count, value]) =>
    joined(
      u16(tag, little),
      u16(dice.once(40) ? dice.next() : type, little),
      u32(count, little),
      type === 3 ? joined(u16(value, little), u16(0)) : u32(value, little),
    ),
  );
  const directory = 8 + strip.length;
  return joined(
    text(little ? 'II*\0' : 'MM\0*'),
    u32(wild(directory), little),
    strip,
    u16(dice.once(20) ? dice.next() : entries.length, little),
    ...written,
    u32(0),
  );
}

function hdr(dice: Dice): Uint8Array {
  const [width, height] = [dice.pick([0, 1, 8, 9]), dice.pick([0, 1, 3])];
  const wild = (value: number): string =>
    dice.once(10)
      ? dice.pick(['0', '1000000000000', '99999999999999999999', '268435456', '70000'])
      : String(value);
  const row = joined(
    Uint8Array.of(2, 2, 0, width),
    ...Array.from({ length: 4 }, () => Uint8Array.of(128 + width, dice.next())),
  );
  const rows = Array.from({ length: height }, () =>
    width >= 8 && dice.once(2) ? row : dice.bytes(width * 4),
  );
  return joined(
    text(`#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y ${wild(height)} +X ${wild(width)}\n`),
    ...rows,
  );
}

function jpeg(dice: Dice): Uint8Array {
  const segments = Array.from({ length: dice.size(3) }, () => {
    const body = dice.bytes(dice.size(30));
    return joined(
      Uint8Array.of(0xff, 0xe0 + dice.below(16)),
      u16(dice.once(10) ? dice.next() : body.length + 2),
      body,
    );
  });
  const fill = new Uint8Array(dice.size(40)).fill(0xff);
  const frame = joined(Uint8Array.of(0xff, 0xc0), u16(11), Uint8Array.of(8), u16(4), u16(5), dice.bytes(4));
  return joined(
    Uint8Array.of(0xff, 0xd8),
    ...segments,
    fill,
    frame,
    dice.bytes(20),
    Uint8Array.of(0xff, 0xd9),
  );
}

function webp(dice: Dice): Uint8Array {
  const body = joined(text(dice.pick(['VP8 ', 'VP8L', 'VP8X'])), dice.bytes(20 + dice.size(20)));
  return joined(text('RIFF'), u32(dice.once(10) ? dice.next() : body.length + 4, true), text('WEBP'), body);
}

/** The formats whose header is a table at fixed places, filled with numbers of the right size and wrong ones. */
function plain(dice: Dice): Uint8Array {
  const bytes = dice.bytes(600 + dice.size(3_000));
  const view = Buffer.from(bytes.buffer);
  const [width, height] = [dice.pick([1, 4, 70_000]), dice.pick([1, 4, 2 ** 31])];
  switch (dice.below(7)) {
    case 0:
      view.write('BM', 'latin1');
      view.writeUInt32LE(dice.once(3) ? dice.next() : bytes.length, 2);
      break;
    case 1:
      view.writeUInt16BE(0x01da, 0);
      view[2] = dice.below(2);
      view[3] = 1;
      view.writeUInt16BE(dice.pick([1, 4]), 6);
      view.writeUInt16BE(dice.pick([1, 4]), 8);
      view.writeUInt16BE(3, 10);
      if (dice.once(2)) bytes.fill(0, 512, 600);
      break;
    case 2:
      view.write(dice.pick(['SDPX', 'XPDS']), 'latin1');
      view.writeUInt32BE(dice.once(3) ? dice.next() : 100, 16);
      break;
    case 3:
      view.writeUInt32BE(0x802a_5fd7, 0);
      view.writeUInt32BE(500, 4);
      view.writeUInt32BE(width, 200);
      view.writeUInt32BE(height, 204);
      if (dice.once(2)) bytes.set([3, 0, 0, 0, 0, 10], 193);
      break;
    case 4:
      view.writeUInt32BE(0xff4f_ff51, 0);
      if (dice.once(2)) view.writeUInt16BE(0xffd9, bytes.length - 2);
      break;
    case 5:
      view.write('\0\0\0\u000cjP  ', 'latin1');
      view.writeUInt32BE(0xff4f_ff51, 40);
      break;
    default:
      bytes.set([0, 0, dice.pick([1, 2, 3, 9, 10, 11])], 0);
      view.writeUInt16LE(dice.pick([1, 4]), 12);
      view.writeUInt16LE(dice.pick([1, 4]), 14);
      view[16] = dice.pick([8, 24, 32]);
  }
  return bytes;
}

export const anyPicture = (dice: Dice): Uint8Array => dice.pick([tiff, hdr, jpeg, webp, plain, plain])(dice);
