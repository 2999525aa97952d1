/**
 * Joining frames into a film with ffmpeg. The functions are `makeFilm` (`film.ts`) and `ffmpegCapabilities`
 * (`capabilities.ts`); failures are `FilmError`s.
 */

export interface FilmRequest {
  /** Absolute paths in playing order, each an existing picture; numbers in the names mean nothing here. */
  readonly frames: readonly string[];
  /** As Blender keeps it, `fps / fps_base`; not necessarily whole numbers (24 / 1.001). */
  readonly framesPerSecond: { readonly numerator: number; readonly denominator: number };
  /** Any file with sound; the film's length rules: a longer sound is cut, a shorter one is followed by silence. */
  readonly sound?: string;
  /** Absolute path of the .mp4; appears whole or not at all, and replaces what was there. */
  readonly output: string;
  /** `good` is the default; `draft` is for films that grow while frames arrive. */
  readonly quality?: FilmQuality;
}

export type FilmQuality = 'draft' | 'good' | 'best';

export interface FilmProgress {
  readonly framesDone: number;
  readonly frames: number;
  /** 0 to 1, never falling. */
  readonly fraction: number;
}

export interface FilmOptions {
  /** Aborting kills ffmpeg with all that it started; the reason is thrown once it is gone. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FilmProgress) => void;
}

export interface FilmResult {
  readonly path: string;
  readonly durationMs: number;
  readonly frames: number;
  /** Even numbers: odd pictures get one black column or row. */
  readonly width: number;
  readonly height: number;
  readonly hasSound: boolean;
  readonly sizeBytes: number;
}

export type FilmErrorCode =
  /** ffmpeg or ffprobe is not installed, or does not run. */
  | 'no-ffmpeg'
  /** This build of ffmpeg can't write H.264. */
  | 'no-h264'
  /** A frame is not there, or is no picture; `frame` says which. */
  | 'film-frame-missing'
  /** Frames of different sizes or formats, no frames at all, an impossible rate. */
  | 'film-frames-differ'
  | 'film-bad-request'
  /** ffmpeg failed; `lines` are its telling lines. */
  | 'film-failed'
  /** ffmpeg was content, but the film has not as many frames as it was given. */
  | 'film-wrong-length';

export class FilmError extends Error {
  override readonly name = 'FilmError';
  readonly code: FilmErrorCode;
  /** ffmpeg's telling lines, at most eight. */
  readonly lines: readonly string[];
  /** Index into the request's `frames`. */
  readonly frame: number | undefined;

  constructor(
    code: FilmErrorCode,
    message: string,
    details: { lines?: readonly string[]; frame?: number; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.lines = details.lines ?? [];
    this.frame = details.frame;
  }
}

export type FfmpegCapabilities =
  | {
      readonly state: 'no-ffmpeg';
      /** Says what is missing, and the next step. */
      readonly sentence: string;
    }
  | {
      readonly state: 'ready';
      /** Absolute path of ffmpeg. */
      readonly path: string;
      /** Absolute path of ffprobe, which verifies films. */
      readonly probePath: string;
      /** '5.1.9-0+deb12u1'. */
      readonly version: string;
      readonly encoders: { readonly h264: boolean; readonly aac: boolean };
      /** Picture formats that sharp can't read and this ffmpeg can. */
      readonly decoders: { readonly exr: boolean; readonly dpx: boolean; readonly jpeg2000: boolean };
    };
