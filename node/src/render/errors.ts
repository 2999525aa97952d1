/** Why a frame could not be rendered. Branch on the code; the message is a sentence for people. */
export type RenderErrorCode =
  /** No usable Blender on this machine. */
  | 'no-blender'
  /** Blender was found but did not get as far as taking orders. */
  | 'start-failed'
  /** The request itself is wrong: a scene outside the readable folders, sessions already stopped. */
  | 'bad-request'
  /** The .blend is missing, truncated, or no .blend at all. */
  | 'load-failed'
  /** The named scene or camera is not in the file. */
  | 'not-in-scene'
  | 'no-camera'
  /** The scene denoises with something that this build of Blender lacks. */
  | 'denoiser-missing'
  /** The scene's render engine is not part of this Blender. */
  | 'engine-missing'
  /** Blender finished without a word and without a file. */
  | 'no-output'
  /** Blender reported an error of its own while rendering. */
  | 'render-failed'
  /** Python failed inside the session's driver or the scene's scripts. */
  | 'python-exception'
  /** The process ended by a signal or an exit nobody asked for. */
  | 'crashed'
  /** No sign of life, or no progress, for longer than the limits allow. */
  | 'hung'
  | 'out-of-memory';

/** A failed frame; `lines` are the log's telling lines, at most eight, ready to be shown. */
export class RenderError extends Error {
  override readonly name = 'RenderError';
  readonly code: RenderErrorCode;
  readonly lines: readonly string[];

  constructor(
    code: RenderErrorCode,
    message: string,
    details: { lines?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.lines = details.lines ?? [];
  }
}
