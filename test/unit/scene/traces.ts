import type { SceneFacts, SceneReference, SceneTrace } from '../../../node/src/render/scene/interface.ts';

/** Builders of traces for tables: what a test does not name is harmless. */

export function facts(over: Partial<SceneFacts> = {}): SceneFacts {
  return {
    name: 'Scene',
    camera: 'Camera',
    markerCameras: [],
    cameras: ['Camera'],
    frameStart: 1,
    frameEnd: 24,
    frameStep: 1,
    fps: 24,
    fpsBase: 1,
    resolutionX: 641,
    resolutionY: 359,
    resolutionPercentage: 100,
    engine: 'CYCLES',
    samples: 8,
    useDenoising: false,
    denoiser: null,
    compositorDenoise: false,
    output: {
      format: 'PNG',
      movie: false,
      colorMode: 'RGBA',
      colorDepth: '8',
      extension: '.png',
      written: '//frames/',
      template: '####.png',
    },
    multiview: false,
    views: [],
    compositing: false,
    fileOutputs: [],
    sequencer: false,
    sound: false,
    simulations: [],
    unknownNodes: [],
    ...over,
  };
}

export function reference(path: string, over: Partial<SceneReference> = {}): SceneReference {
  return {
    kind: 'image',
    span: 'single',
    name: 'Image',
    owner: '/proj/shots/main.blend',
    written: path,
    relative: false,
    path,
    found: [path],
    missing: [],
    essential: true,
    ...over,
  };
}

export function trace(over: Partial<SceneTrace> = {}): SceneTrace {
  return {
    version: 1,
    blend: '/proj/shots/main.blend',
    savedWith: [3, 4, 6],
    readWith: [3, 4, 1],
    activeScene: 'Scene',
    formats: ['PNG', 'JPEG', 'OPEN_EXR', 'FFMPEG'],
    scenes: [facts()],
    references: [],
    scripts: [],
    ...over,
  };
}
