import type { FrameCheck, PictureOptions, PictureProcess, VerifiedFrame } from './interface.ts';

/**
 * Whether a frame counts: newly written, whole, decodable, of the right size. Changes nothing. Rejects with a
 * `FrameError` or the signal's reason.
 */
export function verifyFrame(
  components: { readonly pictures: PictureProcess },
  check: FrameCheck,
  options?: PictureOptions,
): Promise<VerifiedFrame> {
  return components.pictures.verify(check, options);
}
