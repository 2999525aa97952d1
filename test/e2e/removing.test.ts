import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ChangeView, JobView } from '../../protocol/src/index.ts';
import { LocalFarm, type LocalNode, until } from '../../scripts/farm/local-farm.ts';
import { House, jobIn, membersOf } from './support/house.ts';

/**
 * Machines are removed from a farm of real nodes by the command line of another: one that holds nothing alone at once,
 * one that does once that is elsewhere. Copies in place of lost ones are all but forbidden, so that what the second
 * holds alone is still there only when it is removed.
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

const FRAMES = 3;
const cuadro = (node: LocalNode, ...args: string[]) => house.cuadro(args, { data: node.dataFolder });
const membersAre = (node: LocalNode, names: string) =>
  until(`${names} to be the members`, async () => (await membersOf(node)).join() === names);
const onlyLogs = async (node: LocalNode, name: string): Promise<number | undefined> =>
  (await node.client.call('node', { params: { node: name } })).logsOnlyThere;

test('R162: door remove says what only that machine holds, logs too, has it moved, and ends once it is out', async () => {
  farm = await LocalFarm.open({
    folder: house.fresh('farm'),
    nodes: 3,
    env: { TMPDIR: house.temporary },
    config: (index) => ({
      ...house.noEngines,
      ...(index === 0 && { programs: ['sh'], repairMiBps: 0.000_01 }),
    }),
  });
  const [belen] = farm.nodes as [LocalNode];
  await farm.stop(2);
  const script =
    'if [ "$CUADRO_FRAME" = 3 ]; then echo broken >&2; exit 1; fi; head -c 2000000 /dev/urandom > "$CUADRO_OUTPUT/part_$CUADRO_FRAME.bin"';
  const { job } = await belen.client.call('submit', {
    body: {
      type: 'command',
      name: 'parts',
      settings: { program: 'sh', args: ['-c', script], frames: `1-${FRAMES}` },
    },
  });
  const params = { job: job.id };
  await jobIn(belen.client, job.id, ['failed']);
  const heldByBoth = async (): Promise<boolean> => {
    const { onlyOn }: JobView = await belen.client.call('job', { params });
    return onlyOn.length === 0 && (await onlyLogs(belen, 'belen')) === 0;
  };
  await until('all of it to be on two machines', heldByBoth);

  const dolores = await farm.start(2);
  await farm.whole();
  const first = await cuadro(dolores, 'door', 'remove', 'carmen', '--json');
  assert.equal(first.code, 0, first.stderr);
  assert.equal(first.stderr, '', 'it holds nothing alone');
  assert.equal((JSON.parse(first.stdout) as ChangeView).machines > 0, true);
  await membersAre(dolores, 'belen,dolores');
  await until('belen to count as the only holder', async () => {
    const { onlyOn } = await dolores.client.call('job', { params });
    return onlyOn.some(({ machine, results }) => machine === 'belen' && results > 0);
  });
  const logs = (await onlyLogs(dolores, 'belen')) ?? 0;
  assert.ok(logs > 0, 'the logs of the frame that fails');

  const second = await cuadro(dolores, 'door', 'remove', 'belen', '--json');
  assert.equal(second.code, 0, second.stderr);
  assert.match(
    second.stderr,
    /^Only it holds .*results?.* and (the log of a failed attempt|logs of \d+ failed attempts); that goes to other machines first\.\n$/,
  );
  assert.match(
    (JSON.parse(second.stdout) as ChangeView).message,
    /^belen is no member any more: it gave away what only it held, and left\.$/,
  );
  await membersAre(dolores, 'dolores');
  await farm.stop(0);
  const to = join(house.root, 'fetched');
  const fetched = await cuadro(dolores, 'fetch', job.id, '--to', to);
  assert.equal(fetched.code, 0, fetched.stderr);
  assert.deepEqual((await readdir(to)).sort(), ['part_1.bin', 'part_2.bin']);
  const log = await cuadro(dolores, 'logs', job.id, '3');
  assert.match(log.stdout, /broken/, log.stderr);
});
