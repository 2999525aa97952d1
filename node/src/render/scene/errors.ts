/** Why a .blend could not be traced or mixed. */
export type SceneErrorCode =
  | 'blend-missing'
  | 'blend-not-a-file'
  | 'blend-unreadable'
  | 'blend-garbage'
  | 'blend-newer-version'
  | 'no-blender'
  | 'no-scene'
  | 'trace-timeout'
  | 'trace-failed';

/** A failure to read a scene, with a stable `code` and one sentence that says what to do next. */
export class SceneError extends Error {
  override readonly name = 'SceneError';
  readonly code: SceneErrorCode;

  constructor(code: SceneErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
