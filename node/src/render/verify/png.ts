import { crc32, inflateSync } from 'node:zlib';
import { FrameError } from './errors.ts';
import { INFLATED_CHUNK_BYTES_MAX } from './limits.ts';

/**
 * A strict walk over a PNG's chunks (PNG specification, third edition, sections 5 and 10). libvips accepts a file
 * whose end is cut off after the last row, so that the file's own structure must be looked at as well.
 */

export const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** What one byte of deflated data can stand for at most (zlib's "Maximum Compression Factor" is 1030.3 to 1). */
const DEFLATE_RATIO_MAX = 1_032;
/** First column, first row, and steps of Adam7's passes; the whole picture is the one pass of the ordinary order. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

interface PngHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly colourType: number;
  readonly interlaced: boolean;
}

/** A PNG that is whole by its structure. */
export interface WholePng extends PngHeader {
  /** The picture data as it was compressed: rows, each behind the number of its filter. */
  readonly filtered: Buffer;
  /** Types of the chunks that stand between header and end, each once. */
  readonly chunks: ReadonlySet<string>;
}

/** @throws FrameError `frame-truncated` or `frame-undecodable`. */
export function checkPng(file: Buffer): WholePng {
  if (!file.subarray(0, 8).equals(PNG_SIGNATURE.subarray(0, Math.min(8, file.length)))) {
    throw new FrameError('frame-undecodable', 'The file does not begin like a PNG.');
  }
  let header: PngHeader | undefined;
  const data: Buffer[] = [];
  const chunks = new Set<string>();
  let position = 8;
  for (;;) {
    if (position + 12 > file.length) throw cut(position, file.length);
    const length = file.readUInt32BE(position);
    const type = file.toString('latin1', position + 4, position + 8);
    const end = position + 12 + length;
    if (!/^[A-Za-z]{4}$/.test(type) || length > 0x7fffffff) {
      throw damaged(`there is no chunk at byte ${position}`);
    }
    if (end > file.length) throw cut(position, file.length);
    if (crc32(file.subarray(position + 4, end - 4)) !== file.readUInt32BE(end - 4)) {
      throw damaged(`the checksum of its chunk ${type} at byte ${position} is wrong`);
    }
    const body = file.subarray(position + 8, end - 4);
    if (type !== 'IHDR' && type !== 'IEND') chunks.add(type);
    if (header === undefined) header = readHeader(type, body);
    else if (type === 'IDAT') data.push(body);
    position = end;
    if (type === 'IEND') break;
  }
  if (position !== file.length) throw damaged(`${file.length - position} bytes follow its end`);
  if (header === undefined) throw damaged('it has no header');
  return { ...header, chunks, filtered: inflateData(header, data) };
}

function readHeader(type: string, body: Buffer): PngHeader {
  if (type !== 'IHDR' || body.length !== 13) throw damaged('its first chunk is no header');
  const header = {
    width: body.readUInt32BE(0),
    height: body.readUInt32BE(4),
    bits: body[8] as number,
    colourType: body[9] as number,
    interlaced: body[12] === 1,
  };
  if (header.width === 0 || header.height === 0 || CHANNELS[header.colourType] === undefined) {
    throw damaged('its header makes no sense');
  }
  return header;
}

/** The compressed stream ends properly (zlib checks its Adler-32) and holds exactly the rows that were promised. */
function inflateData(header: PngHeader, data: readonly Buffer[]): Buffer {
  const expected = dataBytes(header);
  const compressed = data.length === 1 ? (data[0] as Buffer) : Buffer.concat(data);
  let inflated: Buffer;
  try {
    // In one chunk where that is sensible: growing by the usual 16 KiB takes twice the time. A header that lies
    // claims no more than its data can unpack to.
    const most = Math.min(expected + 1, compressed.length * DEFLATE_RATIO_MAX, INFLATED_CHUNK_BYTES_MAX);
    const chunkSize = Math.max(64, most);
    inflated = inflateSync(compressed, { maxOutputLength: expected + 1, chunkSize });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'Z_BUF_ERROR') {
      throw new FrameError('frame-truncated', 'The PNG ends in the middle of its picture data.', { cause });
    }
    throw new FrameError('frame-undecodable', `The PNG's picture data is damaged: ${String(cause)}.`, {
      cause,
    });
  }
  if (inflated.length < expected) {
    throw new FrameError(
      'frame-truncated',
      `The PNG holds ${inflated.length} of ${expected} bytes of picture data: its last rows are missing.`,
    );
  }
  if (inflated.length > expected) throw damaged('it holds more rows than its header says');
  return inflated;
}

function dataBytes({ width, height, bits, colourType, interlaced }: PngHeader): number {
  const bitsPerPixel = bits * (CHANNELS[colourType] as number);
  const passes = interlaced ? ADAM7 : ([[0, 0, 1, 1]] as const);
  let bytes = 0;
  for (const [x, y, stepX, stepY] of passes) {
    const columns = Math.ceil((width - x) / stepX);
    const rows = Math.ceil((height - y) / stepY);
    if (columns > 0 && rows > 0) bytes += rows * (1 + Math.ceil((columns * bitsPerPixel) / 8));
  }
  return bytes;
}

function cut(position: number, length: number): FrameError {
  return new FrameError(
    'frame-truncated',
    `The PNG is cut off: its ${length} bytes end within the chunk at byte ${position}.`,
  );
}

function damaged(why: string): FrameError {
  return new FrameError('frame-undecodable', `The PNG is damaged: ${why}.`);
}
