import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { SceneError } from '../../node/src/render/scene/errors.ts';
import type { BundleLayout, SceneTrace } from '../../node/src/render/scene/interface.ts';
import { layoutBundle } from '../../node/src/render/scene/layout.ts';
import { preflight } from '../../node/src/render/scene/preflight.ts';
import { mixSound, traceScene } from '../../node/src/render/scene/tracer.ts';
import {
  type AwkwardSceneName,
  awkwardSceneNames,
  makeScenes,
  runScript,
} from '../../scripts/scenes/make.ts';

/** Real Blender on every awkward scene: carried whole and pixel-identical, or refused or flagged in a sentence. */

const blender = process.env.CUADRO_BLENDER ?? 'blender';
const clock = {
  after(delayMs: number, callback: () => void): () => void {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
const tools = { blender, clock };
const machine = {
  blenderVersion: '3.4.1',
  engines: ['CYCLES', 'BLENDER_EEVEE', 'BLENDER_WORKBENCH'],
  denoisers: [],
};

/** Scenes that render as they are; the others are refused or flagged. */
const carried = awkwardSceneNames.filter(
  (name) => !['no-camera', 'denoising', 'unbaked', 'garbage', 'truncated'].includes(name),
);

interface Job {
  name: string;
  blend: string;
  frames: number[];
  output: string;
  remap?: BundleLayout['remap'];
  directory?: string;
  hide?: string[];
}

interface Picture {
  name: string;
  hashes: string[];
  missing: string[];
  error?: string;
}

let root: string;
let blends: Map<AwkwardSceneName, string>;
const traces = new Map<AwkwardSceneName, SceneTrace>();

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'cuadro-scenes-'));
  blends = await makeScenes(awkwardSceneNames, join(root, 'scenes'), { blender });
});

after(async () => {
  await rm(root, { recursive: true, force: true });
});

async function render(jobs: readonly Job[]): Promise<Map<string, Picture>> {
  const [request, result] = [join(root, 'request.json'), join(root, 'result.json')];
  await writeFile(request, JSON.stringify(jobs));
  await runScript('compare.py', [request, result], { blender });
  const pictures = JSON.parse(await readFile(result, 'utf8')) as Picture[];
  return new Map(pictures.map((picture) => [picture.name, picture]));
}

async function traceOf(name: AwkwardSceneName): Promise<SceneTrace> {
  const known = traces.get(name);
  if (known) return known;
  const trace = await traceScene(tools, blends.get(name) ?? '');
  traces.set(name, trace);
  return trace;
}

function job(name: AwkwardSceneName, extra: Partial<Job> = {}): Job {
  const blend = blends.get(name) ?? '';
  return { name, blend, frames: [1, 3], output: join(root, 'out', name), ...extra };
}

test('every awkward scene, bundled and moved away from its files, renders the same pixels', async () => {
  const originals = await render(carried.map((name) => job(name)));
  const moved: Job[] = [];
  for (const name of carried) {
    const layout = layoutBundle(await traceOf(name));
    const directory = join(root, 'bundles', name);
    for (const file of layout.files) {
      await mkdir(dirname(join(directory, file.path)), { recursive: true });
      await cp(file.source, join(directory, file.path), { dereference: true });
    }
    moved.push(job(name, { blend: join(directory, layout.main), directory, remap: layout.remap }));
  }
  await rename(join(root, 'scenes'), join(root, 'away'));
  try {
    const pictures = await render(moved);
    for (const name of carried) {
      const [original, picture] = [originals.get(name), pictures.get(name)];
      assert.equal(original?.error, undefined, name);
      assert.equal(picture?.error, undefined, name);
      assert.equal(original?.hashes.length, 2, name);
      assert.deepEqual(picture?.hashes, original?.hashes, name);
      assert.equal(picture?.missing.length, original?.missing.length, name);
    }
  } finally {
    await rename(join(root, 'away'), join(root, 'scenes'));
  }
});

test('removing any one external file changes the picture or is reported', async () => {
  const originals = await render(carried.map((name) => job(name, { frames: [1, 2, 3, 4] })));
  const jobs: (Job & { scene: AwkwardSceneName; file: string })[] = [];
  for (const name of carried) {
    const files = (await traceOf(name)).references.flatMap((reference) => reference.found);
    for (const file of new Set(files)) {
      const unique = `${name}: ${file}`;
      jobs.push({ ...job(name, { hide: [file], frames: [1] }), name: unique, scene: name, file });
    }
  }
  assert.ok(jobs.length > 30, 'the scenes name many files');
  const pictures = await render(jobs);
  const unreported: string[] = [];
  for (const { name, scene, file } of jobs) {
    const picture = pictures.get(name);
    const changed = picture?.hashes[0] !== originals.get(scene)?.hashes[0];
    if (!picture?.missing.includes(file) && !changed) unreported.push(name);
  }
  assert.deepEqual(unreported, []);
});
