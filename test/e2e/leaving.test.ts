import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { JobView } from '../../protocol/src/index.ts';
import { LocalFarm, type LocalNode, until } from '../../scripts/farm/local-farm.ts';
import { House, jobIn, membersOf } from './support/house.ts';

/**
 * A machine leaves a farm of real nodes: what only it holds is told first, goes to another, and is lost only where a
 * person says so.
 */

let house: House;
let farm: LocalFarm;
before(async () => {
  house = await House.open();
});
after(async () => {
  await farm?.close();
  await house?.close();
});

const FRAMES = 6;
const cuadro = (node: LocalNode, ...args: string[]) => house.cuadro(args, { data: node.dataFolder });

test('R160, R162: a machine stays while nobody can take what only it holds, and leaves once somebody has', async () => {
  // The others are off while it is rendered, so that all is on the first; one of them has no room for it.
  farm = await LocalFarm.open({
    folder: house.fresh('farm'),
    nodes: 3,
    env: { TMPDIR: house.temporary },
    config: (index) => ({ ...house.noEngines, ...(index === 1 ? { quotaGiB: 0 } : { programs: ['cp'] }) }),
  });
  const [belen] = farm.nodes as [LocalNode];
  await Promise.all([farm.stop(1), farm.stop(2)]);
  const source = join(house.root, 'picture.png');
  await writeFile(source, 'a picture');
  const command = ['--', 'cp', source, '{output}/shot_{frame}.png'];
  const submitted = await cuadro(
    belen,
    'submit',
    '--type',
    'command',
    '--frames',
    `1-${FRAMES}`,
    '--json',
    ...command,
  );
  const { job } = JSON.parse(submitted.stdout) as { job: JobView };
  await jobIn(belen.client, job.id, ['done']);

  const carmen = await farm.start(1);
  await farm.whole();
  const refused = await cuadro(belen, 'leave');
  assert.equal(refused.code, 4, refused.stderr);
  assert.match(
    refused.stderr,
    /^Only this machine holds 6 results and the scene or plan of a job; that goes to other/,
  );
  assert.match(
    refused.stderr,
    /No other machine takes what is left.*it stays in the farm.*cuadro leave --lose/,
  );
  const removal = await cuadro(carmen, 'door', 'remove', 'belen');
  assert.equal(removal.code, 4, removal.stderr);
  assert.match(removal.stderr, /No other machine takes what is left.*cuadro door remove belen --lose/);
  assert.deepEqual(await membersOf(carmen), ['belen', 'carmen', 'dolores']);

  const dolores = await farm.start(2);
  await farm.whole();
  const left = await cuadro(belen, 'leave');
  assert.equal(left.code, 0, left.stderr);
  assert.match(left.stdout, /^This machine has left .*cuadro up --data FOLDER/);
  await until('the others know it', async () => {
    const known = await Promise.all([carmen, dolores].map(membersOf));
    return known.every((names) => names.join() === 'carmen,dolores');
  });
  // Nothing is rendered again: what it gave away counts.
  const { counts, onlyOn } = await dolores.client.call('job', { params: { job: job.id } });
  assert.deepEqual([counts.rendered + counts.done, counts.open], [FRAMES, 0]);
  assert.deepEqual(
    onlyOn.map(({ machine, results, scene }) => [machine, results, scene]),
    [['dolores', FRAMES, true]],
  );
  // Its files are had on any member from now on; what stands in the folder stays.
  const to = join(house.root, 'fetched');
  await mkdir(to);
  await writeFile(join(to, 'shot_3.png'), 'foreign');
  const fetched = await cuadro(dolores, 'fetch', job.id, '--to', to);
  assert.equal(fetched.code, 0, fetched.stderr);
  assert.match(fetched.stdout, /^5 files written to .*, 0 there already\.\n/);
  assert.match(fetched.stderr, /^Kept, since they are not this job's: shot_3\.png\./);
  const replaced = await cuadro(dolores, 'fetch', job.id, '--to', to, '--overwrite');
  assert.match(replaced.stdout, /^1 file written to .*, 5 there already\.\n/);
  assert.deepEqual(
    (await readdir(to)).sort(),
    [1, 2, 3, 4, 5, 6].map((frame) => `shot_${frame}.png`),
  );
  assert.equal(await readFile(join(to, 'shot_3.png'), 'utf8'), 'a picture');
  const again = await cuadro(belen, 'leave');
  assert.equal(again.code, 4);
});
