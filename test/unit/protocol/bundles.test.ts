import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  bundleSchema,
  compileJob,
  CuadroError,
  encode,
  isSafePath,
  jobType,
  outputFileSchema,
  PATH_LENGTH_MAX,
  workSchema,
  type Bundle,
} from '@cuadro/protocol';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { localContent } from '../../../node/src/blobs/source.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { filmName } from '../../../node/src/jobs/scene-settings.ts';
import type { SceneFacts } from '../../../node/src/render/scene/interface.ts';
import { keepFiles } from '../../../node/src/worker/outputs.ts';
import { SceneFolders } from '../../../node/src/worker/scenes.ts';

const HASH = '0a'.repeat(32);
const bundle = (changes: Partial<Record<keyof Bundle, unknown>> = {}): unknown => ({
  version: 1,
  main: 'shots/shot.blend',
  files: [{ path: 'shots/shot.blend', blob: HASH, sizeBytes: 9 }],
  remap: [{ from: '/home/ana/wood.png', to: 'absolute/wood.png' }],
  ...changes,
});

describe('bundles', () => {
  for (const [what, changes, good] of [
    ['a scene with its files', {}, true],
    ['a scene without absolute paths', { remap: [] }, true],
    ['one of an unknown version', { version: 2 }, false],
    ['one without a version', { version: undefined }, false],
    ['one that names no scene', { main: undefined }, false],
    ['a scene outside', { main: '../shot.blend' }, false],
    ['a file outside', { files: [{ path: '/etc/passwd', blob: HASH, sizeBytes: 9 }] }, false],
    ['a file that is no blob', { files: [{ path: 'a', blob: 'a', sizeBytes: 9 }] }, false],
    ['an absolute path that leads outside', { remap: [{ from: '/a', to: '../a' }] }, false],
  ] as const) {
    it(`R61: ${what} ${good ? 'is' : 'is not'} a bundle`, () => {
      assert.equal(bundleSchema.safeParse(bundle(changes)).success, good);
    });
  }

  it('R61: are blobs themselves, and a renderer rebuilds the same tree of them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cuadro-bundle-'));
    const blobs = createMemoryBlobStore();
    await blobs.start();
    try {
      const tree = {
        'shots/shot.blend': 'the scene',
        'textures/wood.png': 'wood',
        'absolute/0/wood.png': 'wood',
      };
      const files = await Promise.all(
        Object.entries(tree).map(async ([path, text]) => {
          const { hash, sizeBytes } = await blobs.putBytes(new TextEncoder().encode(text));
          return { path, blob: hash, sizeBytes };
        }),
      );
      const remap = [{ from: '/home/ana/wood.png', to: 'absolute/0/wood.png' }];
      const { hash } = await blobs.putBytes(encode({ version: 1, main: 'shots/shot.blend', files, remap }));
      const scenes = new SceneFolders(
        { blobs, content: localContent, random: createSystemRandom() },
        { folder },
      );
      const scene = await scenes.open(hash, {
        job: 'aaaaaaaaaaaaaaaa',
        signal: new AbortController().signal,
        progress: () => undefined,
      });
      for (const [path, text] of Object.entries(tree)) {
        assert.equal(await readFile(join(scene.directory, path), 'utf8'), text);
      }
      assert.equal(scene.bundle.main, 'shots/shot.blend');
      assert.deepEqual(scene.bundle.remap, remap);
      scene.release();
      const newer = await blobs.putBytes(encode({ version: 2, main: 'shots/shot.blend', files, remap }));
      await assert.rejects(
        scenes.open(newer.hash, {
          job: 'aaaaaaaaaaaaaaaa',
          signal: new AbortController().signal,
          progress: () => undefined,
        }),
        'of an unknown version',
      );
    } finally {
      await blobs.stop();
      await rm(folder, { recursive: true });
    }
  });
});

