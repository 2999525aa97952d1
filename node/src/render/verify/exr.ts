import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { undoCompression } from './exr-compression.ts';
import { FrameError } from './errors.ts';
import {
  type ExrHeaders,
  ExrHeadersIncomplete,
  type ExrPart,
  readExrHeaders,
  SAMPLE_BYTES,
} from './exr-header.ts';
import { startPixelHash } from './canonical.ts';
import { EXR_BLOCK_BYTES_MAX, EXR_HEADER_BYTES_MAX, HEAD_BYTES } from './limits.ts';

/** What an EXR is by its own tables; every block was there, and those that zlib or run lengths pack were undone. */
export interface CheckedExr {
  readonly width: number;
  readonly height: number;
  readonly pixelHash: string;
  readonly headers: ExrHeaders;
  /** Whether every block's compression was undone here. */
  readonly decoded: boolean;
}

/** Reads headers of any length; @throws FrameError. */
export async function readExrHeadersOf(handle: FileHandle, sizeBytes: number): Promise<ExrHeaders> {
  for (let length = HEAD_BYTES; ; length *= 4) {
    const take = Math.min(length, sizeBytes, EXR_HEADER_BYTES_MAX);
    try {
      return readExrHeaders(await readExactly(handle, 0, take));
    } catch (error) {
      if (!(error instanceof ExrHeadersIncomplete)) throw error;
      if (take === sizeBytes) throw cut('its header');
      if (take === EXR_HEADER_BYTES_MAX) throw damaged('its header is unreasonably long');
    }
  }
}

/**
 * Reads the file block by block, so that memory stays bounded by one block: each offset of each table leads to
 * a block that names its own place, lies inside the file and overlaps no other, and the file ends with the last.
 */
export async function checkExr(handle: FileHandle, sizeBytes: number): Promise<CheckedExr> {
  const headers = await readExrHeadersOf(handle, sizeBytes);
  const hash = startPixelHash('exr');
  let position = headers.bytes;
  const tables: Buffer[] = [];
  for (const part of headers.parts) {
    const bytes = part.blocks * 8;
    if (position + bytes > sizeBytes) throw cut('its table of blocks');
    tables.push(await readExactly(handle, position, bytes));
    position += bytes;
  }
  const spans: { start: number; end: number }[] = [];
  let spanBytes = 0;
  for (const [index, part] of headers.parts.entries()) {
    hash.update(`${layoutOf(part)}\n`);
    for (let block = 0; block < part.blocks; block++) {
      const offset = Number((tables[index] as Buffer).readBigUInt64LE(block * 8));
      if (offset === 0) throw cut(`block ${block + 1} of ${part.blocks}`);
      if (offset < position) throw damaged(`block ${block + 1} would lie in the header`);
      const span = await checkBlock({ handle, sizeBytes, hash, headers }, index, block, offset);
      spans.push(span);
      // Said at once: thousands of blocks in one place would all be unpacked first.
      spanBytes += span.end - span.start;
      if (spanBytes > sizeBytes) throw damaged('two of its blocks overlap');
    }
  }
  checkSpans(spans, sizeBytes);
  const window = (headers.parts[0] as ExrPart).dataWindow;
  return {
    width: window.right - window.left + 1,
    height: window.bottom - window.top + 1,
    pixelHash: hash.digest('hex'),
    headers,
    decoded: headers.parts.every((part) => part.compression <= 3),
  };
}

interface BlockContext {
  readonly handle: FileHandle;
  readonly sizeBytes: number;
  readonly hash: Hash;
  readonly headers: ExrHeaders;
}

