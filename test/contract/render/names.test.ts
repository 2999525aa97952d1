import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { BlenderSessions, FrameFile } from '../../../node/src/render/interface.ts';
import { type Bench, createBench } from './harness.ts';
import { contentsBelow, contentsOf, framesFolder, type NamedScene, renderByBlender } from './named-scenes.ts';

/** Negative, the first, and more digits than the path has places for: all that a number can look like. */
const FRAMES = [-12, -1, 0, 1, 10_000, 100_000];
const FEW = [-1, 7, 10_000];

const EXR = 'OPEN_EXR_MULTILAYER';
/** Every other format that Blender writes pictures in. */
const FORMATS = [
  'BMP',
  'CINEON',
  'DPX',
  'HDR',
  'IRIS',
  'JPEG',
  'JPEG2000',
  'OPEN_EXR',
  'TARGA',
  'TARGA_RAW',
  'WEBP',
];
const scenes: readonly NamedScene[] = [
  { name: 'middle', path: '//middle/shot_##_beauty', frames: FRAMES },
  { name: 'nothing', path: '//nothing/plain', frames: FRAMES },
  { name: 'folder', path: '//folder/only/', frames: FRAMES },
  { name: 'in folders', path: '//in folders/run_##/##/f_#', frames: FEW },
  { name: 'several', path: '//several/a_##_b_###_c', frames: FEW },
  { name: 'wide', path: '//wide/#######', frames: FEW },
  { name: 'digits', path: '//digits/take10##', frames: FEW },
  { name: 'dots', path: '//dots/v1.2.#', frames: FEW },
  { name: 'given', path: '//given/frame.png', frames: FEW },
  { name: 'given alone', path: '//given alone/frame.png', extension: false, frames: FEW },
  { name: 'given behind', path: '//given behind/frame_####.png', frames: FEW },
  { name: 'another', path: '//another/frame_####.jpg', frames: FEW },
  { name: 'another tiff', path: '//another tiff/frame_##.exr', format: 'TIFF', frames: FEW },
  { name: 'none', path: '//none/frame_', extension: false, frames: FEW },
  { name: 'way', path: '//way/sub/../x_', frames: FEW },
  { name: 'back', path: '//back\\slashes\\x_', frames: FEW },
  { name: 'words', path: '//words/año ü: 100 %_', frames: FEW },
  { name: 'layers', path: '//layers/multi_', format: EXR, frames: FEW },
  { name: 'eyes', path: '//eyes/st_##', views: 'INDIVIDUAL', frames: FEW },
  { name: 'eyes dotted', path: '//eyes dotted/st.v2', views: 'INDIVIDUAL', extension: false, frames: FEW },
  { name: 'eyes hidden', path: '//eyes hidden/.st', views: 'INDIVIDUAL', extension: false, frames: FEW },
  { name: 'eyes beside', path: '//eyes beside/st_', views: 'STEREO_3D', frames: FEW },
  { name: 'eyes layers', path: '//eyes layers/st_', views: 'INDIVIDUAL', format: EXR, frames: FEW },
  { name: 'eyes in one', path: '//eyes in one/st_', views: 'MULTIVIEW', format: EXR, frames: FEW },
  // Blender writes no JPEG 2000 of fewer pixels.
  ...FORMATS.map((format) => ({ name: format, path: `//${format}/f_##`, format, size: 32, frames: [-1, 7] })),
  {
    name: 'nodes',
    path: '//nodes/f_',
    nodes: [
      ['//nodes/passes/', 'd_##_x', 'PNG'],
      ['//nodes/', 'sub/z', 'OPEN_EXR'],
      ['//nodes/multi_#', 'Layer', EXR],
      ['//nodes/p_##', 'Image', 'JPEG'],
      ['//nodes/deep/', '../up_', 'PNG'],
    ],
    frames: FEW,
  },
  {
    name: 'nodes bare',
    path: '//nodes bare/f_',
    extension: false,
    views: 'INDIVIDUAL',
    nodes: [['//nodes bare/passes.v1/', 'd', 'PNG']],
    frames: FEW,
  },
];

describe('names of frames', () => {
  let bench: Bench;
  let sessions: BlenderSessions;
  let directory: string;

  before(async () => {
    bench = await createBench();
    directory = join(bench.root, 'scenes', 'names');
    await mkdir(directory);
    await renderByBlender(directory, [...scenes, collision]);
    sessions = await bench.sessions();
  });
  after(() => bench.close());

  const rendered = async ({ name, frames }: NamedScene): Promise<FrameFile[]> => {
    const files: FrameFile[] = [];
    for (const frame of frames) {
      const outputDirectory = join(bench.root, 'rendered', name, String(frame));
      await mkdir(outputDirectory, { recursive: true });
      const tree = { directory, blendFile: 'names.blend', key: 'names', remap: [] };
      const settings = { allowScripts: false, sceneName: name };
      const request = { scene: tree, frame, settings, outputDirectory };
      files.push(...(await bench.render(sessions, request)).files);
    }
    return files;
  };

  for (const scene of scenes) {
    const { name, path, format = 'PNG', extension = true, views } = scene;
    const what = [path, format, extension ? '' : 'without extensions', views ?? '']
      .filter(Boolean)
      .join(', ');
    it(`of the scene "${name}" are Blender's own, and so is every byte: ${what}`, async () => {
      const expected = await contentsBelow(framesFolder(directory, scene));
      const ours = await contentsOf(await rendered(scene));
      assert.deepEqual([...ours.keys()].sort(), [...expected.keys()].sort());
      assert.ok(ours.size >= scene.frames.length, 'a file for each frame at least');
      for (const [file, content] of expected) assert.ok(ours.get(file) === content, `${file} differs`);
    });
  }

  // Blender writes the node's files beside the scene, and the frames below it, under the same name.
  const collision: NamedScene = {
    name: 'collision',
    path: '//collision/f_',
    nodes: [['//', 'f_', 'PNG']],
    frames: [3],
  };

  it('keep apart what a node writes under the name of a frame, in a folder without a name', async () => {
    const files = await rendered(collision);
    assert.deepEqual(
      files.map(({ role, name }) => `${role} ${name}`),
      ['image f_0003.png', 'compositor output-2/f_0003.png'],
    );
  });
});
