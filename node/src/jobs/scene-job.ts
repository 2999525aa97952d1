import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CuadroError,
  encode,
  eachFrame,
  isErrorCode,
  parseFrames,
  type BlobHash,
  type Bundle,
  type FindingView,
  type PreflightView,
  type RouteBody,
} from '@cuadro/protocol';
import { mapBounded } from '../blobs/gate.ts';
import type { BlobStore } from '../blobs/interface.ts';
import { storeTree } from '../blobs/tree.ts';
import type { BundleLayout, MachineCapabilities, SceneFacts, SceneTrace } from '../render/scene/interface.ts';
import { SceneError } from '../render/scene/errors.ts';
import { layoutBundle } from '../render/scene/layout.ts';
import { preflight } from '../render/scene/preflight.ts';
import { mixSound, traceScene, type SceneTools } from '../render/scene/tracer.ts';
import { versionToUse } from './able-machines.ts';
import { checkChoices, chosenScene, completeSettings, filmFindings, sceneView } from './scene-settings.ts';

/** Where the mixed sound lies in the bundle. */
const SOUND_PATH = '_cuadro/sound.flac';
/** Files that are looked at at the same time, for when they were written. */
const STAMPS_AT_ONCE = 16;
/** Frames that preflight looks at; a longer list is judged by its first ones and its last. */
const PREFLIGHT_FRAMES_MAX = 100_000;

export interface SceneJobComponents {
  blobs: BlobStore;
  /** Undefined where this machine has no Blender. */
  tools(): Promise<SceneTools | undefined>;
  /** What the farm's machines can do. */
  machines(): MachineCapabilities[];
}

/** A traced scene with what a job of it would be. */
export interface ExaminedScene {
  /** Of the .blend, from before it was read. */
  stamp: string;
  trace: SceneTrace;
  scene: SceneFacts;
  layout: BundleLayout;
  settings: Record<string, unknown>;
  findings: FindingView[];
}

/** Opens and judges a scene. @throws CuadroError for everything that keeps it from being read. */
export async function examineScene(
  components: SceneJobComponents,
  body: RouteBody<'submit'>,
  { signal }: { signal: AbortSignal },
): Promise<ExaminedScene> {
  if (body.path === undefined)
    throw new CuadroError('request-invalid', { why: 'a Blender job needs the path of a .blend file' });
  const given = body.settings ?? {};
  // Frames that can't be read are told before Blender is started for nothing.
  const { frames: text } = given;
  const frames = typeof text === 'string' ? parseFrames(text) : undefined;
  const tools = await components.tools();
  if (tools === undefined) throw new CuadroError('no-blender');
  const stamp = await stampOf(body.path);
  const trace = await traceScene(tools, body.path, { signal }).catch((error: unknown) => {
    throw sceneErrorOf(error, body.path as string);
  });
  const scene = chosenScene(trace, given['scene']);
  checkChoices(trace, scene, given);
  const machines = components.machines();
  const engineVersion = versionToUse(trace.savedWith, machines);
  const settings = completeSettings(scene, {
    ...(engineVersion !== undefined && { engineVersion }),
    ...given,
  });
  const findings = preflight(
    trace,
    {
      scene: scene.name,
      ...(typeof given['camera'] === 'string' && { camera: given['camera'] }),
      allowScripts: settings['allowScripts'] === true,
      ...(frames && { frames: firstFrames(frames) }),
      ...(typeof settings['denoise'] === 'boolean' && { denoise: settings['denoise'] }),
    },
    machines,
  ).map((finding): FindingView => ({ ...finding }));
  return {
    stamp,
    trace,
    scene,
    layout: layoutBundle(trace),
    settings,
    findings: [...findings, ...filmFindings(scene, settings)],
  };
}

function firstFrames(ranges: ReturnType<typeof parseFrames>): number[] {
  const frames: number[] = [];
  for (const frame of eachFrame(ranges)) {
    if (frames.length >= PREFLIGHT_FRAMES_MAX) break;
    frames.push(frame);
  }
  return frames;
}

/** The catalogue's error for a scene that could not be read. */
function sceneErrorOf(error: unknown, path: string): unknown {
  if (!(error instanceof SceneError)) return error;
  const code = error.code === 'blend-newer-version' ? 'blend-newer' : error.code;
  const known = isErrorCode(code) ? code : 'blend-unreadable';
  return new CuadroError(known, { path, why: error.message }, { cause: error });
}

