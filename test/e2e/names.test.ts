import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { JobView, SubmittedView } from '../../protocol/src/index.ts';
import {
  contentsBelow,
  framesFolder,
  type NamedScene,
  renderByBlender,
} from '../contract/render/named-scenes.ts';
import { collected, House, jobIn, type NodeProcess, tasksOf } from './support/house.ts';
import { filesBelow, probeFilm } from './support/media.ts';

/** What lies in a job's folder in the end is what Blender's own command line writes, name by name and byte by byte. */

/** Each with the name that its film has. */
const scenes: readonly (NamedScene & { film: string })[] = [
  {
    name: 'passes',
    path: '//passes/shot_##_beauty',
    nodes: [
      ['//passes/depth/', 'd_#', 'PNG'],
      ['//passes/all_', 'Layer', 'OPEN_EXR_MULTILAYER'],
    ],
    frames: [-1, 0, 10_000],
    film: 'shot_beauty.mp4',
  },
  { name: 'given', path: '//given/frame.png', extension: false, frames: [1, 2], film: 'frame.mp4' },
  {
    name: 'eyes',
    path: '//eyes/st_',
    views: 'INDIVIDUAL',
    extension: false,
    nodes: [['//eyes/extra/', 'e', 'PNG']],
    frames: [1, 2],
    film: 'st.mp4',
  },
  {
    name: 'layers',
    path: '//layers/st_',
    format: 'OPEN_EXR_MULTILAYER',
    views: 'MULTIVIEW',
    frames: [1, 2, 3],
    film: 'st.mp4',
  },
];

let house: House;
let node: NodeProcess;
let direct: string;
const jobs = new Map<string, JobView>();

before(async () => {
  house = await House.open();
  direct = join(house.root, 'direct');
  await mkdir(direct);
  [node] = await Promise.all([house.node(), renderByBlender(direct, scenes)]);
  for (const { name, frames } of scenes) {
    const settings = { scene: name, frames: frames.join(',') };
    const body = { path: join(direct, 'names.blend'), name, settings };
    const submitted: SubmittedView = await node.client.call('submit', { body });
    jobs.set(name, submitted.job);
  }
});

after(() => house.close());

for (const scene of scenes) {
  test(`the scene "${scene.name}" leaves what Blender leaves, a film beside it, and nothing else`, async () => {
    const { id, outputFolder } = jobs.get(scene.name) as JobView;
    const ended = await jobIn(node.client, id, ['done', 'failed']);
    assert.equal(ended.state, 'done', ended.reason);
    await collected(node.client, id);
    const [expected, ours] = [
      await contentsBelow(framesFolder(direct, scene)),
      await contentsBelow(outputFolder),
    ];
    const names = [...expected.keys(), scene.film].sort();
    assert.deepEqual([...ours.keys()].sort(), names);
    for (const [name, content] of expected) assert.ok(ours.get(name) === content, `${name} differs`);
    assert.equal((await probeFilm(join(outputFolder, scene.film))).frames, scene.frames.length);
    const tasks = await tasksOf(node.client, id);
    const shown = tasks.flatMap(({ files }) => files.map(({ name }) => name));
    assert.deepEqual(shown.sort(), names, 'the dashboard and the command line name them so');
    assert.ok(
      tasks.every(({ name, thumbnail }) => name === 'film' || thumbnail !== undefined),
      'each frame has a small picture',
    );
  });

  test(`the scene "${scene.name}" is fetched to another folder under the same names`, async () => {
    const { id, outputFolder } = jobs.get(scene.name) as JobView;
    const to = house.fresh('fetched');
    await house.json(['fetch', id, '--to', to]);
    assert.deepEqual(await filesBelow(to), await filesBelow(outputFolder));
  });
}
