import assert from 'node:assert/strict';
import { stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { type ExaminedScene, storeScene } from '../../../node/src/jobs/scene-job.ts';
import { contentOf, newStore, temporaryFolder } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';

/** A scene of a .blend and a texture, and its store; `meanwhile` happens while its files are stored. */
async function sceneOf(
  test: TestContext,
  meanwhile: (paths: { blend: string; texture: string }) => Promise<void>,
) {
  const folder = temporaryFolder();
  const real = newStore(join(folder.path, 'data'));
  await real.start();
  test.after(async () => {
    await real.stop();
    await folder.remove();
  });
  const paths = { blend: join(folder.path, 'shot.blend'), texture: join(folder.path, 'wood.tga') };
  for (const [i, path] of Object.values(paths).entries()) {
    await writeFile(path, contentOf(i, 1_000));
    await utimes(path, 1_000, 1_000);
  }
  const { size, mtimeMs } = await stat(paths.blend);
  const examined = {
    stamp: `${size} ${mtimeMs}`,
    trace: { blend: paths.blend },
    scene: { sound: false },
    settings: {},
    layout: {
      main: 'shot.blend',
      files: [
        { path: 'shot.blend', source: paths.blend },
        { path: 'wood.tga', source: paths.texture },
      ],
      remap: [],
    },
  } as unknown as ExaminedScene;
  const blobs = disguised(real, {
    putMany: async (sources, options) => {
      const stored = await real.putMany(sources, options);
      await meanwhile(paths);
      return stored;
    },
  });
  const components = { blobs, tools: () => Promise.resolve(undefined), machines: () => [] };
  const { signal } = new AbortController();
  return {
    ...paths,
    examined,
    store: () => storeScene(components, examined, { pin: 'job', signal, onStep() {} }),
  };
}

it('a scene is stored where nobody writes to it', async (test) => {
  const { store } = await sceneOf(test, async () => undefined);
  assert.match((await store()).bundle, /^[0-9a-f]{64}$/);
});

it('a scene of which a texture is painted anew while it is stored is refused', async (test) => {
  const { texture, store } = await sceneOf(test, ({ texture: path }) => writeFile(path, contentOf(9, 1_000)));
  await assert.rejects(store(), {
    code: 'blend-unreadable',
    message: `${texture} was written while the scene was being stored: submit it again once it is saved.`,
  });
});

it('a scene that was saved since it was read is refused', async (test) => {
  const { blend, store } = await sceneOf(test, async () => undefined);
  // What was found in it belongs to the file as it was.
  await writeFile(blend, contentOf(9, 1_000));
  await assert.rejects(store(), { code: 'blend-unreadable', message: /shot\.blend was written while/ });
});
