import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { SceneError } from '../../node/src/render/scene/errors.ts';
import type { BundleLayout, SceneTrace } from '../../node/src/render/scene/interface.ts';
import { createTraceKeeper } from '../../node/src/render/scene/keeper.ts';
import { layoutBundle } from '../../node/src/render/scene/layout.ts';
import { preflight } from '../../node/src/render/scene/preflight.ts';
import { mixSound, traceScene } from '../../node/src/render/scene/tracer.ts';
import { LocalFarm, type LocalNode, until } from '../../scripts/farm/local-farm.ts';
import { verifyCollected } from '../../scripts/farm/verify.ts';
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
  (name) =>
    !['no-camera', 'denoising', 'foreign-engine', 'unbaked', 'greedy', 'garbage', 'truncated'].includes(name),
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

/** Pictures that something else has rendered. */
interface Rendered {
  name: string;
  pictures: string[];
}

interface Picture {
  name: string;
  hashes: string[];
  missing: string[];
  error?: string;
}

let root: string;
let blends: Map<AwkwardSceneName, string>;
const traces = new Map<AwkwardSceneName, Promise<SceneTrace>>();

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'cuadro-scenes-'));
  blends = await makeScenes(awkwardSceneNames, join(root, 'scenes'), { blender });
});

after(async () => {
  await rm(root, { recursive: true, force: true });
});

async function render(jobs: readonly (Job | Rendered)[]): Promise<Map<string, Picture>> {
  const [request, result] = [join(root, 'request.json'), join(root, 'result.json')];
  await writeFile(request, JSON.stringify(jobs));
  await runScript('compare.py', [request, result], { blender });
  const pictures = JSON.parse(await readFile(result, 'utf8')) as Picture[];
  return new Map(pictures.map((picture) => [picture.name, picture]));
}

/** Each scene is traced once, in a Blender of its own. */
function traceOf(name: AwkwardSceneName): Promise<SceneTrace> {
  const known = traces.get(name);
  if (known) return known;
  const trace = traceScene(tools, blends.get(name) ?? '');
  traces.set(name, trace);
  return trace;
}

/** Traces two scenes at a time, because Blender's start uses one core. */
async function traceAll(names: readonly AwkwardSceneName[]): Promise<void> {
  const queue = [...names];
  const run = async (): Promise<void> => {
    for (let name = queue.shift(); name; name = queue.shift()) await traceOf(name);
  };
  await Promise.all([run(), run()]);
}

function job(name: AwkwardSceneName, extra: Partial<Job> = {}): Job {
  const blend = blends.get(name) ?? '';
  return { name, blend, frames: [1, 3], output: join(root, 'out', name), ...extra };
}

let baseline: Promise<Map<string, Picture>> | undefined;

/** What one Blender makes of the scenes where they were made, with nothing of ours between. */
function renderedDirectly(): Promise<Map<string, Picture>> {
  baseline ??= render(carried.map((name) => job(name)));
  return baseline;
}

