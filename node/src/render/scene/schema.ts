import { z } from 'zod';
import type { SceneTrace } from './interface.ts';

/** The JSON that node/blender/trace.py writes, checked before anything is built on it. */

const version = z.tuple([z.number().int(), z.number().int(), z.number().int()]);

const reference = z.object({
  kind: z.enum([
    'image',
    'movie-clip',
    'library',
    'font',
    'sound',
    'strip',
    'volume',
    'cache-file',
    'mesh-cache',
    'simulation-cache',
    'light-profile',
    'shader-script',
    'text',
    'other',
  ]),
  span: z.enum(['single', 'sequence', 'tiles', 'folder']),
  name: z.string(),
  owner: z.string(),
  written: z.string(),
  relative: z.boolean(),
  path: z.string(),
  found: z.array(z.string()),
  missing: z.array(z.string()),
  essential: z.boolean(),
});

const output = z.object({
  format: z.string(),
  movie: z.boolean(),
  colorMode: z.string(),
  colorDepth: z.string(),
  extension: z.string(),
  written: z.string(),
  template: z.string(),
});

const simulation = z.object({
  kind: z.enum(['fluid', 'cloth', 'soft-body', 'particles', 'rigid-body', 'dynamic-paint', 'geometry-nodes']),
  object: z.string(),
});

const scene = z.object({
  name: z.string(),
  camera: z.string().nullable(),
  markerCameras: z.array(z.string()),
  cameras: z.array(z.string()),
  frameStart: z.number().int(),
  frameEnd: z.number().int(),
  frameStep: z.number().int().positive(),
  fps: z.number().positive(),
  fpsBase: z.number().positive(),
  resolutionX: z.number().int().positive(),
  resolutionY: z.number().int().positive(),
  resolutionPercentage: z.number().positive(),
  engine: z.string(),
  samples: z.number().int().nullable(),
  useDenoising: z.boolean(),
  denoiser: z.string().nullable(),
  compositorDenoise: z.boolean(),
  output,
  multiview: z.boolean(),
  views: z.array(z.object({ name: z.string(), suffix: z.string() })),
  compositing: z.boolean(),
  fileOutputs: z.array(
    z.object({ name: z.string(), basePath: z.string(), slots: z.array(z.string()), format: z.string() }),
  ),
  sequencer: z.boolean(),
  sound: z.boolean(),
  simulations: z.array(simulation),
  unknownNodes: z.array(z.string()),
});

const trace: z.ZodType<SceneTrace> = z.object({
  version: z.literal(1),
  blend: z.string(),
  savedWith: version,
  readWith: version,
  activeScene: z.string(),
  formats: z.array(z.string()),
  scenes: z.array(scene).min(1),
  references: z.array(reference),
  scripts: z.array(z.object({ kind: z.enum(['driver', 'text']), name: z.string(), code: z.string() })),
});

const failure = z.object({ ok: z.literal(false), code: z.string(), message: z.string() });

/** The answer to a request of mode `trace`. */
export const traceResult = z.union([z.object({ ok: z.literal(true), trace }), failure]);

/** The answer to a request of mode `sound`; `output` is null where the scene is silent. */
export const soundResult = z.union([
  z.object({ ok: z.literal(true), sound: z.object({ output: z.string().nullable() }) }),
  failure,
]);
