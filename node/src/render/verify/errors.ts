/** Why a frame does not count. Branch on the code; the message is a sentence for people. */
export type FrameErrorCode =
  /** There is no such file, or it is no regular file. */
  | 'frame-missing'
  /** The file ends before its own tables say that it should. */
  | 'frame-truncated'
  /** The file is damaged, of another format than asked, or crashes its decoder. */
  | 'frame-undecodable'
  /** A whole picture, but not of the size that was asked. */
  | 'frame-wrong-size'
  /** The file was there before the render began. */
  | 'frame-stale'
  /** Too many pictures wait already: a defect of the caller, not of the frame. */
  | 'pictures-busy'
  /** The child was stopped, or can't be started. No word on the frame. */
  | 'pictures-stopped';

export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly code: FrameErrorCode;

  constructor(code: FrameErrorCode, message: string, details: { cause?: unknown } = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
  }
}
