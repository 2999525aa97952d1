import { inflateSync } from 'node:zlib';
import { startPixelHash } from './canonical.ts';
import { FrameError } from './errors.ts';
import type { PictureFormat } from './formats.ts';
import type { PictureHeader } from './header.ts';
import { FILE_BYTES_MAX } from './limits.ts';
import { readTiffTables, sgiEnd } from './tables.ts';

/**
 * Where a file of each simpler format must end, by its own words: decoders are made to show what is there, and
 * pass over what isn't. Also the two formats that no decoder here knows, Radiance HDR and Cineon.
 */

/** @throws FrameError `frame-truncated` or `frame-undecodable`. */
export function checkEnd(format: PictureFormat, file: Buffer): void {
  const claimed = claimedBytes(format, file);
  if (claimed !== undefined && file.length < claimed) throw cut(format, file.length, claimed);
  switch (format) {
    case 'jpeg':
      if (file.readUInt16BE(file.length - 2) !== 0xffd9) throw noEnd(format);
      return;
    case 'jpeg2000':
      if (file.readUInt16BE(file.length - 2) !== 0xffd9) throw noEnd(format);
      return;
    case 'tiff':
      checkStrips(readTiffTables(file).deflated, file.length);
      return;
    case 'webp':
      if (claimed !== file.length)
        throw new FrameError('frame-undecodable', 'Bytes follow the end of the WebP.');
      return;
    default:
  }
}

/** Strips that lie over each other could make a small file unpack without an end. */
function checkStrips(strips: readonly Buffer[], fileBytes: number): void {
  if (strips.reduce((sum, { length }) => sum + length, 0) > fileBytes) {
    throw new FrameError('frame-undecodable', 'The tiff file is damaged: its strips overlap.');
  }
  for (const strip of strips) checkZlib(strip);
}

function checkZlib(packed: Buffer): void {
  try {
    inflateSync(packed, { maxOutputLength: FILE_BYTES_MAX });
  } catch (cause) {
    throw new FrameError('frame-undecodable', 'The tiff file is damaged: a strip of it does not unpack.', {
      cause,
    });
  }
}

/** How long the file says it is; undefined where it doesn't. */
function claimedBytes(format: PictureFormat, file: Buffer): number | undefined {
  switch (format) {
    case 'webp':
      return file.readUInt32LE(4) + 8;
    case 'tiff':
      return readTiffTables(file).end;
    case 'sgi':
      return sgiEnd(file);
    case 'bmp':
      return file.readUInt32LE(2);
    case 'dpx': {
      const big = file[0] === 0x53;
      return big ? file.readUInt32BE(16) : file.readUInt32LE(16);
    }
    case 'cineon':
      // Three ten-bit samples in each word of four bytes; the length in the header is not always kept.
      return file.readUInt32BE(4) + 4 * file.readUInt32BE(200) * file.readUInt32BE(204);
    case 'targa': {
      const type = file[2] as number;
      if (type > 3) return undefined;
      const map = file[1] === 0 ? 0 : file.readUInt16LE(5) * Math.ceil((file[7] as number) / 8);
      const pixels = file.readUInt16LE(12) * file.readUInt16LE(14);
      return 18 + (file[0] as number) + map + pixels * Math.ceil((file[16] as number) / 8);
    }
    default:
      return undefined;
  }
}

/** Cineon keeps its pixels packed as they are, so there is nothing to decode: the words themselves are hashed. */
export function hashCineon(file: Buffer, { width, height }: PictureHeader): string {
  if (file[193] !== 3 || file[198] !== 10) {
    throw new FrameError('frame-undecodable', 'Only Cineon files with three channels of ten bits are known.');
  }
  const offset = file.readUInt32BE(4);
  return startPixelHash(`${width} ${height} cineon`)
    .update(file.subarray(offset, offset + 4 * width * height))
    .digest('hex');
}

/** Undoes Radiance's run lengths (G. Ward, "Real Pixels", Graphics Gems II; the form with separated channels). */
export function hashHdr(file: Buffer, { width, height }: PictureHeader): string {
  const start = /\n[-+]Y \d+ [-+]X \d+\n/.exec(file.toString('latin1', 0, 64 * 1024));
  if (start === null) throw noEnd('hdr');
  let position = start.index + start[0].length;
  const hash = startPixelHash(`${width} ${height} 4 rgbe`);
  if (width === 0 || height === 0) {
    throw new FrameError('frame-undecodable', 'The HDR picture is damaged: it says that it has no pixels.');
  }
  // A header that lies must not claim memory for rows that the file can't hold.
  if (position + hdrRowBytesMin(width) * height > file.length) throw cut('hdr', file.length, undefined);
  const line = Buffer.alloc(width * 4);
  for (let row = 0; row < height; row++) {
    if (position + 4 > file.length) throw cut('hdr', file.length, undefined);
    const coded = mayBeCoded(width) && file[position] === 2 && file[position + 1] === 2;
    if (coded && file.readUInt16BE(position + 2) === width)
      position = hdrLine(file, position + 4, line, width);
    else {
      if (position + line.length > file.length) throw cut('hdr', file.length, undefined);
      file.copy(line, 0, position, position + line.length);
      position += line.length;
    }
    hash.update(line);
  }
  if (position !== file.length) {
    throw new FrameError(
      'frame-undecodable',
      `${file.length - position} bytes follow the end of the HDR picture.`,
    );
  }
  return hash.digest('hex');
}

/** Whether rows of this width may be run-length coded, each channel by itself. */
const mayBeCoded = (width: number): boolean => width >= 8 && width < 32_768;

/** A coded row has a head of four bytes, and for each channel runs of 127 samples at most, two bytes each. */
function hdrRowBytesMin(width: number): number {
  return mayBeCoded(width) ? 4 + 8 * Math.ceil(width / 127) : 4 * width;
}

function hdrLine(file: Buffer, start: number, line: Buffer, width: number): number {
  let position = start;
  for (let channel = 0; channel < 4; channel++) {
    for (let column = 0; column < width; ) {
      const code = file[position++];
      const length = code === undefined ? 0 : code > 128 ? code - 128 : code;
      if (position + (code !== undefined && code > 128 ? 1 : length) > file.length || code === undefined) {
        throw cut('hdr', file.length, undefined);
      }
      if (length === 0 || column + length > width) {
        throw new FrameError(
          'frame-undecodable',
          'The HDR picture is damaged: a run is longer than its row.',
        );
      }
      for (let index = 0; index < length; index++) {
        line[(column + index) * 4 + channel] = file[code > 128 ? position : position + index] as number;
      }
      position += code > 128 ? 1 : length;
      column += length;
    }
  }
  return position;
}

function cut(format: PictureFormat, bytes: number, claimed: number | undefined): FrameError {
  const of = claimed === undefined ? '' : ` of ${claimed}`;
  return new FrameError('frame-truncated', `The ${format} file is cut off: it has ${bytes}${of} bytes.`);
}

function noEnd(format: PictureFormat): FrameError {
  return new FrameError('frame-truncated', `The ${format} file is cut off: its end mark is missing.`);
}
