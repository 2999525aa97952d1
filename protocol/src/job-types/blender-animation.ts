import { z } from 'zod';
import { bundlePathSchema } from '../bundle.ts';
import { countFrames, parseFrames } from '../frames.ts';
import { NAME_LENGTH_MAX } from '../limits.ts';
import { frameRateSchema } from '../work.ts';
import type { PlanGroup } from '../plan.ts';
import type { JobType } from './interface.ts';
import { tagsSetting } from './tags.ts';

const name = z.string().min(1).max(NAME_LENGTH_MAX);

const settings = z.strictObject({
  frames: z.string().describe('Frames to render, such as 1-250, 1-10:2 or 1,3,7-9'),
  scene: name.optional().describe("A scene of the file, where it isn't the active one"),
  camera: name.optional().describe("A camera, where it isn't the scene's own"),
  samples: z.int().min(1).max(1_000_000).optional().describe("Samples, where they aren't the scene's"),
  resolutionPercent: z.int().min(1).max(1_000).optional().describe('Scale of the resolution in per cent'),
  format: z.string().max(32).optional().describe("Image format; set where the scene's own is a movie"),
  allowScripts: z
    .boolean()
    .default(false)
    .describe("Run the scene's own Python, on machines whose owners allow it"),
  denoise: z.boolean().optional().describe("Switch denoising on or off, where it isn't as in the scene"),
  order: z
    .enum(['sequential', 'coarse-to-fine'])
    .default('sequential')
    .describe('Coarse to fine: first, last, middle…'),
  film: z.boolean().default(true).describe('Join the frames into a film'),
  filmName: bundlePathSchema.max(NAME_LENGTH_MAX).default('film.mp4').describe('Name of the film'),
  rate: frameRateSchema.default({ numerator: 24, denominator: 1 }).describe('Frames per second'),
  sound: bundlePathSchema.optional().describe("The scene's mixed sound, a path in the bundle"),
  renderEngine: name.optional().describe("The scene's render engine, which a machine must have"),
  denoiser: name.optional().describe("The scene's denoiser, which a machine must have"),
  tags: tagsSetting,
  engineVersion: z.string().max(64).optional().describe('The exact Blender version to use'),
});

/** Frames by Blender, then a film with the scene's sound and rate. */
export const blenderAnimation: JobType<typeof settings> = {
  name: 'blender-animation',
  title: 'Blender animation',
  description: "Renders frames with Blender and joins them into a film with the scene's sound and rate.",
  needsScene: true,
  settings,
  compile: (s) => {
    const numbers = parseFrames(s.frames);
    const frames: PlanGroup = {
      name: 'frame',
      work: {
        kind: 'blender-frame',
        scene: s.scene,
        camera: s.camera,
        samples: s.samples,
        resolutionPercent: s.resolutionPercent,
        format: s.format,
        allowScripts: s.allowScripts,
        denoise: s.denoise,
      },
      numbers,
      after: [],
      requires: {
        engine: 'blender',
        engineVersion: s.engineVersion,
        renderEngine: s.renderEngine,
        denoiser: s.denoise === false ? undefined : s.denoiser,
        scripts: s.allowScripts || undefined,
        tags: s.tags,
      },
    };
    const film: PlanGroup = {
      name: 'film',
      work: { kind: 'film', frames: 0, rate: s.rate, sound: s.sound, output: s.filmName },
      numbers: [{ start: 1, end: 1, step: 1 }],
      after: [{ group: 0, match: 'all' }],
      requires: { engine: 'ffmpeg' },
    };
    const wantsFilm = s.film && countFrames(numbers) > 1;
    return { version: 1, order: s.order, groups: wantsFilm ? [frames, film] : [frames] };
  },
};
