import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { JobView } from '../../protocol/src/index.ts';
import { LocalFarm, type LocalNode } from '../../scripts/farm/local-farm.ts';
import { House, jobIn } from './support/house.ts';

/** Why a frame failed can be read once the machine that failed is no more, in a farm of real nodes. */

let house: House;
let farm: LocalFarm;
before(async () => {
  house = await House.open();
});
after(async () => {
  await farm?.close();
  await house?.close();
});

test('R133: a machine whose frame failed leaves, and each of the two others alone still has the log', async () => {
  // Only the first may run the program, and it has submitted the job: nobody else gets the log on the way.
  farm = await LocalFarm.open({
    folder: house.fresh('farm'),
    nodes: 3,
    env: { TMPDIR: house.temporary },
    config: (index) => ({ ...house.noEngines, ...(index === 0 && { programs: ['cp'] }) }),
  });
  const [belen, carmen, dolores] = farm.nodes as [LocalNode, LocalNode, LocalNode];
  const cuadro = (node: LocalNode, ...args: string[]) => house.cuadro(args, { data: node.dataFolder });
  const command = ['--', 'cp', join(house.root, 'nothing.png'), '{output}/shot_{frame}.png'];
  const frames = ['--type', 'command', '--frames', '1', '--json'];
  const submitted = await cuadro(belen, 'submit', ...frames, ...command);
  assert.equal(submitted.code, 0, submitted.stderr);
  const { job } = JSON.parse(submitted.stdout) as { job: JobView };
  await jobIn(belen.client, job.id, ['failed']);
  const left = await cuadro(belen, 'leave');
  assert.equal(left.code, 0, left.stderr);
  await farm.stop(0);
  for (const [on, off] of [
    [carmen, dolores],
    [dolores, carmen],
  ] as const) {
    await farm.start(on.index);
    await farm.stop(off.index);
    const { code, stdout, stderr } = await cuadro(on, 'logs', job.id);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /cp: .*nothing\.png/);
  }
});
