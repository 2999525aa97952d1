/**
 * Small pictures for the dashboard, made in the child process of `../verify/` (`PictureProcess.shrink`). The
 * functions to call are `makeThumbnail` and `makePreview` in `make.ts`; failures are `PreviewError`s.
 */

export interface PreviewRequest {
  /**
   * Absolute path: PNG, JPEG, TIFF or WebP directly. For EXR and the film formats give the JPEG that the Blender
   * session saved, since only that has the scene's view transform; without it ffmpeg makes a plain sRGB picture.
   */
  readonly source: string;
  /** Absolute path in an existing folder; appears whole or not at all, and replaces what was there. */
  readonly destination: string;
  /** Bound of the longer side in pixels; a smaller source is never enlarged. */
  readonly longSide: number;
  readonly format: 'webp' | 'jpeg';
}

export interface PreviewResult {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly sizeBytes: number;
}

export type PreviewErrorCode =
  /** The source is missing, damaged, or of a format that nothing here reads. */
  | 'preview-unreadable'
  /** The destination can't be written. */
  | 'preview-unwritable';

export class PreviewError extends Error {
  override readonly name = 'PreviewError';
  readonly code: PreviewErrorCode;

  constructor(code: PreviewErrorCode, message: string, details: { cause?: unknown } = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
  }
}
