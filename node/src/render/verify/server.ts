/** The program of the child process that looks at pictures; started by `pictures.ts`, ends with its parent. */

import sharp from 'sharp';
import { PreviewError } from '../preview/interface.ts';
import { shrinkPicture } from '../preview/shrink.ts';
import { checkFrame } from './check.ts';
import { FrameError } from './errors.ts';
import { PICTURE_NICENESS } from './limits.ts';
import type { PictureAnswer, PictureMessage } from './messages.ts';
import { beModest } from './modest.ts';

// Every frame is another file: a cache would only hold memory.
sharp.cache(false);
// Rendering owns the cores: each further thread would only cost its handing over.
sharp.concurrency(1);

const answer = (message: PictureAnswer) => process.send?.(message, () => undefined);

async function serve({ id, order, ffmpeg }: PictureMessage): Promise<void> {
  try {
    const value =
      order.kind === 'verify'
        ? await checkFrame(ffmpeg, order.check)
        : await shrinkPicture(ffmpeg, order.request, order.temporary);
    answer({ kind: 'done', id, value });
  } catch (error) {
    answer({ kind: 'failed', id, error: describe(error, order.kind) });
  }
}

function describe(
  error: unknown,
  kind: 'verify' | 'shrink',
): Extract<PictureAnswer, { kind: 'failed' }>['error'] {
  if (error instanceof FrameError) return { name: 'FrameError', code: error.code, message: error.message };
  if (error instanceof PreviewError)
    return { name: 'PreviewError', code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return kind === 'verify'
    ? { name: 'FrameError', code: 'frame-undecodable', message: `Looking at the picture failed: ${message}` }
    : { name: 'PreviewError', code: 'preview-unreadable', message: `Making it smaller failed: ${message}` };
}

process.on('message', (message: PictureMessage) => void serve(message));
process.on('disconnect', () => process.exit(0));
beModest(PICTURE_NICENESS);
answer({ kind: 'ready' });
