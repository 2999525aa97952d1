import { type FileHandle, open } from 'node:fs/promises';
import { FrameError } from '../verify/errors.ts';
import { pictureFormatOf } from '../verify/formats.ts';
import { type PictureHeader, readPictureHeader } from '../verify/header.ts';
import { FilmError } from './interface.ts';
import { HEADERS_AT_ONCE } from './limits.ts';

/** What all frames of a film have in common. */
export interface FramesInCommon {
  readonly header: PictureHeader;
  /** Whether any of them may be transparent. */
  readonly alpha: boolean;
}

/**
 * Reads every frame's header, since ffmpeg would quietly end the film at a missing frame and rescale one of
 * another size. Rejects with a `FilmError` that names the first frame that doesn't fit.
 */
export async function readFrames(paths: readonly string[], signal?: AbortSignal): Promise<FramesInCommon> {
  let first: PictureHeader | undefined;
  let alpha = false;
  for (let start = 0; start < paths.length; start += HEADERS_AT_ONCE) {
    signal?.throwIfAborted();
    const batch = paths.slice(start, start + HEADERS_AT_ONCE);
    const headers = await Promise.allSettled(batch.map((path, index) => readFrame(path, start + index)));
    for (const [index, outcome] of headers.entries()) {
      if (outcome.status === 'rejected') throw outcome.reason;
      const header = outcome.value;
      first ??= header;
      alpha ||= header.alpha;
      requireSame(first, header, paths[0] as string, batch[index] as string, start + index);
    }
  }
  if (first === undefined) throw new FilmError('film-bad-request', 'A film needs at least one frame.');
  return { header: first, alpha };
}

function requireSame(
  first: PictureHeader,
  header: PictureHeader,
  firstPath: string,
  path: string,
  frame: number,
) {
  const shape = ({ width, height }: PictureHeader) => `${width} × ${height}`;
  if (shape(first) !== shape(header)) {
    throw new FilmError(
      'film-frames-differ',
      `The frames have different sizes: ${firstPath} has ${shape(first)} pixels, ${path} has ${shape(header)}. Render one of them again.`,
      { frame },
    );
  }
  if (first.format !== header.format || first.layer !== header.layer) {
    throw new FilmError(
      'film-frames-differ',
      `The frames have different formats: ${firstPath} is ${first.format}, ${path} is ${header.format}. Render one of them again.`,
      { frame },
    );
  }
}

async function readFrame(path: string, frame: number): Promise<PictureHeader> {
  const missing = (why: string, cause?: unknown) =>
    new FilmError('film-frame-missing', `The film lacks a frame: ${path} ${why}.`, { frame, cause });
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (cause) {
    throw missing("can't be opened", cause);
  }
  try {
    const { size } = await handle.stat();
    const expected = pictureFormatOf(/\.tga$/i.test(path) ? 'targa' : '');
    const header = await readPictureHeader(handle, size, expected);
    if (header === undefined) throw missing('is no whole picture');
    return header;
  } catch (error) {
    if (error instanceof FilmError) throw error;
    throw missing(error instanceof FrameError ? 'is no whole picture' : "can't be read", error);
  } finally {
    await handle.close();
  }
}
