import type { FileHandle } from 'node:fs/promises';
import { PNG_SIGNATURE } from './png.ts';
import { readExrHeadersOf } from './exr.ts';
import { EXR_MAGIC, shownLayer } from './exr-header.ts';
import type { PictureFormat } from './formats.ts';
import { HEAD_BYTES } from './limits.ts';

/** What a picture says of itself in its first bytes; nothing beyond them was looked at. */
export interface PictureHeader {
  readonly format: PictureFormat;
  readonly width: number;
  readonly height: number;
  /** False where there surely is none. */
  readonly alpha: boolean;
  /** EXR only: the prefix of the channels to show (`shownLayer`). */
  readonly layer?: string;
}

const CINEON_MAGIC = 0x802a5fd7;
/** Truevision's image types: colour-mapped, true colour, grey, and the same run-length coded. */
const TARGA_TYPES = new Set([1, 2, 3, 9, 10, 11]);

/**
 * Reads format and size. `expected` decides only for TGA, which has no mark of its own. Undefined for what is no
 * known picture, or too short to say; a damaged EXR header throws its `FrameError`.
 */
export async function readPictureHeader(
  handle: FileHandle,
  sizeBytes: number,
  expected?: PictureFormat,
): Promise<PictureHeader | undefined> {
  const head = Buffer.alloc(Math.min(HEAD_BYTES, sizeBytes));
  const { bytesRead } = await handle.read(head, 0, head.length, 0);
  const bytes = head.subarray(0, bytesRead);
  if (bytes.length < 16) return undefined;
  if (bytes.readUInt32LE(0) === EXR_MAGIC) return exrHeader(handle, sizeBytes);
  if (/^(II\*\0|MM\0\*)/.test(bytes.toString('latin1', 0, 4))) return tiffHeader(handle, bytes);
  if (bytes.readUInt16BE(0) === 0xffd8) return jpegHeader(handle, sizeBytes);
  try {
    return plainHeader(bytes, expected);
  } catch (error) {
    // A read past the end of a file too short for its own format.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function plainHeader(bytes: Buffer, expected: PictureFormat | undefined): PictureHeader | undefined {
  const text = (from: number, to: number) => bytes.toString('latin1', from, to);
  if (bytes.subarray(0, 8).equals(PNG_SIGNATURE)) {
    const colourType = bytes[25] as number;
    const alpha = colourType >= 4 || bytes.includes('tRNS');
    return { format: 'png', width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20), alpha };
  }
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return webpHeader(bytes);
  if (text(0, 4) === 'SDPX' || text(0, 4) === 'XPDS') {
    const number = (at: number) => (text(0, 1) === 'S' ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at));
    return { format: 'dpx', width: number(772), height: number(776), alpha: true };
  }
  if (bytes.readUInt32BE(0) === CINEON_MAGIC) {
    return {
      format: 'cineon',
      width: bytes.readUInt32BE(200),
      height: bytes.readUInt32BE(204),
      alpha: false,
    };
  }
  if (bytes.readUInt16BE(0) === 0x01da) {
    const [width, height] = [bytes.readUInt16BE(6), bytes.readUInt16BE(8)];
    return { format: 'sgi', width, height, alpha: true };
  }
  if (text(0, 2) === 'BM') {
    const [width, height] = [bytes.readInt32LE(18), Math.abs(bytes.readInt32LE(22))];
    return { format: 'bmp', width, height, alpha: false };
  }
  if (text(0, 2) === '#?') return hdrHeader(bytes);
  const codestream = bytes.readUInt32BE(0) === 0xff4fff51 ? 0 : jp2Codestream(bytes);
  if (codestream !== undefined) {
    const number = (at: number) => bytes.readUInt32BE(codestream + at);
    return {
      format: 'jpeg2000',
      width: number(8) - number(16),
      height: number(12) - number(20),
      alpha: true,
    };
  }
  if (expected === 'targa' && TARGA_TYPES.has(bytes[2] as number)) {
    return { format: 'targa', width: bytes.readUInt16LE(12), height: bytes.readUInt16LE(14), alpha: true };
  }
  return undefined;
}

