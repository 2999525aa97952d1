import { FrameError } from './errors.ts';
import { EXR_PARTS_MAX } from './limits.ts';

/**
 * The headers of an OpenEXR file ("OpenEXR File Layout", openexr.com). The JavaScript decoders that exist are all
 * descendants of three.js's loader: made to show a picture, they read past missing blocks; and ffmpeg 5.1 decodes
 * a file cut in half without a word. What is needed here is the opposite, and small, so it is written out.
 */

export const EXR_MAGIC = 0x01312f76;
const FLAG_TILED = 0x200;
const FLAG_DEEP = 0x800;
const FLAG_MULTIPART = 0x1000;

/** Lines per block, by the compression's number. */
const LINES_PER_BLOCK = [1, 1, 1, 16, 32, 16, 32, 32, 32, 256, 32, 256];
/** Bytes per sample by pixel type: uint, half, float. */
export const SAMPLE_BYTES = [4, 2, 4] as const;

export interface ExrChannel {
  readonly name: string;
  readonly type: 0 | 1 | 2;
  readonly stepX: number;
  readonly stepY: number;
}

export interface ExrBox {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface ExrPart {
  readonly name: string;
  readonly channels: readonly ExrChannel[];
  /** 0 none, 1 RLE, 2 ZIPS, 3 ZIP, 4 PIZ, 5 PXR24, 6 B44, 7 B44A, 8 DWAA, 9 DWAB. */
  readonly compression: number;
  readonly linesPerBlock: number;
  readonly dataWindow: ExrBox;
  readonly tiles: { readonly width: number; readonly height: number; readonly oneLevel: boolean } | undefined;
  readonly blocks: number;
}

export interface ExrHeaders {
  readonly parts: readonly ExrPart[];
  readonly multipart: boolean;
  /** Where the offset tables begin. */
  readonly bytes: number;
}

/** Thrown when the given bytes end before the headers do: give more, or the file is cut. */
export class ExrHeadersIncomplete extends Error {
  override readonly name = 'ExrHeadersIncomplete';
}

class Cursor {
  readonly bytes: Buffer;
  position: number;

  constructor(bytes: Buffer, position: number) {
    this.bytes = bytes;
    this.position = position;
  }

  take(length: number): Buffer {
    if (length < 0) throw damaged('a length in its header is negative');
    if (this.position + length > this.bytes.length) throw new ExrHeadersIncomplete();
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }

  int(): number {
    return this.take(4).readInt32LE(0);
  }

