import type { FileHandle } from 'node:fs/promises';
import { checkEnd, hashCineon, hashHdr } from '../../../node/src/render/verify/ends.ts';
import { FrameError } from '../../../node/src/render/verify/errors.ts';
import { checkExr } from '../../../node/src/render/verify/exr.ts';
import { readPictureHeader } from '../../../node/src/render/verify/header.ts';
import { checkPng } from '../../../node/src/render/verify/png.ts';
import { plainPixels } from '../../../node/src/render/verify/png-pixels.ts';
import { decoder, demand, type Decoder, refusing, refusingLater, type Verdict } from '../decoder.ts';
import { bytesLike } from '../sources.ts';
import { anyPicture, exr, png } from './picture-files.ts';

/** Frames that an engine wrote, or a scene's script in its name; libvips and ffmpeg decode what these let through. */

/** A file in memory; of a handle the checks ask no more than this. */
function fileOf(bytes: Uint8Array): FileHandle {
  return {
    read: async (buffer: Buffer, offset: number, length: number, position: number) => {
      const part = bytes.subarray(position, position + length);
      buffer.set(part, offset);
      return { bytesRead: part.length, buffer };
    },
  } as unknown as FileHandle;
}

function readPng(bytes: Uint8Array): Verdict {
  return refusing([FrameError], () => {
    const whole = checkPng(Buffer.from(bytes));
    const pixels = plainPixels(whole);
    if (pixels !== undefined) {
      const { width, height, channels, data } = pixels;
      demand(data.length === width * height * channels, 'Pixels are missing.');
    }
    return whole;
  });
}

const readExr = (bytes: Uint8Array): Promise<Verdict> =>
  refusingLater([FrameError], async () => {
    const header = await readPictureHeader(fileOf(bytes), bytes.length);
    if (header?.format !== 'exr') return undefined;
    const checked = await checkExr(fileOf(bytes), bytes.length);
    demand(checked.width > 0 && checked.height > 0, 'A picture has no size.');
    return checked;
  });

/** As `checkFrame` does before it asks libvips or ffmpeg. */
const readOther = (bytes: Uint8Array): Promise<Verdict> =>
  refusingLater([FrameError], async () => {
    const file = Buffer.from(bytes);
    const header = await readPictureHeader(fileOf(bytes), bytes.length, 'targa');
    if (header === undefined || header.format === 'exr' || header.format === 'png') return undefined;
    try {
      checkEnd(header.format, file);
    } catch (error) {
      // A header that leads past the end, which `checkFrame` tells as a file that is cut off.
      if (error instanceof RangeError) return undefined;
      throw error;
    }
    if (header.format === 'hdr') hashHdr(file, header);
    if (header.format === 'cineon') hashCineon(file, header);
    return header;
  });

export const pictureDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'png',
    covers: ['node/src/render/verify/png.ts checkPng'],
    sources: ['node/src/render/verify/png.ts', 'node/src/render/verify/png-pixels.ts'],
    input: bytesLike(png),
    open: () => ({ read: readPng }),
  }),
  decoder<Uint8Array>({
    name: 'exr',
    covers: [
      'node/src/render/verify/exr-header.ts readExrHeaders',
      'node/src/render/verify/exr.ts checkExr',
      'node/src/render/verify/exr.ts readExrHeadersOf',
    ],
    sources: [
      'node/src/render/verify/exr.ts',
      'node/src/render/verify/exr-header.ts',
      'node/src/render/verify/exr-compression.ts',
    ],
    input: bytesLike(exr),
    open: () => ({ read: readExr }),
  }),
  decoder<Uint8Array>({
    name: 'other-pictures',
    covers: [
      'node/src/render/verify/header.ts readPictureHeader',
      'node/src/render/verify/ends.ts checkEnd',
      'node/src/render/verify/tables.ts readTiffTables',
    ],
    sources: [
      'node/src/render/verify/ends.ts',
      'node/src/render/verify/tables.ts',
      'node/src/render/verify/header.ts',
    ],
    input: bytesLike(anyPicture),
    open: () => ({ read: readOther }),
  }),
];
