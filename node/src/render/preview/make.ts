import type { PictureOptions, PictureProcess } from '../verify/interface.ts';
import type { PreviewRequest, PreviewResult } from './interface.ts';
import { PREVIEW_LONG_SIDE, THUMBNAIL_LONG_SIDE } from './limits.ts';

type SmallRequest = Pick<PreviewRequest, 'source' | 'destination'> &
  Partial<Pick<PreviewRequest, 'longSide' | 'format'>>;

/** A WebP of at most 320 pixels for the frame wall. Rejects with a `PreviewError` or the signal's reason. */
export function makeThumbnail(
  components: { readonly pictures: PictureProcess },
  request: SmallRequest,
  options?: PictureOptions,
): Promise<PreviewResult> {
  return components.pictures.shrink({ longSide: THUMBNAIL_LONG_SIDE, format: 'webp', ...request }, options);
}

/** A WebP of at most 1920 pixels, of a frame that browsers can't show. Rejects with a `PreviewError` or the signal's reason. */
export function makePreview(
  components: { readonly pictures: PictureProcess },
  request: SmallRequest,
  options?: PictureOptions,
): Promise<PreviewResult> {
  return components.pictures.shrink({ longSide: PREVIEW_LONG_SIDE, format: 'webp', ...request }, options);
}
