import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  MachineCapabilities,
  PreflightRequest,
  SceneFacts,
  SceneTrace,
} from '../../../node/src/render/scene/interface.ts';
import { preflight } from '../../../node/src/render/scene/preflight.ts';
import { facts, reference, trace } from './traces.ts';

const plain: MachineCapabilities = {
  blenderVersion: '3.4.1',
  engines: ['CYCLES', 'BLENDER_EEVEE'],
  denoisers: [],
};
const able: MachineCapabilities = {
  blenderVersion: '4.5.2',
  engines: ['CYCLES', 'BLENDER_EEVEE_NEXT'],
  denoisers: ['OPENIMAGEDENOISE'],
};

interface Case {
  name: string;
  scene?: Partial<SceneFacts>;
  trace?: Partial<SceneTrace>;
  request?: PreflightRequest;
  machines?: MachineCapabilities[];
  /** `severity code` of each finding, in order. */
  expected: string[];
  message?: RegExp;
}

const simulation = { kind: 'cloth', object: 'Flag' } as const;
const script = { kind: 'text', name: 'Text "rig.py"', code: 'x' } as const;
const output = facts().output;

const cases: Case[] = [
  { name: 'a plain scene of an odd size', expected: [] },
  {
    name: 'no camera at all',
    scene: { camera: null, cameras: [] },
    expected: ['error no-camera'],
    message: /add a camera/,
  },
  {
    name: 'a camera that is not active',
    scene: { camera: null, cameras: ['Cam'] },
    expected: ['error no-camera'],
    message: /“Cam”/,
  },
  {
    name: 'a camera that is not active and asked for',
    scene: { camera: null, cameras: ['Cam'] },
    request: { camera: 'Cam' },
    expected: [],
  },
  { name: 'cameras bound to markers', scene: { camera: null, markerCameras: ['Cam'] }, expected: [] },
  { name: 'a sequencer needs no camera', scene: { camera: null, sequencer: true }, expected: [] },
  { name: 'frames within the range', request: { frames: [1, 24] }, expected: [] },
  {
    name: 'frames outside',
    request: { frames: [-2, -1, 24, 30] },
    expected: ['warning frames-outside'],
    message: /Frames -2--1, 30 lie outside the scene's range 1-24/,
  },
  {
    name: 'one frame outside',
    request: { frames: [25] },
    expected: ['warning frames-outside'],
    message: /Frame 25 lies/,
  },
  { name: 'no frames', request: { frames: [] }, expected: ['error no-frames'] },
  { name: 'a range upside down', scene: { frameStart: 10, frameEnd: 1 }, expected: ['error no-frames'] },
  { name: 'no machine', machines: [], expected: ['error no-machine'] },
  {
    name: 'an engine that none has',
    scene: { engine: 'DUENDE' },
    expected: ['error engine-unavailable'],
    message: /DUENDE/,
  },
  {
    name: 'an engine that one has',
    machines: [{ ...plain, engines: ['DUENDE'] }, plain],
    scene: { engine: 'DUENDE' },
    expected: [],
  },
  { name: 'Eevee under its other name', machines: [able], scene: { engine: 'BLENDER_EEVEE' }, expected: [] },
  {
    name: 'a denoiser that none has',
    scene: { useDenoising: true, denoiser: 'OPENIMAGEDENOISE' },
    expected: ['error denoiser-unavailable'],
    message: /Build without OpenImageDenoise.*--no-denoise/,
  },
  {
    name: 'a denoiser that one has',
    machines: [plain, able],
    scene: { useDenoising: true, denoiser: 'OPENIMAGEDENOISE' },
    expected: [],
  },
  {
    name: 'a denoiser on a machine without the engine',
    machines: [plain, { ...able, engines: ['LUX'] }],
    scene: { denoiser: 'OPENIMAGEDENOISE' },
    expected: ['error denoiser-unavailable'],
  },
  {
    name: 'denoising switched off',
    request: { denoise: false },
    scene: { denoiser: 'OPENIMAGEDENOISE' },
    expected: [],
  },
  {
    name: 'a Denoise node only leaves the noise',
    scene: { compositorDenoise: true },
    expected: ['warning denoiser-unavailable'],
    message: /noise/,
  },
  {
    name: 'a missing texture',
    trace: { references: [reference('/a.png', { found: [], missing: ['/a.png'] })] },
    expected: ['warning missing-file'],
    message: /\/a\.png \(image “Image”\)/,
  },
  {
    name: 'two missing tiles, named twice',
    trace: {
      references: [1, 2].map((n) =>
        reference('/a.<UDIM>.png', { name: `${n}`, span: 'tiles', missing: ['/a.1001.png', '/a.1002.png'] }),
      ),
    },
    expected: ['warning missing-file', 'warning missing-file'],
    message: /a part of/,
  },
  {
    name: 'most of a sequence, told once',
    trace: {
      references: [
        reference('/s.0001.png', {
          span: 'sequence',
          missing: Array.from({ length: 90_000 }, (_, index) => `/s.${index + 10_000}.png`),
        }),
      ],
    },
    expected: ['warning missing-file'],
    message: /^90000 files of image “Image” are missing, from \/s\.10000\.png to \/s\.99999\.png/,
  },
  {
    name: 'a missing text does no harm',
    trace: { references: [reference('/a.py', { kind: 'text', missing: ['/a.py'], essential: false })] },
    expected: [],
  },
  {
    name: 'a missing library',
    trace: { references: [reference('/l.blend', { kind: 'library', missing: ['/l.blend'] })] },
    expected: ['warning missing-library'],
  },
  {
    name: 'blocked scripts',
    trace: { scripts: [script] },
    expected: ['warning scripts-blocked'],
    message: /rig\.py.*--allow-scripts/,
  },
  { name: 'allowed scripts', trace: { scripts: [script] }, request: { allowScripts: true }, expected: [] },
  {
    name: 'an unbaked simulation',
    scene: { simulations: [simulation] },
    expected: ['warning unbaked-simulation'],
    message: /The cloth of “Flag”.*bake/,
  },
  {
    name: 'a movie as output',
    scene: { output: { ...output, movie: true, format: 'FFMPEG' } },
    expected: ['note movie-output'],
  },
  {
    name: "frames whose names some system takes for another drive's",
    scene: { output: { ...output, template: 'a:####.png' } },
    expected: ['error output-name'],
    message: /“a:####\.png”.*output path/,
  },
  {
    name: 'files that the compositor writes',
    scene: { fileOutputs: [{ name: 'Passes', basePath: '//passes/', slots: ['Image'], format: 'PNG' }] },
    expected: ['note file-output'],
    message: /\(.*Passes.*\): they are collected/,
  },
  {
    name: 'a newer Blender',
    trace: { savedWith: [4, 2, 0] },
    expected: ['warning newer-blender'],
    message: /4\.2.*3\.4/,
  },
  {
    name: 'one machine is new enough',
    trace: { savedWith: [4, 2, 0] },
    machines: [plain, able],
    expected: [],
  },
  { name: 'a subversion is no version', trace: { savedWith: [3, 4, 99] }, expected: [] },
  {
    name: 'another scene than the active one',
    request: { scene: 'B' },
    trace: { scenes: [facts({ camera: null, cameras: [] }), facts({ name: 'B' })] },
    expected: [],
  },
  { name: 'an unknown scene', request: { scene: 'C' }, expected: ['error no-scene'], message: /“Scene”/ },
  {
    name: 'errors come first, notes last',
    scene: { camera: null, output: { ...output, movie: true } },
    trace: { scripts: [script] },
    expected: ['error no-camera', 'warning scripts-blocked', 'note movie-output'],
  },
];

for (const entry of cases) {
  test(entry.name, () => {
    const scenes = entry.trace?.scenes ?? [facts(entry.scene)];
    const findings = preflight(
      trace({ ...entry.trace, scenes }),
      entry.request ?? {},
      entry.machines ?? [plain],
    );
    assert.deepEqual(
      findings.map(({ severity, code }) => `${severity} ${code}`),
      entry.expected,
    );
    if (entry.message) assert.match(findings[0]?.message ?? '', entry.message);
    for (const { message } of findings) assert.match(message, /^\S.*[^.]\.$/s, 'a whole sentence');
  });
}
