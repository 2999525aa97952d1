import { mkdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { BUNDLE_BYTES_MAX, readBundle, type FilmWork, type OutputFile } from '@cuadro/protocol';
import type { BlobStore } from '../../blobs/interface.ts';
import type { ContentSource, EnsureOptions } from '../../blobs/source.ts';
import { BlobNotFoundError, BlobUnreachableError, isNoRoom } from '../../blobs/errors.ts';
import { mapBounded } from '../../blobs/gate.ts';
import { makeFilm } from '../../render/film/film.ts';
import type { FfmpegCapabilities } from '../../render/film/interface.ts';
import type { Clock, Random } from '../../system/interface.ts';
import type { TaskContext, TaskReader, TaskRunner } from '../interface.ts';
import { AttemptStopped, missingInput } from '../failures.ts';
import { workerLimits } from '../limits.ts';
import { keepFiles } from '../outputs.ts';

export interface FilmComponents {
  blobs: BlobStore;
  /** Brings the frames that other machines made. */
  content: ContentSource;
  clock: Clock;
  random: Random;
  tasks: TaskReader;
  ffmpeg(): Promise<FfmpegCapabilities>;
}

/** Formats that ffmpeg shows with the right colours by itself; of others the film takes the previews. */
const PLAIN_FORMATS: ReadonlySet<string> = new Set([
  '.png',
  '.jpg',
  '.jpeg',
  '.webp',
  '.tif',
  '.tiff',
  '.bmp',
  '.tga',
]);

/** Joins the frames of an earlier group into a film, with the scene's sound. */
export function createFilmRunner(components: FilmComponents): TaskRunner {
  return async (context) => {
    const startedMs = components.clock.now();
    const work = context.task.work as FilmWork;
    const inputRedo = components.tasks.inputRedo(context.job.id, context.task.index);
    const frames = await gatherFrames(components, context, work);
    const sound = work.sound === undefined ? undefined : await gatherSound(components, context, work.sound);
    const output = join(context.folder, 'film.mp4');
    await makeFilm(
      { ...components, ffmpeg: await components.ffmpeg() },
      { frames, framesPerSecond: work.rate, output, ...(sound !== undefined && { sound }) },
      {
        signal: context.signal,
        onProgress: ({ fraction }) => context.progress({ fraction, text: 'Joining frames' }),
      },
    );
    context.engineFree();
    const place = { job: context.job.id, signal: context.signal };
    const files = await keepFiles(components, [{ path: output, name: work.output, role: 'film' }], place);
    return { files, renderMs: components.clock.now() - startedMs, inputRedo };
  };
}

/** A frame's task of which the film takes the picture. */
interface Picture {
  readonly index: number;
  readonly number: number;
  readonly name: string;
}

/** The group's pictures in the order of their numbers, as files of this attempt's own; several are brought at a time. */
async function gatherFrames(
  components: FilmComponents,
  context: TaskContext,
  work: FilmWork,
): Promise<string[]> {
  const { tasks, blobs } = components;
  const folder = join(context.folder, 'frames');
  await mkdir(folder);
  const pictures: Picture[] = [];
  for (let index = 0; ; index++) {
    const planned = tasks.plannedTask(context.job.id, index);
    if (planned === undefined || planned.group > work.frames) break;
    if (planned.group === work.frames) pictures.push({ index, number: planned.number, name: planned.name });
  }
  pictures.sort((a, b) => a.number - b.number);
  // Nothing is fetched for a film of which a frame may never be made.
  for (const picture of pictures) await pictureOnceKnown(components, context, picture);
  const { framesFetchedAtOnce } = workerLimits;
  const { signal } = context;
  const paths = new Map<Picture, string>();
  const roomless: Picture[] = [];
  const take = async (picture: Picture, ended: AbortSignal): Promise<void> => {
    const { index, hash, ending } = await bring(components, context, picture, ended);
    const path = join(folder, `${String(index).padStart(8, '0')}${ending}`);
    // At once: what only comes through here may go from the store again when the next ones come.
    await blobs.materialize(hash, path, { signal: ended });
    paths.set(picture, path);
  };
  await mapBounded(pictures, framesFetchedAtOnce, signal, async (picture, ended) => {
    try {
      await take(picture, ended);
    } catch (error) {
      if (!isNoRoom(error) && !(error instanceof BlobNotFoundError)) throw error;
      roomless.push(picture);
    }
  });
  // Where there is room for one picture, all of them come through it.
  for (const picture of roomless) await take(picture, signal);
  return pictures.map((picture) => paths.get(picture) as string);
}

interface BroughtPicture {
  readonly index: number;
  readonly hash: string;
  readonly ending: string;
}

/**
 * Brings a picture here from the machines that its task's record names. That they are off for a while is no failure of
 * the film. While it is waited for them another result may come in use, as a substitute for one whose holders stay away
 * (SPEC R59): so it is looked again which one that is. Where none does, the film is given back: a substitute is made
 * for what waits, and a film that runs does not.
 */
async function bring(
  components: FilmComponents,
  context: TaskContext,
  { index, name }: Picture,
  signal: AbortSignal,
): Promise<BroughtPicture> {
  const job = context.job.id;
  const giveBackAt = components.clock.now() + workerLimits.framesWaitMs;
  for (;;) {
    const file = await pictureOnceKnown(components, context, { index, name });
    const plain = PLAIN_FORMATS.has(extname(file.name).toLowerCase());
    const [hash, ending] =
      plain || file.preview === undefined ? [file.blob, extname(file.name)] : [file.preview, '.webp'];
    try {
      const options = { ...waitingIn(context, signal), waitMaxMs: workerLimits.resultWaitMs };
      await components.content.ensure(hash, { job, task: index }, options);
      return { index, hash, ending };
    } catch (error) {
      if (!(error instanceof BlobUnreachableError)) throw error;
      if (components.clock.now() >= giveBackAt)
        throw new AttemptStopped(`No machine that holds ${name} can be reached.`, { cause: error });
    }
  }
}

/**
 * The coordinator may know of a result, and grant the film, before its record has come here: as where this machine was
 * cut off. That is no failure of the film either; it is stopped where the result is discarded meanwhile.
 */
async function pictureOnceKnown(
  { tasks, clock }: FilmComponents,
  { job, signal, progress }: TaskContext,
  task: Pick<Picture, 'index' | 'name'>,
): Promise<OutputFile> {
  for (;;) {
    const result = tasks.resultAtHand(job.id, task.index);
    if (result !== undefined) {
      const file = pictureOf(result.files);
      if (file === undefined) throw missingInput(`of ${task.name}`);
      return file;
    }
    progress({ fraction: 0, text: `Waits for the record of ${task.name}` });
    await clock.sleep(workerLimits.recordLookMs, { signal });
  }
}

/** A machine that is off for a while is no failure of the film. */
function waitingIn(context: TaskContext, signal: AbortSignal): EnsureOptions {
  return { signal, onWaiting: (text) => context.progress({ fraction: 0, text }) };
}

/** A frame's picture: the image, or its first view. */
function pictureOf(files: readonly OutputFile[]): OutputFile | undefined {
  return files.find(({ role }) => role === 'image') ?? files.find(({ role }) => role === 'view') ?? files[0];
}

async function gatherSound(components: FilmComponents, context: TaskContext, path: string): Promise<string> {
  const file = await bundleFile(components, context, path);
  if (file === undefined) throw missingInput(`of the sound ${path}`);
  const destination = join(context.folder, `sound${extname(path)}`);
  await components.content.ensure(file, { job: context.job.id }, waitingIn(context, context.signal));
  await components.blobs.materialize(file, destination, { signal: context.signal });
  return destination;
}

async function bundleFile(
  { blobs, content }: FilmComponents,
  context: TaskContext,
  path: string,
): Promise<string | undefined> {
  const { id: job, spec } = context.job;
  if (spec.bundle === undefined) return undefined;
  await content.ensure(spec.bundle, { job }, waitingIn(context, context.signal));
  const bytes = await blobs.read(spec.bundle, { maxBytes: BUNDLE_BYTES_MAX });
  return readBundle(bytes).files.find((file) => file.path === path)?.blob;
}
