import { access, mkdtemp, rename, rm, stat, symlink, copyFile, open } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Clock, Random } from '../../system/interface.ts';
import { syncFolder } from '../../system/files.ts';
import { tellingLines } from '../blender/telling-lines.ts';
import type { PictureFormat } from '../verify/formats.ts';
import { ffmpegArguments } from './arguments.ts';
import { ffmpegCapabilities } from './capabilities.ts';
import { type FramesInCommon, readFrames } from './frames.ts';
import {
  type FfmpegCapabilities,
  FilmError,
  type FilmOptions,
  type FilmRequest,
  type FilmResult,
} from './interface.ts';
import { SILENCE_MS } from './limits.ts';
import { checkFilm } from './probe.ts';
import { FilmProgress } from './progress.ts';
import { wholeRate } from './rate.ts';
import { runTool } from './run.ts';

interface Components {
  readonly clock: Clock;
  readonly random: Random;
  /** As `ffmpegCapabilities` gave it; asked anew without. */
  readonly ffmpeg?: FfmpegCapabilities;
}

/**
 * Joins frames into an H.264 film with the scene's rate and sound, and makes sure that every frame is in it. The
 * film appears at `output` whole and durable, or not at all. Rejects with a `FilmError` or the signal's reason.
 */
export async function makeFilm(
  components: Components,
  request: FilmRequest,
  options: FilmOptions = {},
): Promise<FilmResult> {
  const { signal } = options;
  signal?.throwIfAborted();
  const rate = wholeRate(request.framesPerSecond);
  const ffmpeg = components.ffmpeg ?? (await ffmpegCapabilities(components, signal ? { signal } : {}));
  if (ffmpeg.state === 'no-ffmpeg') throw new FilmError('no-ffmpeg', ffmpeg.sentence);
  if (!ffmpeg.encoders.h264) {
    throw new FilmError(
      'no-h264',
      `The ffmpeg at ${ffmpeg.path} can't write H.264. Install one with libx264.`,
    );
  }
  const common = await readFrames(request.frames, signal);
  if (request.sound !== undefined) await requireSound(request.sound);
  // Beside the film, so that the last step is a rename; its name says that it may be swept.
  const folder = await mkdtemp(join(dirname(request.output), `.${basename(request.output)}.`)).catch(
    (cause) => {
      throw new FilmError('film-failed', `No film can be written to ${dirname(request.output)}.`, { cause });
    },
  );
  try {
    const film = join(folder, 'film.mp4');
    const pattern = await linkFrames(folder, request.frames, common, signal);
    const job = { pattern, film, rate, common, request };
    await encode(components, ffmpeg.path, job, options);
    const result = await checkFilm(components, ffmpeg.probePath, job, signal);
    const handle = await open(film, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(film, request.output);
    await syncFolder(dirname(request.output));
    return { ...result, path: request.output, sizeBytes: (await stat(request.output)).size };
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function requireSound(path: string): Promise<void> {
  await access(path).catch((cause: unknown) => {
    throw new FilmError('film-bad-request', `The film's sound ${path} can't be opened.`, { cause });
  });
}

/** Endings by which ffmpeg knows a format that aren't its name. */
const ENDINGS: Partial<Record<PictureFormat, string>> = { targa: 'tga', jpeg2000: 'jp2', cineon: 'cin' };

/**
 * One folder of links numbered without gaps: frame ranges have steps, gaps and negative numbers, and ffmpeg takes
 * the first gap in a numbered sequence for the film's end.
 */
async function linkFrames(
  folder: string,
  frames: readonly string[],
  { header }: FramesInCommon,
  signal: AbortSignal | undefined,
): Promise<string> {
  // Frames may have any ending or none; ffmpeg chooses the decoder by it.
  const ending = `.${ENDINGS[header.format] ?? header.format}`;
  for (const [index, frame] of frames.entries()) {
    signal?.throwIfAborted();
    const link = join(folder, `${String(index).padStart(8, '0')}${ending}`);
    // Windows lets few users make links.
    if (process.platform === 'win32') await copyFile(frame, link);
    else await symlink(resolve(frame), link);
  }
  // A percent sign in the folder's own name would be read as part of the pattern.
  return join(folder.replaceAll('%', '%%'), `%08d${ending}`);
}

async function encode(
  components: Components,
  ffmpeg: string,
  job: Parameters<typeof ffmpegArguments>[0],
  { signal, onProgress }: FilmOptions,
): Promise<void> {
  const progress = new FilmProgress(job.request.frames.length, onProgress);
  const ending = await runTool(components, ffmpeg, ffmpegArguments(job), {
    signal,
    silenceMs: SILENCE_MS,
    onChannel: (text) => progress.hear(text),
  });
  if (ending.kind === 'not-found')
    throw new FilmError('no-ffmpeg', `The ffmpeg at ${ffmpeg} can't be started.`);
  if (ending.kind === 'silent') throw new FilmError('film-failed', 'ffmpeg made no progress and was ended.');
  if (ending.code !== 0) {
    const lines = tellingLines(ending.complaints);
    const how = ending.code === undefined ? 'was ended' : `failed with exit code ${ending.code}`;
    throw new FilmError('film-failed', `ffmpeg ${how}${lines[0] === undefined ? '' : `: ${lines[0]}`}`, {
      lines,
    });
  }
}
