import type { PreviewErrorCode, PreviewRequest, PreviewResult } from '../preview/interface.ts';
import type { FrameErrorCode } from './errors.ts';
import type { FrameCheck, VerifiedFrame } from './interface.ts';

/** What node and child say to each other over Node's own channel; both are of one version, so nothing is parsed. */
export type PictureOrder =
  | { readonly kind: 'verify'; readonly check: FrameCheck }
  /** The temporary name stands in the destination's folder; the node sweeps it when the child dies. */
  | { readonly kind: 'shrink'; readonly request: PreviewRequest; readonly temporary: string };

export interface PictureMessage {
  readonly id: number;
  readonly order: PictureOrder;
  readonly ffmpeg: string;
}

export type PictureAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly id: number; readonly value: VerifiedFrame | PreviewResult }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly error:
        | { readonly name: 'FrameError'; readonly code: FrameErrorCode; readonly message: string }
        | { readonly name: 'PreviewError'; readonly code: PreviewErrorCode; readonly message: string };
    };
