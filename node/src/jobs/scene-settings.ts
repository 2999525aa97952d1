import {
  CuadroError,
  FRAME_NUMBER_LIMIT,
  NAME_LENGTH_MAX,
  formatFrames,
  type FindingView,
  type FrameRate,
  type SceneView,
} from '@cuadro/protocol';
import { previewLongSide } from '../render/limits.ts';
import type { BundleLayout, SceneFacts, SceneTrace } from '../render/scene/interface.ts';

/** Formats whose pictures a film takes as they are, and not their previews. */
const FILMED_AS_THEY_ARE: ReadonlySet<string> = new Set([
  'PNG',
  'JPEG',
  'WEBP',
  'TIFF',
  'BMP',
  'TARGA',
  'TARGA_RAW',
]);

/** Formats of one file for all frames, which a job of frames is not asked for. */
const MOVIES: ReadonlySet<string> = new Set(['FFMPEG', 'AVI_JPEG', 'AVI_RAW']);

/** The scene of a trace that a job renders: the named or the active one. */
export function chosenScene(trace: SceneTrace, wanted: unknown): SceneFacts {
  const name = typeof wanted === 'string' ? wanted : trace.activeScene;
  const scene = trace.scenes.find((entry) => entry.name === name);
  if (scene === undefined) {
    const why = `the file has no scene "${name}"; it has ${trace.scenes.map((entry) => `"${entry.name}"`).join(', ')}`;
    throw new CuadroError('settings-invalid', { type: 'blender-animation', why });
  }
  return scene;
}

/**
 * Judges what else the user chose of the file and of Blender: a wrong name would fail each frame on each machine.
 * @throws CuadroError `settings-invalid` for a camera that the scene has not, or a format that this Blender writes not.
 */
export function checkChoices(
  trace: SceneTrace,
  scene: SceneFacts,
  { camera, format }: Readonly<Record<string, unknown>>,
): void {
  const refuse = (why: string): never => {
    throw new CuadroError('settings-invalid', { type: 'blender-animation', why });
  };
  if (typeof camera === 'string' && !scene.cameras.includes(camera)) {
    const cameras = scene.cameras.map((name) => `"${name}"`).join(', ');
    refuse(`the scene "${scene.name}" has no camera "${camera}"; it has ${cameras || 'none'}`);
  }
  if (typeof format === 'string' && !trace.formats.includes(format)) {
    const formats = trace.formats.filter((name) => !MOVIES.has(name)).join(', ');
    refuse(`this Blender writes no ${format}; it writes ${formats}`);
  }
}

/** Frames a second as Blender keeps them: `fps / fps_base`. */
export function frameRate(scene: SceneFacts): FrameRate {
  return { numerator: scene.fps, denominator: scene.fpsBase };
}

/** Settings of a job as the user gave them, completed by what the scene says. */
export function completeSettings(
  scene: SceneFacts,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const range = {
    start: scene.frameStart,
    end: Math.max(scene.frameStart, scene.frameEnd),
    step: scene.frameStep,
  };
  const denoises = scene.useDenoising && scene.denoiser !== null;
  return {
    frames: formatFrames([{ ...range, end: lastFrame(range) }]),
    rate: frameRate(scene),
    // Every Blender has Eevee, by a name that changed in 4.2 and again in 5.0: asked for by one, others would wait.
    ...(!scene.engine.startsWith('BLENDER_EEVEE') && { renderEngine: scene.engine }),
    filmName: filmName(scene),
    ...(denoises && { denoiser: (scene.denoiser as string).toLowerCase() }),
    ...(scene.output.movie && { format: 'PNG' }),
    ...given,
  };
}

function lastFrame({ start, end, step }: { start: number; end: number; step: number }): number {
  return Math.min(FRAME_NUMBER_LIMIT, start + Math.floor((end - start) / step) * step);
}

/** The film is named after the frames: `shot_####.png` becomes `shot.mp4`, `shot_##_beauty.png` `shot_beauty.mp4`. */
export function filmName({ output: { template, extension } }: SceneFacts): string {
  // A scene from Windows names its drive and folders too, which are no part of a name here (SPEC R62).
  const name = template.replace(/^.*[/\\:]/, '');
  // Only the last run stands for the number, as in Blender.
  const run = /#+(?=[^#]*$)/.exec(name);
  const before = run === null ? '' : name.slice(0, run.index).replace(/[-_. ]+$/, '');
  const after = (run === null ? name : name.slice(run.index + run[0].length)).replace(/\.[^.]*$/, '');
  const joined = before === '' ? after.replace(/^[-_. ]+/, '') : before + after;
  // An extension that the user gave himself stands before the number.
  const isTwice = extension !== '' && joined.endsWith(extension);
  const base = (isTwice ? joined.slice(0, -extension.length) : joined).replace(/[-_. ]+$/, '');
  return `${base.slice(0, NAME_LENGTH_MAX - '.mp4'.length) || 'film'}.mp4`;
}

/** What to know of the film that a job would make. */
export function filmFindings(scene: SceneFacts, settings: Readonly<Record<string, unknown>>): FindingView[] {
  const format = typeof settings['format'] === 'string' ? settings['format'] : scene.output.format;
  const percent = Number(settings['resolutionPercent'] ?? scene.resolutionPercentage);
  const longSide = (Math.max(scene.resolutionX, scene.resolutionY) * percent) / 100;
  if (settings['film'] === false || FILMED_AS_THEY_ARE.has(format) || longSide <= previewLongSide) return [];
  const message = `The film will be at most ${previewLongSide} pixels wide or high: frames in ${format} are shown in it by their previews. The frames themselves keep their size.`;
  return [{ code: 'film-from-previews', severity: 'note', message, subject: format }];
}

/** What the API tells of a scene before it is submitted. */
export function sceneView(
  trace: SceneTrace,
  scene: SceneFacts,
  layout: BundleLayout,
  sizeBytes: number,
): SceneView {
  const scale = scene.resolutionPercentage / 100;
  return {
    path: trace.blend,
    scenes: trace.scenes.map(({ name }) => name),
    scene: scene.name,
    cameras: scene.cameras,
    ...(scene.camera !== null && { camera: scene.camera }),
    frames: { start: scene.frameStart, end: scene.frameEnd, step: scene.frameStep },
    rate: frameRate(scene),
    width: Math.max(1, Math.trunc(scene.resolutionX * scale)),
    height: Math.max(1, Math.trunc(scene.resolutionY * scale)),
    engine: scene.engine,
    format: scene.output.format,
    movie: scene.output.movie,
    files: layout.files.length,
    sizeBytes,
    missing: trace.references.flatMap(({ missing }) => missing),
  };
}