async function checkBlock(context: BlockContext, partIndex: number, block: number, offset: number) {
  const { handle, sizeBytes, hash, headers } = context;
  const part = headers.parts[partIndex] as ExrPart;
  const partBytes = headers.multipart ? 4 : 0;
  const headBytes = partBytes + (part.tiles === undefined ? 8 : 20);
  const what = `block ${block + 1} of ${part.blocks}`;
  if (offset + headBytes > sizeBytes) throw cut(what);
  const head = await readExactly(handle, offset, headBytes);
  if (headers.multipart && head.readInt32LE(0) !== partIndex)
    throw damaged(`${what} belongs to another part`);
  const place = placeOf(part, block, head.subarray(partBytes));
  if (place === undefined) throw damaged(`${what} names another place in the picture`);
  const packedBytes = head.readInt32LE(headBytes - 4);
  const start = offset + headBytes;
  if (packedBytes < 0) throw damaged(`${what} has a negative length`);
  if (start + packedBytes > sizeBytes) throw cut(what);
  const plainBytes = place.bytes;
  if (packedBytes === 0 && plainBytes > 0) throw damaged(`${what} is empty`);
  if (plainBytes > EXR_BLOCK_BYTES_MAX || packedBytes > EXR_BLOCK_BYTES_MAX)
    throw damaged(`${what} is too large`);
  if (packedBytes > plainBytes && part.compression <= 4) throw damaged(`${what} is larger than its pixels`);
  const packed = await readExactly(handle, start, packedBytes);
  if (part.compression > 3) hash.update(packed);
  else {
    const plain = undoCompression(part.compression, packed, plainBytes);
    if (plain === undefined) throw damaged(`${what} does not unpack to its pixels`);
    hash.update(plain);
  }
  return { start: offset, end: start + packedBytes };
}

/** The block's length before compression; undefined when it says that it lies elsewhere than its offset does. */
function placeOf(part: ExrPart, block: number, head: Buffer): { bytes: number } | undefined {
  const { dataWindow, tiles } = part;
  if (tiles === undefined) {
    const top = dataWindow.top + block * part.linesPerBlock;
    if (head.readInt32LE(0) !== top) return undefined;
    const bottom = Math.min(top + part.linesPerBlock - 1, dataWindow.bottom);
    return { bytes: bytesOf(part, { ...dataWindow, top, bottom }) };
  }
  const [column, row] = [head.readInt32LE(0), head.readInt32LE(4)];
  // Tiles of smaller levels are counted and bounded, but their sizes aren't derived: no engine here writes them.
  if (!tiles.oneLevel) return { bytes: bytesOf(part, dataWindow) };
  const columns = Math.ceil((dataWindow.right - dataWindow.left + 1) / tiles.width);
  if (row * columns + column !== block || column >= columns) return undefined;
  const left = dataWindow.left + column * tiles.width;
  const top = dataWindow.top + row * tiles.height;
  return {
    bytes: bytesOf(part, {
      left,
      top,
      right: Math.min(left + tiles.width - 1, dataWindow.right),
      bottom: Math.min(top + tiles.height - 1, dataWindow.bottom),
    }),
  };
}

/** Bytes of the samples inside a box; a subsampled channel has one where its step divides the coordinate. */
function bytesOf(part: ExrPart, box: ExrPart['dataWindow']): number {
  const samples = (from: number, to: number, step: number) =>
    Math.floor(to / step) - Math.floor((from - 1) / step);
  let bytes = 0;
  for (const { type, stepX, stepY } of part.channels) {
    bytes += samples(box.left, box.right, stepX) * samples(box.top, box.bottom, stepY) * SAMPLE_BYTES[type];
  }
  return bytes;
}

function checkSpans(spans: { start: number; end: number }[], sizeBytes: number): void {
  spans.sort((a, b) => a.start - b.start);
  let end = 0;
  for (const span of spans) {
    if (span.start < end) throw damaged('two of its blocks overlap');
    end = span.end;
  }
  if (end !== sizeBytes) throw damaged(`${sizeBytes - end} bytes follow its last block`);
}

function layoutOf({ name, channels, compression, dataWindow, tiles }: ExrPart): string {
  return JSON.stringify([
    name,
    [dataWindow.left, dataWindow.top, dataWindow.right, dataWindow.bottom],
    channels.map((channel) => [channel.name, channel.type, channel.stepX, channel.stepY]),
    tiles ?? 'scanlines',
    compression > 3 ? compression : 'samples',
  ]);
}

async function readExactly(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw cut('while it was being read');
    done += bytesRead;
  }
  return buffer;
}

function cut(what: string): FrameError {
  return new FrameError('frame-truncated', `The OpenEXR file is cut off: ${what} is missing or incomplete.`);
}

function damaged(why: string): FrameError {
  return new FrameError('frame-undecodable', `The OpenEXR file is damaged: ${why}.`);
}
