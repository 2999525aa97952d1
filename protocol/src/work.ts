import { z } from 'zod';
import { bundlePathSchema } from './bundle.ts';
import { FRAME_NUMBER_LIMIT, NAME_LENGTH_MAX, PATH_LENGTH_MAX } from './limits.ts';

/**
 * What a task asks of an engine (SPEC R71). `{frame}` stands for the task's number; a plan holds one work
 * template for a whole group.
 */
const path = z.string().min(1).max(PATH_LENGTH_MAX);
const name = z.string().min(1).max(NAME_LENGTH_MAX);

/** Frames of a film: a rate as Blender keeps it, `fps / fps_base`. */
export const frameRateSchema = z.object({
  numerator: z.number().positive(),
  denominator: z.number().positive(),
});
export type FrameRate = z.infer<typeof frameRateSchema>;

/** Render one frame of the bundle's scene with Blender. */
export const blenderFrameWorkSchema = z.looseObject({
  kind: z.literal('blender-frame'),
  /** Undefined means as in the scene. */
  scene: name.optional(),
  camera: name.optional(),
  samples: z.int().min(1).max(1_000_000).optional(),
  resolutionPercent: z.int().min(1).max(1_000).optional(),
  /** An image format; always set where the scene's own is a movie. */
  format: z.string().max(32).optional(),
  allowScripts: z.boolean(),
  /** Switch denoising off, where no machine has the denoiser and the submitter agreed. */
  denoise: z.boolean().optional(),
});

/** Join the images of an earlier group into a film with ffmpeg. */
export const filmWorkSchema = z.looseObject({
  kind: z.literal('film'),
  /** The group whose frames it joins. */
  frames: z.int().min(0),
  rate: frameRateSchema,
  /** The scene's mixed sound, a path in the bundle. */
  sound: bundlePathSchema.optional(),
  /** Name below the output folder. */
  output: bundlePathSchema,
});

/** Run a program once for each frame. `{frame}`, `{output}` and `{bundle}` are replaced in the arguments. */
export const commandWorkSchema = z.looseObject({
  kind: z.literal('command'),
  program: path,
  args: z.array(z.string().max(8_192)).max(256),
  timeoutMs: z.number().positive().optional(),
});

/** Say something and sleep: for trying a farm, and for measuring it. */
export const echoSleepWorkSchema = z.looseObject({
  kind: z.literal('echo-sleep'),
  message: z.string().max(2_000),
  sleepMs: z.number().min(0).max(86_400_000),
  /** Frames that fail on purpose, for trying what a failure looks like. */
  failFrames: z.array(z.int().min(-FRAME_NUMBER_LIMIT).max(FRAME_NUMBER_LIMIT)).max(1_000).optional(),
});

export const workSchema = z.discriminatedUnion('kind', [
  blenderFrameWorkSchema,
  filmWorkSchema,
  commandWorkSchema,
  echoSleepWorkSchema,
]);
export type Work = z.infer<typeof workSchema>;
export type BlenderFrameWork = z.infer<typeof blenderFrameWorkSchema>;
export type FilmWork = z.infer<typeof filmWorkSchema>;
export type CommandWork = z.infer<typeof commandWorkSchema>;
export type EchoSleepWork = z.infer<typeof echoSleepWorkSchema>;