/** Changes whenever a file is written; also where it is gone. */
const stampOf = (path: string): Promise<string> =>
  stat(path).then(
    ({ size, mtimeMs }) => `${size} ${mtimeMs}`,
    () => 'gone',
  );

/** Stamps of all files of a scene. */
const stampsOf = (
  { layout: { files } }: ExaminedScene,
  options: { signal: AbortSignal },
): Promise<string[]> => mapBounded(files, STAMPS_AT_ONCE, options.signal, ({ source }) => stampOf(source));

/**
 * Throws where a file of the scene was written since: half of the old and half of the new one would be stored, or
 * what was found in the .blend does not belong to it any more.
 */
async function refuseChanged(
  examined: ExaminedScene,
  before: readonly string[],
  options: { signal: AbortSignal },
): Promise<void> {
  const { trace, layout, stamp } = examined;
  const now = await stampsOf(examined, options);
  const changed = layout.files.find(
    ({ path, source }, i) =>
      now[i] !== before[i] || (path === layout.main && source === trace.blend && now[i] !== stamp),
  );
  if (changed === undefined) return;
  const why = `${changed.source} was written while the scene was being stored: submit it again once it is saved.`;
  throw new CuadroError('blend-unreadable', { path: changed.source, why });
}

/** The examination as the API answers it. */
export async function preflightView(examined: ExaminedScene): Promise<PreflightView> {
  const sizes = await Promise.all(
    examined.layout.files.map(({ source }) =>
      stat(source).then(
        (s) => s.size,
        () => 0,
      ),
    ),
  );
  const sizeBytes = sizes.reduce((sum, size) => sum + size, 0);
  return {
    ok: examined.findings.every(({ severity }) => severity !== 'error'),
    findings: examined.findings,
    scene: sceneView(examined.trace, examined.scene, examined.layout, sizeBytes),
  };
}

/** Mixes the scene's sound over the job's frames, where it has any and a film is wanted. */
async function mixScene(
  components: SceneJobComponents,
  examined: ExaminedScene,
  folder: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const tools = await components.tools();
  if (!examined.scene.sound || examined.settings['film'] === false || tools === undefined) return undefined;
  const ranges = parseFrames(String(examined.settings['frames']));
  // A film of every second frame has no sound that fits it.
  if (ranges.some(({ step, start, end }) => step > 1 && start !== end) || ranges.length > 1) return undefined;
  const [range] = ranges;
  if (range === undefined) return undefined;
  const output = join(folder, 'sound.flac');
  const request = {
    blend: examined.trace.blend,
    frameStart: range.start,
    frameEnd: range.end,
    output,
    scene: examined.scene.name,
  };
  return (await mixSound(tools, request, { signal })) ? output : undefined;
}

/**
 * Stores a scene with all its files and its sound, pinned for the job, durably. Returns the bundle's hash, and the
 * settings with the sound's place.
 */
export async function storeScene(
  components: SceneJobComponents,
  examined: ExaminedScene,
  options: { pin: string; signal: AbortSignal; onStep(step: 'sound' | 'storing'): void },
): Promise<{ bundle: BlobHash; settings: Record<string, unknown> }> {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-submit-'));
  const { pin, signal } = options;
  try {
    options.onStep('sound');
    const sound = await mixScene(components, examined, folder, signal);
    options.onStep('storing');
    const files =
      sound === undefined
        ? examined.layout.files
        : [...examined.layout.files, { path: SOUND_PATH, source: sound }];
    const before = await stampsOf(examined, { signal });
    const entries = await storeTree(components, files, { pin, signal });
    await refuseChanged(examined, before, { signal });
    const bundle: Bundle = {
      version: 1,
      main: examined.layout.main,
      files: entries.map(({ path, hash, sizeBytes }) => ({ path, blob: hash, sizeBytes })),
      remap: examined.layout.remap,
    };
    const stored = await components.blobs.putBytes(encode(bundle), { pin, signal });
    return {
      bundle: stored.hash,
      settings: { ...examined.settings, ...(sound !== undefined && { sound: SOUND_PATH }) },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
