import assert from 'node:assert/strict';
import { readFile, truncate, writeFile, copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { JobView, SubmittedView } from '../../protocol/src/index.ts';
import { collected, House, jobIn, type NodeProcess } from './support/house.ts';
import { assertRefused, type Refusal } from './support/refusal.ts';

/** What is given wrongly is refused in one sentence, with the documented exit code, and leaves nothing behind. */

let house: House;
let node: NodeProcess;
let blend: string;

before(async () => {
  house = await House.open();
  [blend, node] = await Promise.all([house.scene(), house.node()]);
});

after(() => house.close());

const refused = (refusal: Refusal, data?: string): Promise<void> => assertRefused(house, node, refusal, data);

test('a .blend that is missing, garbage or cut', async (t) => {
  const place = (name: string): string => join(house.root, name);
  await writeFile(place('garbage.blend'), 'This is a letter, and not a scene.\n'.repeat(100));
  await writeFile(place('empty.blend'), '');
  await copyFile(blend, place('cut.blend'));
  await truncate(place('cut.blend'), 200_000);
  const cases: [name: string, path: string, exit: number, says: RegExp][] = [
    ['missing', place('none.blend'), 3, /There is no file .*none\.blend/],
    [
      'garbage',
      place('garbage.blend'),
      4,
      /garbage\.blend is not a \.blend file, or it is damaged: open it in Blender and save it again/,
    ],
    ['empty', place('empty.blend'), 4, /empty\.blend is empty: save the scene again/],
    ['cut', place('cut.blend'), 4, /cut\.blend is damaged and Blender cannot open it .*: save it again/],
    ['a folder', house.output, 4, /is not a file\. Give a \.blend file/],
  ];
  for (const [name, path, exit, says] of cases) {
    await t.test(name, async () => {
      await refused({ args: ['submit', path], exit, says });
      await refused({ args: ['preflight', path], exit, says });
    });
  }
});

test('a scene without a camera', async () => {
  const args = ['submit', await house.scene('no-camera')];
  await refused({ args, exit: 4, says: /has no active camera: add a camera/ });
});

test('frames that are no frames', async (t) => {
  const lists = ['10-1', 'a', '1-', '', ' ', '1-1000000000', '1,,3', '1-10:0', '1.5', '1-10:-2', '0x10'];
  for (const frames of lists) {
    await t.test(`"${frames}"`, async () => {
      await refused({
        args: ['submit', blend, `--frames=${frames}`],
        exit: 2,
        says: /The frames ".*" can't be used: /,
      });
      // The node itself refuses them too, for whoever doesn't come by the command line.
      await assert.rejects(node.client.call('submit', { body: { path: blend, settings: { frames } } }), {
        code: 'frames-invalid',
      });
    });
  }
});

test('frames that are frames, written as people write them', async (t) => {
  const lists: [frames: string, count: number][] = [
    ['1-10', 10],
    ['1-10:2', 5],
    ['-5-5', 11],
    ['1,3,7-9', 5],
    [' 1 , 3 , 7 - 9 ', 5],
    ['-3', 1],
    ['-5--2', 4],
    ['1-3,2-4', 4],
    ['1-1000000', 1_000_000],
  ];
  for (const [frames, count] of lists) {
    await t.test(`"${frames}"`, async () => {
      const args = ['submit', '--type', 'echo-sleep', '--paused', '--frames', frames];
      const { job } = await house.json<SubmittedView>(args);
      assert.equal(job.counts.total, count);
      await house.json(['delete', job.id]);
    });
  }
});

test('a missing texture is told by name, each, and the scene still renders', async () => {
  const folder = join(house.root, 'untextured');
  const whole = await house.scene('two-textures');
  await mkdir(folder);
  await copyFile(whole, join(folder, 'shot.blend'));
  const args = ['submit', join(folder, 'shot.blend'), '--frames', '1'];
  const { code, stderr, stdout } = await house.cuadro(args);
  assert.equal(code, 0, stderr);
  for (const name of ['wood.png', 'stone.png']) {
    assert.ok(
      stderr.split('\n').some((line) => line.startsWith('Warning: ') && line.includes(name)),
      `${name} is told: ${stderr}`,
    );
  }
  const id = /\((\w{16})\)/.exec(stdout)?.[1] as string;
  // Its frame is on its way to the output folder for a moment longer, where later tests look for what changed.
  await jobIn(node.client, id, ['done']);
  await collected(node.client, id);
});

test('an output folder that cannot be written', async (t) => {
  const file = join(house.root, 'a-file');
  await writeFile(file, 'taken');
  const readOnly = await house.mount('size=64k,ro');
  const full = await house.mount('size=16k,nr_inodes=2');
  const folders = [
    join(file, 'below'),
    file,
    '/proc/cuadro',
    ...(readOnly ? [join(readOnly, 'frames')] : []),
  ];
  if (full !== undefined) {
    await writeFile(join(full, 'filler'), Buffer.alloc(16 * 1024)).catch(() => undefined);
    folders.push(join(full, 'frames'));
  }
  for (const folder of folders) {
    await t.test(folder.replace(house.root, '…'), async () => {
      const args = ['submit', blend, '--frames', '1', '--output', folder];
      await refused({ args, exit: 7, says: /The output folder .* can't be written: .*--output/ });
    });
  }
  assert.equal(await readFile(file, 'utf8'), 'taken');
});

test('a job, task or machine that is not there', async (t) => {
  const { job } = await house.json<SubmittedView>(['submit', '--type', 'echo-sleep', '--paused']);
  const missing: [args: string[], says: RegExp][] = [
    ...(
      [
        ['show', 'zzzz'],
        ['watch', 'zzzz'],
        ['logs', 'zzzz'],
        ['pause', 'zzzz'],
        ['resume', 'zzzz'],
        ['cancel', 'zzzz'],
        ['requeue', 'zzzz'],
        ['delete', 'zzzz', '--yes'],
        ['fetch', 'zzzz', '--to', 'somewhere'],
        ['submit', '--type', 'echo-sleep', '--after', 'zzzz'],
      ] as string[][]
    ).map((args): [string[], RegExp] => [args, /There is no job "zzzz"\. `cuadro jobs` lists them\./]),
    [['show', job.id, 'frame 99'], /has no task "frame 99"/],
    [['logs', job.id, '99'], /has no task "99"/],
    [['requeue', job.id, '99'], /has no task "99"/],
  ];
  for (const [args, says] of missing) {
    await t.test(args.join(' ').replace(job.id, 'JOB'), () => refused({ args, exit: 3, says }));
  }
  await house.json(['delete', job.id]);
});

test('a command line or settings that say nothing sensible', async (t) => {
  const wrong: [args: string[], says: RegExp][] = [
    [['sumbit', blend], /Unknown command 'sumbit'.*submit/],
    [['submit', blend, '--sampels', '3'], /Unknown option '--sampels'/],
    [['submit'], /Name the scene/],
    [['submit', blend, '--samples', 'many'], /whole number/],
    [['submit', '--type', 'dance'], /no job type "dance"; known are/],
    [['submit', '--type', 'echo-sleep', '--set', 'sleepMs=-1'], /settings of the job type echo-sleep/],
    [['submit', blend, '--priority', '101'], /priority|100/],
    [['requeue'], /job/],
  ];
  for (const [args, says] of wrong) {
    await t.test(args.join(' ').replace(blend, 'BLEND'), () => refused({ args, exit: 2, says }));
  }
  await t.test('a scene that the file does not have', () =>
    refused({
      args: ['submit', blend, '--scene', 'Nowhere'],
      exit: 2,
      says: /no scene "Nowhere"; it has "Scene"/,
    }),
  );
  await t.test('a camera that the scene does not have', () =>
    refused({
      args: ['submit', blend, '--camera', 'Nobody'],
      exit: 2,
      says: /has no camera "Nobody"; it has "/,
    }),
  );
  await t.test('a format that Blender does not write', () =>
    refused({ args: ['submit', blend, '--format', 'gif'], exit: 2, says: /writes no GIF; it writes .*PNG/ }),
  );
});

test('no node', async () => {
  const data = join(house.root, 'nobody');
  await refused({ args: ['jobs'], exit: 6, says: /No node runs on this machine.*cuadro up/ }, data);
  await refused({ args: ['submit', blend], exit: 6, says: /No node runs/ }, data);
});

test('a killed node is no node, and another program on its port is not taken for it', async () => {
  const other = await house.node({ name: 'killed', config: house.noEngines });
  await other.kill();
  await refused({ args: ['jobs'], exit: 6, says: /No node runs/ }, other.dataFolder);
});

test('the answer of every refusal as JSON has code and sentence', async () => {
  const { code, stdout, stderr } = await house.cuadro(['show', 'zzzz', '--json']);
  assert.equal(code, 3);
  assert.equal(stderr, '');
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
  assert.equal(error.code, 'job-not-found');
  assert.match(error.message, /There is no job "zzzz"/);
});

test('what was refused all along left the node well', async () => {
  const { job } = await house.json<SubmittedView>(['submit', blend, '--frames', '1']);
  const done: JobView = await jobIn(node.client, job.id, ['done']);
  assert.equal(done.counts.rendered, 1);
});
