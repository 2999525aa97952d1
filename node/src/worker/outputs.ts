import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CuadroError, isSafePath, type BlobHash, type JobId, type OutputFile } from '@cuadro/protocol';
import type { BlobStore } from '../blobs/interface.ts';
import type { FrameResult } from '../render/interface.ts';
import { makePreview, makeThumbnail } from '../render/preview/make.ts';
import type { PictureProcess, VerifiedFrame } from '../render/verify/interface.ts';
import { verifyFrame } from '../render/verify/verify.ts';
import type { Logger } from '../system/interface.ts';
import { workerLimits } from './limits.ts';

export interface OutputComponents {
  blobs: BlobStore;
  pictures: PictureProcess;
  logger: Logger;
}

interface SmallPictures {
  thumbnail?: BlobHash;
  preview?: BlobHash;
}

/** Formats that browsers show as they are. */
const SHOWN_BY_BROWSERS: ReadonlySet<string> = new Set(['png', 'jpeg', 'webp']);

/**
 * Verifies every file of a frame, makes its small pictures, and stores all of it for the job. Nothing counts
 * before all files are whole and durable.
 */
export async function keepFrame(
  components: OutputComponents,
  frame: FrameResult,
  place: { job: JobId; folder: string; startedAt: number; signal: AbortSignal },
): Promise<{ files: OutputFile[]; thumbnail?: BlobHash }> {
  refuseUnsafe(frame.files);
  const verified = await verifyFiles(components, frame, place);
  const [first] = verified;
  const thumbnail = first?.thumbnail;
  const pictures: SmallPictures =
    thumbnail === undefined ? await makePictures(components, frame, verified, place) : {};
  // All in one go: what is stored together shares its syncs.
  const stored = await components.blobs.putMany(
    [
      ...frame.files.map((file) => ({ path: file.path, mode: 'move' as const })),
      ...(thumbnail === undefined ? [] : [{ bytes: thumbnail }]),
    ],
    { pin: place.job, signal: place.signal },
  );
  if (thumbnail !== undefined) pictures.thumbnail = (stored.at(-1) as { hash: string }).hash;
  const files = frame.files.map((file, i): OutputFile => {
    const { width, height, pixelHash } = verified[i] as VerifiedFrame;
    const { hash, sizeBytes } = stored[i] as { hash: string; sizeBytes: number };
    const preview = i === 0 && pictures.preview ? { preview: pictures.preview } : {};
    return {
      name: file.name,
      blob: hash,
      sizeBytes,
      pixels: pixelHash,
      width,
      height,
      role: file.role,
      ...preview,
    };
  });
  return { files, ...(pictures.thumbnail && { thumbnail: pictures.thumbnail }) };
}

async function verifyFiles(
  components: OutputComponents,
  frame: FrameResult,
  place: { startedAt: number; signal: AbortSignal },
): Promise<VerifiedFrame[]> {
  const verified: VerifiedFrame[] = [];
  for (const [i, file] of frame.files.entries()) {
    // Blender's own preview, where it made one, shows the frame better than its file does.
    const wantsThumbnail = i === 0 && frame.preview === undefined;
    const { path, width, height, format } = file;
    const check = {
      ...{ path, width, height },
      ...(format !== '' && { format }),
      notBefore: place.startedAt,
      ...(wantsThumbnail && { thumbnailLongSide: workerLimits.thumbnailLongSide }),
    };
    verified.push(await verifyFrame(components, check, { signal: place.signal }));
  }
  return verified;
}

/** A thumbnail, and a preview where browsers can't show the frame: best effort, a frame doesn't fail for them. */
async function makePictures(
  components: OutputComponents,
  frame: FrameResult,
  verified: readonly VerifiedFrame[],
  place: { job: JobId; folder: string; signal: AbortSignal },
): Promise<SmallPictures> {
  const [first] = frame.files;
  if (first === undefined) return {};
  const source = frame.preview?.path ?? first.path;
  const { signal, job } = place;
  const pictures: SmallPictures = {};
  try {
    const thumbnail = join(place.folder, 'thumbnail.webp');
    await makeThumbnail(
      components,
      { source, destination: thumbnail, longSide: workerLimits.thumbnailLongSide },
      { signal },
    );
    pictures.thumbnail = (await components.blobs.putFile(thumbnail, { mode: 'move', pin: job, signal })).hash;
    if (SHOWN_BY_BROWSERS.has(verified[0]?.format ?? '')) return pictures;
    const preview = join(place.folder, 'preview.webp');
    await makePreview(
      components,
      { source, destination: preview, longSide: workerLimits.previewLongSide },
      { signal },
    );
    pictures.preview = (await components.blobs.putFile(preview, { mode: 'move', pin: job, signal })).hash;
  } catch (error) {
    signal.throwIfAborted();
    components.logger.warn('A small picture could not be made.', {
      job,
      file: first.name,
      error: String(error),
    });
  }
  return pictures;
}

/** Stores files that are no pictures, or that need no look: a film, what a command wrote. */
export async function keepFiles(
  components: { blobs: BlobStore },
  files: readonly { path: string; name: string; role: string }[],
  place: { job: JobId; signal: AbortSignal },
): Promise<OutputFile[]> {
  refuseUnsafe(files);
  const stored = await components.blobs.putMany(
    files.map((file) => ({ path: file.path, mode: 'move' as const })),
    { pin: place.job, signal: place.signal },
  );
  return files.map(({ name, role }, i) => {
    const { hash, sizeBytes } = stored[i] as { hash: string; sizeBytes: number };
    return { name, role, blob: hash, sizeBytes };
  });
}

/** A name that some system takes for a place outside the output folder could be collected nowhere (SPEC R62). */
function refuseUnsafe(files: readonly { name: string }[]): void {
  const unsafe = files.find(({ name }) => !isSafePath(name));
  if (unsafe !== undefined) throw new CuadroError('path-unsafe', { path: unsafe.name });
}

/** The file system's own time of a folder just made: what is older was not written by this attempt. */
export async function fileSystemTime(folder: string): Promise<number> {
  return (await stat(folder)).mtimeMs;
}
