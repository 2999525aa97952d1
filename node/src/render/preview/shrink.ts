import { open, rename, rm } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { ffmpegInput, runFfmpeg } from '../verify/decode.ts';
import { SHARP_FORMATS } from '../verify/formats.ts';
import { readPictureHeader } from '../verify/header.ts';
import { DECODED_PIXELS_MAX } from '../verify/limits.ts';
import type { PlainPixels } from '../verify/png-pixels.ts';
import { PREVIEW_QUALITY, THUMBNAIL_EFFORT } from './limits.ts';
import { PreviewError, type PreviewRequest, type PreviewResult } from './interface.ts';

/** Makes one small picture; runs in the child process of `../verify/`. @throws PreviewError. */
export async function shrinkPicture(
  ffmpeg: string,
  request: PreviewRequest,
  temporary: string,
): Promise<PreviewResult> {
  const input = await readable(ffmpeg, request.source);
  const shrunk = await resize(input, request);
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await handle.writeFile(shrunk.data);
    } finally {
      await handle.close();
    }
    await rename(temporary, request.destination);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PreviewError('preview-unwritable', `${request.destination} can't be written: ${why}.`, {
      cause,
    });
  }
  const { width, height } = shrunk.info;
  return { path: request.destination, width, height, sizeBytes: shrunk.data.length };
}

/** A WebP of pixels that are unpacked already; no file is touched. */
export async function shrinkPixels(pixels: PlainPixels, longSide: number): Promise<Uint8Array> {
  const { data, ...raw } = withoutOpaqueAlpha(pixels);
  return small(sharp(data, { raw }), longSide)
    .webp({ quality: PREVIEW_QUALITY, effort: THUMBNAIL_EFFORT })
    .toBuffer();
}

/** Frames are mostly RGBA and opaque; weighing colours by an alpha that is 1 everywhere doubles the cost. */
function withoutOpaqueAlpha(pixels: PlainPixels): PlainPixels {
  const { width, height, channels, data } = pixels;
  if (channels === 3) return pixels;
  const opaque = Buffer.allocUnsafeSlow(width * height * 3);
  let alpha = 255;
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    opaque[to] = data[from] as number;
    opaque[to + 1] = data[from + 1] as number;
    opaque[to + 2] = data[from + 2] as number;
    alpha &= data[from + 3] as number;
  }
  return alpha === 255 ? { width, height, channels: 3, data: opaque } : pixels;
}

const small = (input: Sharp, longSide: number): Sharp =>
  input.resize({ width: longSide, height: longSide, fit: 'inside', withoutEnlargement: true });

async function resize(input: Sharp, { source, longSide, format }: PreviewRequest) {
  try {
    const image = small(input, longSide);
    const coded =
      format === 'webp'
        ? image.webp({ quality: PREVIEW_QUALITY, effort: THUMBNAIL_EFFORT })
        : image.flatten({ background: '#000' }).jpeg({ quality: PREVIEW_QUALITY });
    return await coded.toBuffer({ resolveWithObject: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.trim().split('\n')[0] : String(cause);
    throw new PreviewError('preview-unreadable', `${source} can't be made smaller: ${why}.`, { cause });
  }
}

/** The source as sharp takes it: the path where sharp reads it, else the pixels that ffmpeg makes of it. */
async function readable(ffmpeg: string, source: string): Promise<Sharp> {
  const unreadable = (why: string, cause?: unknown) =>
    new PreviewError('preview-unreadable', `${source} can't be shown: ${why}.`, { cause });
  const header = await headerOf(source).catch((cause: unknown) => {
    throw unreadable(cause instanceof Error ? cause.message : String(cause), cause);
  });
  if (header === undefined) throw unreadable('it is no picture of a known format');
  const options = { failOn: 'error', limitInputPixels: false } as const;
  if (SHARP_FORMATS.has(header.format)) return sharp(source, options);
  const { width, height } = header;
  if (width * height > DECODED_PIXELS_MAX) throw unreadable('it has too many pixels');
  const chunks: Buffer[] = [];
  const output = ['-frames:v', '1', '-pix_fmt', 'rgba', '-f', 'rawvideo', 'pipe:1'];
  const outcome = await runFfmpeg(ffmpeg, [...ffmpegInput(source, header), ...output], (data) =>
    chunks.push(data),
  );
  if (outcome.state === 'missing') throw unreadable(`showing ${header.format} files needs ffmpeg`);
  const pixels = Buffer.concat(chunks);
  if (outcome.exitCode !== 0 || pixels.length !== 4 * width * height) {
    throw unreadable(outcome.complaints.trim().split('\n')[0] || 'ffmpeg can’t decode it');
  }
  return sharp(pixels, { ...options, raw: { width, height, channels: 4 } });
}

async function headerOf(source: string) {
  const handle = await open(source, 'r');
  try {
    const { size } = await handle.stat();
    return await readPictureHeader(handle, size, /\.tga$/i.test(source) ? 'targa' : undefined);
  } finally {
    await handle.close();
  }
}