test('every awkward scene, bundled and moved away from its files, renders the same pixels', async () => {
  const originals = await renderedDirectly();
  await traceAll(awkwardSceneNames.filter((name) => !['garbage', 'truncated'].includes(name)));
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
    // The control: without the rewriting of paths, what is named absolutely is not found.
    const bare = moved.filter(({ remap }) => remap?.length).map((entry) => ({ ...entry, remap: [] }));
    const unmapped = await render(bare);
    assert.ok(bare.length >= 4, 'several scenes name files absolutely');
    for (const { name } of bare)
      assert.notDeepEqual(unmapped.get(name)?.hashes, originals.get(name)?.hashes, name);
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

test('three nodes that share no folder render every awkward scene to the same pixels, its own files away', async () => {
  const originals = await renderedDirectly();
  const farm = await LocalFarm.open({ folder: join(root, 'farm'), nodes: 3 });
  const away = join(root, 'away');
  try {
    const [submitter] = farm.nodes as [LocalNode];
    const { client } = submitter;
    const ids = new Map<AwkwardSceneName, string>();
    for (const name of carried) {
      const settings = { frames: '1,3', film: false };
      const body = { path: blends.get(name) ?? '', name, settings, paused: true };
      ids.set(name, (await client.call('submit', { body })).job.id);
    }
    // From here on nothing can be read where the scenes say that it is.
    await rename(join(root, 'scenes'), away);
    for (const id of ids.values())
      await client.call('setJob', { params: { job: id }, body: { desired: 'active' } });
    const machines = new Set<string>();
    const rendered: Rendered[] = [];
    for (const [name, id] of ids) {
      await until(`${name} to be done`, async () => {
        const { state, reason } = await client.call('job', { params: { job: id } });
        assert.ok(!['failed', 'skipped', 'canceled'].includes(state), `${name}: ${state} ${reason ?? ''}`);
        return state === 'done';
      });
      await verifyCollected(submitter, id);
      const { outputFolder } = await client.call('job', { params: { job: id } });
      const { tasks } = await client.call('tasks', { params: { job: id } });
      for (const { machine } of tasks) machines.add(machine ?? '');
      const pictures = tasks.flatMap(({ files }) => files.filter(({ role }) => role === 'image'));
      rendered.push({ name, pictures: pictures.map((file) => join(outputFolder, file.name)) });
    }
    assert.deepEqual([...machines].sort(), farm.nodes.map(({ name }) => name).sort(), 'all three rendered');
    const pictures = await render(rendered);
    for (const name of carried)
      assert.deepEqual(pictures.get(name)?.hashes, originals.get(name)?.hashes, name);
  } finally {
    await farm.close();
    await rename(away, join(root, 'scenes')).catch(() => undefined);
  }
});

test('removing any one external file changes the picture or is reported', async () => {
  const originals = await render(carried.map((name) => job(name, { frames: [1, 2, 3, 4] })));
  const jobs: (Job & { scene: AwkwardSceneName; file: string })[] = [];
  for (const name of carried) {
    const files = (await traceOf(name)).references.flatMap((reference) => reference.found);
    for (const file of new Set(files)) {
      const unique = `${name}: ${file}`;
      jobs.push({ ...job(name, { hide: [file], frames: [4] }), name: unique, scene: name, file });
    }
  }
  assert.ok(jobs.length > 30, 'the scenes name many files');
  const pictures = await render(jobs);
  const unreported: string[] = [];
  for (const { name, scene, file } of jobs) {
    const picture = pictures.get(name);
    const changed = picture?.hashes[0] !== originals.get(scene)?.hashes[3];
    if (!picture?.missing.includes(file) && !changed) unreported.push(name);
  }
  assert.deepEqual(unreported, []);
});

test('what cannot be rendered as it stands is refused, or flagged, in a sentence', async (t) => {
  const expected: [AwkwardSceneName, string, 'error' | 'warning' | 'note', RegExp][] = [
    ['no-camera', 'no-camera', 'error', /no active camera: add a camera/],
    ['denoising', 'denoiser-unavailable', 'error', /OpenImageDenoise.*--no-denoise/],
    ['foreign-engine', 'engine-unavailable', 'error', /DUENDE/],
    ['missing-texture', 'missing-file', 'warning', /wood\.png/],
    [
      'script-driven',
      'scripts-blocked',
      'warning',
      /Text "rig\.py", Object "Puppet" location\[2\]\..*--allow-scripts/,
    ],
    ['unbaked', 'unbaked-simulation', 'warning', /“Flag” is not baked/],
    ['movie-output', 'movie-output', 'note', /PNG frames/],
    ['compositor', 'file-output', 'note', /File Output.*are collected/],
  ];
  for (const [name, code, severity, message] of expected) {
    await t.test(name, async () => {
      const findings = preflight(await traceOf(name), {}, [machine]);
      assert.deepEqual(
        findings.map((finding) => [finding.code, finding.severity]),
        [[code, severity]],
      );
      assert.match(findings[0]?.message ?? '', message);
    });
  }
  for (const name of [
    'plain',
    'packed',
    'udim',
    'library-absolute',
    'baked',
    'sound',
    'non-ascii',
  ] as const) {
    await t.test(`${name} has nothing to say`, async () => {
      assert.deepEqual(preflight(await traceOf(name), {}, [machine]), []);
    });
  }
});

test('a .blend that is none, or is damaged, is refused with a code', async (t) => {
  const cases: [string, string, string][] = [
    ['garbage', blends.get('garbage') ?? '', 'blend-garbage'],
    ['truncated', blends.get('truncated') ?? '', 'blend-garbage'],
    ['missing', join(root, 'none.blend'), 'blend-missing'],
    ['a folder', root, 'blend-not-a-file'],
  ];
  for (const [name, path, code] of cases) {
    await t.test(name, async () => {
      await assert.rejects(traceScene(tools, path), (error: SceneError) => {
        assert.ok(error instanceof SceneError);
        assert.equal(error.code, code);
        assert.ok(error.message.includes(path));
        return true;
      });
    });
  }
  await t.test('no Blender', async () => {
    const without = { ...tools, blender: join(root, 'no-blender') };
    await assert.rejects(traceScene(without, blends.get('plain') ?? ''), { code: 'no-blender' });
  });
  await t.test('aborted', async () => {
    const signal = AbortSignal.timeout(300);
    await assert.rejects(traceScene(tools, blends.get('plain') ?? '', { signal }), { name: 'TimeoutError' });
  });
});

test('a Blender that is kept reads each scene as a new one does, whatever it read before', async (t) => {
  const keeper = createTraceKeeper({ clock }, { blender });
  t.after(() => keeper.stop());
  const kept = { ...tools, keeper };
  const whole = awkwardSceneNames.filter((name) => name !== 'garbage' && name !== 'truncated');
  for (const name of [...whole, ...whole.toReversed()]) {
    await assert.rejects(traceScene(kept, blends.get('garbage') ?? ''), { code: 'blend-garbage' });
    assert.deepEqual(await traceScene(kept, blends.get(name) ?? ''), await traceOf(name), name);
  }
});

test('a scene that names folders, devices and pipes as its files takes none of them along', async () => {
  const trace = await traceOf('greedy');
  const carriedFiles = layoutBundle(trace).files.map((file) => file.source);
  assert.ok(carriedFiles.some((file) => file.endsWith('wood.png')));
  assert.deepEqual(
    carriedFiles.filter((file) => /letter|keys|zero|pipe/.test(file)),
    [],
  );
  const missing = trace.references.flatMap((reference) => reference.missing);
  assert.ok(missing.includes('/dev/zero'));
});

test('facts of a scene are what the scene says', async () => {
  const { scenes, activeScene, readWith } = await traceOf('sound');
  assert.equal(activeScene, 'Scene');
  assert.equal(readWith.length, 3);
  const [scene] = scenes;
  assert.ok(scene?.sound);
  assert.deepEqual([scene.fps, scene.frameStart, scene.frameEnd], [30, 1, 12]);
  assert.ok(Math.abs(scene.fps / scene.fpsBase - 29.97) < 0.01);
  assert.deepEqual(
    [scene.resolutionX, scene.resolutionY, scene.engine, scene.samples],
    [96, 54, 'CYCLES', 2],
  );
  assert.equal(scene.output.template, 'frame_####.png');
  const movie = (await traceOf('movie-output')).scenes[0];
  assert.ok(movie?.output.movie);
  assert.equal((await traceOf('multilayer-exr')).scenes[0]?.output.extension, '.exr');
  assert.equal((await traceOf('plain')).scenes[0]?.sound, false);
});

test('the sound of a frame range is mixed, in its length', async () => {
  const output = join(root, 'mix.wav');
  const blend = blends.get('sound') ?? '';
  assert.equal(await mixSound(tools, { blend, frameStart: 1, frameEnd: 12, output }), true);
  const wav = await readFile(output);
  assert.equal(wav.toString('latin1', 0, 4), 'RIFF');
  const [rate, bytesPerFrame] = [wav.readUInt32LE(24), wav.readUInt16LE(32)];
  const seconds = (wav.length - 44) / bytesPerFrame / rate;
  // Blender rounds up to its block of 1024 samples.
  assert.ok(Math.abs(seconds - (12 * 1.001) / 30) < 1024 / rate, `${seconds} s`);
  const peak = Math.max(...Array.from({ length: 4096 }, (_, index) => wav.readInt16LE(44 + 2 * index)));
  assert.ok(peak > 3000, 'the tone is heard');
  const silent = {
    blend: blends.get('plain') ?? '',
    frameStart: 1,
    frameEnd: 4,
    output: join(root, 'none.wav'),
  };
  assert.equal(await mixSound(tools, silent), false);
});