/** Where the codestream starts inside a JP2 file's boxes. */
function jp2Codestream(bytes: Buffer): number | undefined {
  if (bytes.toString('latin1', 4, 8) !== 'jP  ') return undefined;
  const at = bytes.indexOf(Buffer.from([0xff, 0x4f, 0xff, 0x51]));
  return at < 0 ? undefined : at;
}

function webpHeader(bytes: Buffer): PictureHeader | undefined {
  const kind = bytes.toString('latin1', 12, 16);
  if (kind === 'VP8X') {
    const alpha = ((bytes[20] as number) & 0x10) !== 0;
    return { format: 'webp', width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1, alpha };
  }
  if (kind === 'VP8L') {
    const bits = bytes.readUInt32LE(21);
    return { format: 'webp', width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1, alpha: true };
  }
  if (kind !== 'VP8 ') return undefined;
  const [width, height] = [bytes.readUInt16LE(26) & 0x3fff, bytes.readUInt16LE(28) & 0x3fff];
  return { format: 'webp', width, height, alpha: false };
}

function hdrHeader(bytes: Buffer): PictureHeader | undefined {
  const match = /\n[-+]Y (\d+) [-+]X (\d+)\n/.exec(bytes.toString('latin1'));
  if (match === null) return undefined;
  return { format: 'hdr', width: Number(match[2]), height: Number(match[1]), alpha: false };
}

async function exrHeader(handle: FileHandle, sizeBytes: number): Promise<PictureHeader | undefined> {
  const { parts } = await readExrHeadersOf(handle, sizeBytes);
  const window = parts[0]?.dataWindow;
  if (window === undefined) return undefined;
  const layer = shownLayer(parts);
  return {
    format: 'exr',
    width: window.right - window.left + 1,
    height: window.bottom - window.top + 1,
    alpha: false,
    ...(layer !== undefined && { layer }),
  };
}

/** Walks a JPEG's segments to the frame header; profiles and previews before it may be long. */
async function jpegHeader(handle: FileHandle, sizeBytes: number): Promise<PictureHeader | undefined> {
  // Read by the block: a file of nothing but small segments must not cost a read for each.
  const block = Buffer.alloc(HEAD_BYTES);
  let [start, end] = [0, 0];
  for (let position = 2; position + 9 <= sizeBytes; ) {
    if (position + 9 > end) {
      start = position;
      end = start + (await handle.read(block, 0, block.length, start)).bytesRead;
      if (position + 9 > end) return undefined;
    }
    const at = position - start;
    const marker = block[at + 1] as number;
    if (block[at] !== 0xff) return undefined;
    if (marker === 0xff) {
      position += 1;
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const [height, width] = [block.readUInt16BE(at + 5), block.readUInt16BE(at + 7)];
      return { format: 'jpeg', width, height, alpha: false };
    }
    position += 2 + block.readUInt16BE(at + 2);
  }
  return undefined;
}

/** Reads the first directory, which libtiff writes at the file's end. */
async function tiffHeader(handle: FileHandle, bytes: Buffer): Promise<PictureHeader | undefined> {
  const little = bytes[0] === 0x49;
  const short = (buffer: Buffer, at: number) => (little ? buffer.readUInt16LE(at) : buffer.readUInt16BE(at));
  const long = (buffer: Buffer, at: number) => (little ? buffer.readUInt32LE(at) : buffer.readUInt32BE(at));
  const count = Buffer.alloc(2);
  const offset = long(bytes, 4);
  if ((await handle.read(count, 0, 2, offset)).bytesRead < 2) return undefined;
  const entries = Buffer.alloc(12 * short(count, 0));
  if ((await handle.read(entries, 0, entries.length, offset + 2)).bytesRead < entries.length)
    return undefined;
  const values = new Map<number, number>();
  for (let at = 0; at < entries.length; at += 12) {
    const value = short(entries, at + 2) === 3 ? short(entries, at + 8) : long(entries, at + 8);
    values.set(short(entries, at), value);
  }
  const [width, height] = [values.get(256), values.get(257)];
  if (width === undefined || height === undefined) return undefined;
  const samples = values.get(277) ?? 1;
  return { format: 'tiff', width, height, alpha: samples === 2 || samples === 4 };
}
