import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { NodeClient } from '../../node/src/cli/client.ts';
import { LocalFarm, type LocalNode } from '../../scripts/farm/local-farm.ts';
import { House, run } from './support/house.ts';

/**
 * A disk that comes to be read-only under open files, as the kernel makes it once it met an error: on a file system of
 * its own in a file, since one in memory can't be made so while a file is open for writing.
 */

let house: House;
let farm: LocalFarm | undefined;
let image: string;
let disk: string;
let isMounted = false;

const mountImage = async (path: string): Promise<void> => {
  await run('mount', ['-o', 'loop', path, disk]);
  isMounted = true;
};

/** As after a repair and a start of the machine. A copy, since who else still sees the mount keeps it as it was. */
const mountAgain = async (): Promise<void> => {
  await run('umount', ['-l', disk]);
  isMounted = false;
  const repaired = `${image}-repaired`;
  await copyFile(image, repaired);
  // It ends with 1 where it has repaired something, and with more where it could not.
  await run('fsck.ext4', ['-p', repaired]).catch((error: { code?: unknown }) => assert.equal(error.code, 1));
  await mountImage(repaired);
};

before(async () => {
  house = await House.open();
  const folder = house.fresh('farm');
  image = join(house.root, 'disk.ext4');
  disk = join(folder, 'belen');
  await mkdir(disk, { recursive: true });
  await run('truncate', ['-s', '96M', image]);
  const isMade = run('mkfs.ext4', ['-q', '-F', image]).then(() => mountImage(image));
  if (!(await isMade.then(() => true).catch(() => false))) return;
  farm = await LocalFarm.open({
    folder,
    nodes: 1,
    config: house.noEngines,
    env: { TMPDIR: house.temporary },
  });
});
after(async () => {
  await farm?.close();
  if (isMounted) await run('umount', ['-l', disk]);
  await house?.close();
});

const desired = async (client: NodeClient): Promise<string | undefined> =>
  (await client.call('nodes', {})).find(({ here }) => here)?.desired;

const want = (client: NodeClient, state: 'paused' | 'active') =>
  client.call('setNode', { params: { node: 'here' }, body: { desired: state } });

test('R175: a disk that comes to be read-only: the node says so, ends, and has all it acknowledged once it may write', async (t) => {
  if (farm === undefined) return t.skip('needs the right to mount');
  const [node] = farm.nodes as [LocalNode];
  const child = node.process;
  assert.ok(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: string) => (said += text));
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  // The configuration, which the test wrote; what the node acknowledges from here on it makes durable itself.
  await run('sync', ['-f', disk]);
  await want(node.client, 'paused');
  await run('mount', ['-o', 'remount,abort', disk]);
  await assert.rejects(want(node.client, 'active'), (error: Error) => {
    assert.match(error.message, /^The data folder .* can't be written: the file system is read-only\.$/);
    return true;
  });
  assert.equal(await closed, 7, said);
  assert.match(said, /The data folder .*belen can't be written: the file system is read-only\./);

  await mountAgain();
  const again = await farm.start(0);
  assert.equal(await desired(again.client), 'paused');
  await want(again.client, 'active');
  assert.equal(await desired(again.client), 'active');
  assert.doesNotMatch(await readFile(join(disk, 'node.log'), 'utf8'), /was damaged/);
});
