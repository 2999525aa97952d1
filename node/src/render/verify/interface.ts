/**
 * What the rest of the node may know of looking at pictures: whether a frame that an engine wrote is whole, and
 * how its pixels hash. The work runs in one long-lived child process, never on the node's own loop; the factory
 * is `createPictureProcess` in `pictures.ts`, the function to call is `verifyFrame` in `verify.ts`, failures are
 * `FrameError`s (`errors.ts`). Thumbnails and previews (`../preview/`) are made in the same child.
 */

import type { Startable } from '../../system/interface.ts';
import type { PreviewRequest, PreviewResult } from '../preview/interface.ts';
import type { PictureFormat } from './formats.ts';

export interface FrameCheck {
  /** Absolute path of the file that an engine claims to have written. */
  readonly path: string;
  /**
   * Blender's name of the format that was asked ('PNG', 'OPEN_EXR_MULTILAYER'…), or one of `PictureFormat`. A file
   * of another format is refused. Undefined: whatever the file itself says.
   */
  readonly format?: string;
  /** Expected size in pixels; 0 where it isn't known beforehand (what a compositor node wrote). */
  readonly width: number;
  readonly height: number;
  /**
   * The file must not have been modified before this moment: milliseconds since 1970 *of the file system's own
   * clock*, best taken as the `mtimeMs` of a folder or file that was made beside it before rendering began.
   */
  readonly notBefore?: number;
  /** Bound of the longer side of a thumbnail that is wanted, where making it needs no second decoding. */
  readonly thumbnailLongSide?: number;
}

export interface VerifiedFrame {
  readonly width: number;
  readonly height: number;
  readonly format: PictureFormat;
  readonly sizeBytes: number;
  /**
   * SHA-256, in hex, of the pixels in a canonical form (`canonical.ts`) that names dimensions and channel layout:
   * equal for files that differ in metadata only. Of an EXR with lossy or wavelet compression it covers the
   * compressed blocks, so it is comparable between files of the same compression.
   */
  readonly pixelHash: string;
  /**
   * `pixels`: every pixel was decoded. `structure`: the file is complete by its own tables, but nothing on this
   * machine decodes its compression (no ffmpeg, or a picture larger than the bound).
   */
  readonly decoded: 'pixels' | 'structure';
  /** A WebP; only where one was wanted and cost little. Whoever needs one in any case asks for it with `shrink`. */
  readonly thumbnail?: Uint8Array;
}

export interface PictureOptions {
  /** Aborting gives up waiting; the reason is thrown. A file half-looked-at harms nothing. */
  readonly signal?: AbortSignal;
}

/**
 * One child process that looks at pictures and makes small ones. It starts at the first request, is replaced when
 * it crashes or hangs, ends when idle, and is killed by `stop`. Requests run one at a time, in order, so that a
 * picture that kills its decoder is known by name and fails alone.
 */
export interface PictureProcess extends Startable {
  /** Rejects with a `FrameError`, or the signal's reason. */
  verify(check: FrameCheck, options?: PictureOptions): Promise<VerifiedFrame>;
  /**
   * Rejects with a `PreviewError`, and the destination is as it was; or with the signal's reason, and a picture that
   * was just being made may still appear there, whole.
   */
  shrink(request: PreviewRequest, options?: PictureOptions): Promise<PreviewResult>;
  /** Process id of the child that lives now, for tests and "this machine". */
  pid(): number | undefined;
}
