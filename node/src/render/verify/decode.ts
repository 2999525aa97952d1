import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { startPixelHash } from './canonical.ts';
import { FrameError } from './errors.ts';
import type { PictureFormat } from './formats.ts';
import type { PictureHeader } from './header.ts';
import { FFMPEG_ERROR_BYTES } from './limits.ts';
import type { PlainPixels } from './png-pixels.ts';

/** Decoding with what is there: libvips by sharp, and ffmpeg for the rest. Runs in the child process only. */

/** Decodes all pixels strictly and hashes them. @throws FrameError `frame-undecodable`. */
export async function hashBySharp(
  file: Buffer,
): Promise<{ width: number; height: number; pixelHash: string }> {
  try {
    const image = sharp(file, { failOn: 'warning', limitInputPixels: false, ignoreIcc: true });
    const { depth, channels } = await image.metadata();
    const deep = depth === 'ushort';
    // Without a colour space of 16 bits libvips reduces to 8 on its way.
    if (deep) image.toColourspace(channels !== undefined && channels < 3 ? 'grey16' : 'rgb16');
    const { data, info } = await image
      .raw({ depth: deep ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const layout = `${info.width} ${info.height} ${info.channels} ${deep ? 'ushort' : 'uchar'}`;
    return {
      width: info.width,
      height: info.height,
      pixelHash: startPixelHash(layout).update(data).digest('hex'),
    };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.trim().split('\n')[0] : String(cause);
    throw new FrameError('frame-undecodable', `The picture can't be decoded: ${why}.`, { cause });
  }
}

/** The same hash as `hashBySharp`'s, of pixels that are unpacked already. */
export function hashPlain({ width, height, channels, data }: PlainPixels): string {
  return startPixelHash(`${width} ${height} ${channels} uchar`).update(data).digest('hex');
}

const FFMPEG_DECODERS: Partial<Record<PictureFormat, string>> = {
  exr: 'exr',
  bmp: 'bmp',
  targa: 'targa',
  sgi: 'sgi',
  dpx: 'dpx',
  jpeg2000: 'jpeg2000',
  png: 'png',
  jpeg: 'mjpeg',
  tiff: 'tiff',
  webp: 'webp',
};

/** Arguments that make ffmpeg read exactly this one file: no patterns in names, no guessing, no network. */
export function ffmpegInput(
  path: string,
  { format, layer }: Pick<PictureHeader, 'format' | 'layer'>,
): string[] {
  const decoder = FFMPEG_DECODERS[format];
  return [
    '-protocol_whitelist',
    'file',
    '-f',
    'image2',
    '-pattern_type',
    'none',
    ...(decoder === undefined ? [] : ['-c:v', decoder]),
    ...(format === 'exr' ? ['-apply_trc', 'iec61966_2_1'] : []),
    ...(format === 'exr' && layer !== undefined && layer !== '' ? ['-layer', layer] : []),
    '-err_detect',
    'explode',
    '-i',
    path,
  ];
}

export type FfmpegOutcome =
  | { readonly state: 'missing' }
  | { readonly state: 'done'; readonly exitCode: number; readonly complaints: string };

/** Runs ffmpeg and hands its output on; never rejects. */
export function runFfmpeg(
  ffmpeg: string,
  args: readonly string[],
  onData: (data: Buffer) => void,
): Promise<FfmpegOutcome> {
  return new Promise((resolve) => {
    const child = spawn(ffmpeg, ['-v', 'error', '-nostdin', '-xerror', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    let complaints = '';
    child.on('error', () => resolve({ state: 'missing' }));
    child.stdout.on('data', onData);
    child.stderr.on('data', (data: Buffer) => {
      if (complaints.length < FFMPEG_ERROR_BYTES) complaints += data.toString('utf8');
    });
    child.on('close', (code) => resolve({ state: 'done', exitCode: code ?? -1, complaints }));
  });
}

/**
 * Decodes by ffmpeg, which must be content without a word, and hashes the pixels as 16-bit RGBA. Undefined
 * without ffmpeg. @throws FrameError `frame-undecodable`.
 */
export async function hashByFfmpeg(
  ffmpeg: string,
  path: string,
  header: PictureHeader,
): Promise<string | undefined> {
  const { width, height } = header;
  const hash = startPixelHash(`${width} ${height} 4 rgba64le`);
  let bytes = 0;
  const scaling = ['-sws_flags', 'accurate_rnd+bitexact', '-pix_fmt', 'rgba64le'];
  const args = [...ffmpegInput(path, header), '-frames:v', '1', ...scaling, '-f', 'rawvideo', 'pipe:1'];
  const outcome = await runFfmpeg(ffmpeg, args, (data) => {
    hash.update(data);
    bytes += data.length;
  });
  if (outcome.state === 'missing') return undefined;
  const complaint = firstLine(outcome.complaints);
  if (outcome.exitCode !== 0 || complaint !== '' || bytes !== width * height * 8) {
    const why = complaint === '' ? `${bytes} bytes of pixels came out` : complaint;
    throw new FrameError('frame-undecodable', `The picture can't be decoded: ${why}.`);
  }
  return hash.digest('hex');
}

/** What ffmpeg says of an EXR that it has no means for; anything else that it says means damage. */
const NOT_ITS_TRADE = /not supported|unsupported|not implemented|missing (red|green|blue|luminance)|channel/i;

/** Whether ffmpeg unpacks the EXR's blocks: 'yes', 'no' (damage), or 'unknown' (no ffmpeg, or not its trade). */
export async function exrUnpacks(
  ffmpeg: string,
  path: string,
  header: PictureHeader,
): Promise<{ verdict: 'yes' | 'no' | 'unknown'; why: string }> {
  const args = [...ffmpegInput(path, header), '-frames:v', '1', '-f', 'null', '-'];
  const outcome = await runFfmpeg(ffmpeg, args, () => undefined);
  if (outcome.state === 'missing') return { verdict: 'unknown', why: '' };
  const why = firstLine(outcome.complaints);
  if (outcome.exitCode === 0 && why === '') return { verdict: 'yes', why };
  return { verdict: NOT_ITS_TRADE.test(outcome.complaints) ? 'unknown' : 'no', why };
}

function firstLine(text: string): string {
  return (text.trim().split('\n')[0] ?? '').replace(/^\[[^\]]*\] /, '').replace(/\.$/, '');
}

/** The hash of a file's bytes, for pictures too large to decode here. */
export function hashBytes(file: Buffer, { width, height, format }: PictureHeader): string {
  const bytes = createHash('sha256').update(file).digest('hex');
  return startPixelHash(`${width} ${height} ${format} ${bytes}`).digest('hex');
}