const SAFE = ['a', 'a.png', 'shots/010/shot.blend', '...', '..a/b..', 'a b/ñandú.png', 'ab:c', '-', 'x/C:'];
const UNSAFE = [
  ...['', '/', '/a', 'a/', 'a//b', '.', './a', 'a/.', 'a/./b', '..', '../a', 'a/..', 'a/../b'],
  ...['\\', 'a\\b', '..\\a', '\\\\host\\share', 'C:', 'C:/a', 'c:a', 'a:b', 'a\0', '\0'],
];

describe('paths', () => {
  const places: Record<string, (path: string) => boolean> = {
    'the scene of a bundle': (main) => bundleSchema.safeParse(bundle({ main })).success,
    'a file of a bundle': (path) =>
      bundleSchema.safeParse(bundle({ files: [{ path, blob: HASH, sizeBytes: 1 }] })).success,
    'an output': (name) =>
      outputFileSchema.safeParse({ name, blob: HASH, sizeBytes: 1, role: 'image' }).success,
    "a film's name": (output) =>
      workSchema.safeParse({ kind: 'film', frames: 0, rate: { numerator: 24, denominator: 1 }, output })
        .success,
  };
  for (const [place, takes] of Object.entries(places)) {
    it(`R62: as ${place} stay below their folder on every system`, () => {
      for (const path of SAFE) assert.ok(isSafePath(path) && takes(path), JSON.stringify(path));
      for (const path of UNSAFE) {
        assert.equal(isSafePath(path), false, JSON.stringify(path));
        assert.equal(takes(path), false, JSON.stringify(path));
      }
      assert.ok(takes('x'.repeat(PATH_LENGTH_MAX)));
      assert.equal(takes('x'.repeat(PATH_LENGTH_MAX + 1)), false);
    });
  }

  it('R62: that a person gives to a film are refused before the job is made', () => {
    const compile = (filmName: string) =>
      compileJob(jobType('blender-animation'), { frames: '1-2', filmName }).plan.groups.length;
    assert.equal(compile('cuts/shot.mp4'), 2);
    for (const name of ['../shot.mp4', '/shot.mp4', 'C:\\shot.mp4']) {
      assert.throws(
        () => compile(name),
        (error) =>
          error instanceof CuadroError && error.code === 'settings-invalid' && /filmName/.test(error.message),
      );
    }
  });

  for (const [template, name] of [
    ['shot_####.png', 'shot.mp4'],
    ['shot_##_beauty.png', 'shot_beauty.mp4'],
    ['##_beauty.png', 'beauty.mp4'],
    ['a_##_b_###.png', 'a_##_b.mp4'],
    ['v1.2_####.png', 'v1.2.mp4'],
    ['v1.2_####', 'v1.2.mp4'],
    ['frame.png####.png', 'frame.mp4'],
    ['frame.png####', 'frame.mp4'],
    ['shot_0001-0024.mkv', 'shot_0001-0024.mp4'],
    ['C:\\render\\shot_####.png', 'shot.mp4'],
    ['C:shot.####.exr', 'shot.mp4'],
    ['####.png', 'film.mp4'],
  ] as const) {
    it(`R62: a film of frames ${template} has one of these names`, () => {
      assert.equal(filmName({ output: { template, extension: '.png' } } as SceneFacts), name);
      assert.ok(isSafePath(name));
    });
  }

  it('R62: that a program left as output make no result', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cuadro-output-'));
    const blobs = createMemoryBlobStore();
    await blobs.start();
    try {
      const path = join(folder, 'file');
      await writeFile(path, 'x');
      const place = {
        job: 'aaaaaaaaaaaaaaaa',
        signal: new AbortController().signal,
      };
      await assert.rejects(keepFiles({ blobs }, [{ path, name: 'a\\b', role: 'file' }], place), {
        code: 'path-unsafe',
      });
      assert.equal(
        (await keepFiles({ blobs }, [{ path, name: 'a/b', role: 'file' }], place))[0]?.name,
        'a/b',
      );
    } finally {
      await blobs.stop();
      await rm(folder, { recursive: true });
    }
  });
});
