import { type FileHandle, open } from 'node:fs/promises';
import { shrinkPixels } from '../preview/shrink.ts';
import { exrUnpacks, hashByFfmpeg, hashBySharp, hashBytes, hashPlain } from './decode.ts';
import { checkEnd, hashCineon, hashHdr } from './ends.ts';
import { FrameError } from './errors.ts';
import { checkExr } from './exr.ts';
import { type PictureFormat, pictureFormatOf, SHARP_FORMATS } from './formats.ts';
import { type PictureHeader, readPictureHeader } from './header.ts';
import type { FrameCheck, VerifiedFrame } from './interface.ts';
import { DECODED_PIXELS_MAX, FILE_BYTES_MAX, FRESHNESS_SLACK_MS } from './limits.ts';
import { checkPng } from './png.ts';
import { type PlainPixels, plainPixels } from './png-pixels.ts';

/** Looks at one frame; runs in the child process. @throws FrameError. */
export async function checkFrame(ffmpeg: string, check: FrameCheck): Promise<VerifiedFrame> {
  let handle: FileHandle;
  try {
    handle = await open(check.path, 'r');
  } catch (cause) {
    throw new FrameError('frame-missing', `There is no frame at ${check.path}.`, { cause });
  }
  try {
    return await checkOpenFrame(ffmpeg, check, handle);
  } finally {
    await handle.close();
  }
}

async function checkOpenFrame(ffmpeg: string, check: FrameCheck, handle: FileHandle): Promise<VerifiedFrame> {
  const stat = await handle.stat();
  const { size: sizeBytes, mtimeMs } = stat;
  if (!stat.isFile()) throw new FrameError('frame-missing', `${check.path} is not a file.`);
  if (check.notBefore !== undefined && mtimeMs < check.notBefore - FRESHNESS_SLACK_MS) {
    throw new FrameError(
      'frame-stale',
      'The file was there before the render began, and was not written anew.',
    );
  }
  if (sizeBytes === 0) throw new FrameError('frame-truncated', 'The file is empty.');
  const expected = expectedFormat(check);
  const header = await readPictureHeader(handle, sizeBytes, expected);
  if (header === undefined) {
    const what = expected === undefined ? 'a picture of a known format' : `a whole ${expected} file`;
    throw new FrameError('frame-undecodable', `The file does not begin like ${what}.`);
  }
  if (expected !== undefined && header.format !== expected) {
    throw new FrameError('frame-undecodable', `The file is ${header.format}, though ${expected} was asked.`);
  }
  const source = { ffmpeg, path: check.path, handle, sizeBytes };
  const found = await decode(source, header, check.thumbnailLongSide);
  const { width, height } = header;
  if ((check.width > 0 && width !== check.width) || (check.height > 0 && height !== check.height)) {
    const asked = `${check.width} × ${check.height}`;
    throw new FrameError('frame-wrong-size', `The picture has ${width} × ${height} pixels, not ${asked}.`);
  }
  return { width, height, format: header.format, sizeBytes, ...found };
}

function expectedFormat({ format, path }: FrameCheck): PictureFormat | undefined {
  if (format === undefined) return /\.tga$/i.test(path) ? 'targa' : undefined;
  const known = pictureFormatOf(format);
  if (known === undefined) throw new FrameError('frame-undecodable', `${format} is no known picture format.`);
  return known;
}

interface Source {
  readonly ffmpeg: string;
  readonly path: string;
  readonly handle: FileHandle;
  readonly sizeBytes: number;
}

type Decoded = Pick<VerifiedFrame, 'pixelHash' | 'decoded' | 'thumbnail'>;

async function decode(
  source: Source,
  header: PictureHeader,
  thumbnailLongSide: number | undefined,
): Promise<Decoded> {
  const { ffmpeg, path, handle, sizeBytes } = source;
  if (header.format === 'exr') return decodeExr(source, header);
  if (sizeBytes > FILE_BYTES_MAX) {
    throw new FrameError('frame-undecodable', 'Pictures of 2 GiB and more can only be verified as OpenEXR.');
  }
  const file = await handle.readFile();
  if (file.length !== sizeBytes) {
    throw new FrameError('frame-truncated', 'The file changed its length while it was being read.');
  }
  const png = header.format === 'png' ? checkPng(file) : undefined;
  if (png === undefined) guard(header.format, () => checkEnd(header.format, file));
  if (header.format === 'hdr') return { pixelHash: hashHdr(file, header), decoded: 'pixels' };
  if (header.format === 'cineon') return { pixelHash: hashCineon(file, header), decoded: 'pixels' };
  if (header.width * header.height > DECODED_PIXELS_MAX) {
    return { pixelHash: hashBytes(file, header), decoded: 'structure' };
  }
  const plain = png && plainPixels(png);
  if (plain !== undefined) return decodedPlain(plain, thumbnailLongSide);
  if (SHARP_FORMATS.has(header.format)) {
    const { pixelHash, width, height } = await hashBySharp(file);
    if (width !== header.width || height !== header.height) {
      throw new FrameError('frame-undecodable', 'The picture decodes to another size than its header says.');
    }
    return { pixelHash, decoded: 'pixels' };
  }
  const pixelHash = await hashByFfmpeg(ffmpeg, path, header);
  if (pixelHash !== undefined) return { pixelHash, decoded: 'pixels' };
  return { pixelHash: hashBytes(file, header), decoded: 'structure' };
}

async function decodedPlain(pixels: PlainPixels, thumbnailLongSide: number | undefined): Promise<Decoded> {
  const decoded = { pixelHash: hashPlain(pixels), decoded: 'pixels' } as const;
  if (thumbnailLongSide === undefined) return decoded;
  // Best effort: a frame is good without it, and whoever needs one asks again.
  const thumbnail = await shrinkPixels(pixels, thumbnailLongSide).catch(() => undefined);
  return { ...decoded, ...(thumbnail && { thumbnail }) };
}

async function decodeExr(
  { ffmpeg, path, handle, sizeBytes }: Source,
  header: PictureHeader,
): Promise<Decoded> {
  const exr = await checkExr(handle, sizeBytes);
  if (exr.decoded) return { pixelHash: exr.pixelHash, decoded: 'pixels' };
  const { verdict, why } = await exrUnpacks(ffmpeg, path, header);
  if (verdict === 'no') {
    throw new FrameError('frame-undecodable', `The OpenEXR file's blocks can't be unpacked: ${why}.`);
  }
  // One part is all that ffmpeg unpacks.
  const whole = verdict === 'yes' && exr.headers.parts.length === 1;
  return { pixelHash: exr.pixelHash, decoded: whole ? 'pixels' : 'structure' };
}

/** A header that leads past the file's end shows as a RangeError of Buffer: the file is too short. */
function guard(format: PictureFormat, look: () => void): void {
  try {
    look();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new FrameError('frame-truncated', `The ${format} file ends within its header.`, { cause });
  }
}