  text(): string {
    const end = this.bytes.indexOf(0, this.position);
    if (end < 0) {
      if (this.bytes.length - this.position > 256) throw damaged('a name in its header does not end');
      throw new ExrHeadersIncomplete();
    }
    if (end - this.position > 255) throw damaged('a name in its header is too long');
    const text = this.bytes.toString('utf8', this.position, end);
    this.position = end + 1;
    return text;
  }
}

/** @throws ExrHeadersIncomplete; FrameError `frame-undecodable`. */
export function readExrHeaders(bytes: Buffer): ExrHeaders {
  const cursor = new Cursor(bytes, 0);
  if (cursor.int() !== EXR_MAGIC) throw damaged('it does not begin like one');
  const version = cursor.int();
  if ((version & 0xff) !== 2) throw damaged(`it is of the unknown version ${version & 0xff}`);
  if ((version & FLAG_DEEP) !== 0) {
    throw new FrameError('frame-undecodable', 'Deep OpenEXR files can’t be verified here; render flat ones.');
  }
  const multipart = (version & FLAG_MULTIPART) !== 0;
  const parts: ExrPart[] = [];
  do {
    const attributes = readAttributes(cursor);
    if (attributes.size === 0 && multipart) break;
    parts.push(partOf(attributes, (version & FLAG_TILED) !== 0 && !multipart, multipart));
    if (parts.length > EXR_PARTS_MAX) throw damaged('it has too many parts');
  } while (multipart);
  if (parts.length === 0) throw damaged('it has no parts');
  return { parts, multipart, bytes: cursor.position };
}

function readAttributes(cursor: Cursor): Map<string, Buffer> {
  const attributes = new Map<string, Buffer>();
  for (;;) {
    const name = cursor.text();
    if (name === '') return attributes;
    cursor.text();
    attributes.set(name, cursor.take(cursor.int()));
  }
}

function partOf(attributes: ReadonlyMap<string, Buffer>, tiledFlag: boolean, multipart: boolean): ExrPart {
  const need = (name: string, length: number): Buffer => {
    const value = attributes.get(name);
    if (value === undefined || value.length < length) throw damaged(`its header lacks "${name}"`);
    return value;
  };
  const type = attributes.get('type')?.toString('latin1');
  if (type?.startsWith('deep')) {
    throw new FrameError('frame-undecodable', 'Deep OpenEXR files can’t be verified here; render flat ones.');
  }
  const compression = need('compression', 1)[0] as number;
  const linesPerBlock = LINES_PER_BLOCK[compression];
  if (linesPerBlock === undefined) throw damaged(`its compression ${compression} is unknown`);
  const box = need('dataWindow', 16);
  const dataWindow: ExrBox = {
    left: box.readInt32LE(0),
    top: box.readInt32LE(4),
    right: box.readInt32LE(8),
    bottom: box.readInt32LE(12),
  };
  if (dataWindow.right < dataWindow.left || dataWindow.bottom < dataWindow.top) {
    throw damaged('its data window is empty');
  }
  need('displayWindow', 16);
  need('lineOrder', 1);
  const tiles = tiledFlag || type === 'tiledimage' ? tilesOf(need('tiles', 9)) : undefined;
  const counted = countOf(attributes.get('chunkCount'));
  const blocks = countBlocks(dataWindow, linesPerBlock, tiles) ?? counted;
  if (blocks === undefined) throw damaged('it is tiled in levels and does not say how many tiles it has');
  if (multipart && counted !== blocks) throw damaged('its number of blocks contradicts its data window');
  return {
    name: attributes.get('name')?.toString('utf8') ?? '',
    channels: readChannels(need('channels', 1)),
    compression,
    linesPerBlock,
    dataWindow,
    tiles,
    blocks,
  };
}

/** How many blocks the header says there are, where it says so. */
function countOf(value: Buffer | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (value.length < 4 || value.readInt32LE(0) < 1) throw damaged('its number of blocks makes no sense');
  return value.readInt32LE(0);
}

function tilesOf(value: Buffer): NonNullable<ExrPart['tiles']> {
  const width = value.readUInt32LE(0);
  const height = value.readUInt32LE(4);
  if (width === 0 || height === 0) throw damaged('its tiles have no size');
  return { width, height, oneLevel: ((value[8] as number) & 0xf) === 0 };
}

function countBlocks(window: ExrBox, linesPerBlock: number, tiles: ExrPart['tiles']): number | undefined {
  const width = window.right - window.left + 1;
  const height = window.bottom - window.top + 1;
  if (tiles === undefined) return Math.ceil(height / linesPerBlock);
  return tiles.oneLevel ? Math.ceil(width / tiles.width) * Math.ceil(height / tiles.height) : undefined;
}

function readChannels(value: Buffer): ExrChannel[] {
  const cursor = new Cursor(value, 0);
  const channels: ExrChannel[] = [];
  try {
    for (let name = cursor.text(); name !== ''; name = cursor.text()) {
      const type = cursor.int();
      cursor.take(4);
      const stepX = cursor.int();
      const stepY = cursor.int();
      if (type < 0 || type > 2 || stepX < 1 || stepY < 1) throw damaged(`its channel ${name} makes no sense`);
      channels.push({ name, type: type as 0 | 1 | 2, stepX, stepY });
    }
  } catch (error) {
    if (error instanceof ExrHeadersIncomplete) throw damaged('its list of channels does not end');
    throw error;
  }
  if (channels.length === 0) throw damaged('it has no channels');
  return channels;
}

/**
 * The prefix of the channels to show (`''`, `'ViewLayer.Combined'`…): what a person would call the picture.
 * Undefined where no three channels make one.
 */
export function shownLayer(parts: readonly ExrPart[]): string | undefined {
  const prefixes = (parts[0]?.channels ?? [])
    .filter(({ name }) => name === 'R' || name.endsWith('.R'))
    .map(({ name }) => name.slice(0, -1).replace(/\.$/, ''));
  return prefixes.find((p) => p === '') ?? prefixes.find((p) => p.endsWith('Combined')) ?? prefixes[0];
}

function damaged(why: string): FrameError {
  return new FrameError('frame-undecodable', `The OpenEXR file is damaged: ${why}.`);
}
