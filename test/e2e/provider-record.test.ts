import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { readNodeFile } from '../../node/src/system/node-file.ts';
import { LocalFarm, type LocalNode, until } from '../../scripts/farm/local-farm.ts';
import { storedAt } from './support/damage.ts';
import { House, taskOf, tasksOf } from './support/house.ts';

/**
 * Content is had on a machine that never held it. The dashboard of one shows a frame that two others hold. Then all
 * machines that a job's record names as holders of its scene are off. One that was lent the scene to render has told
 * the farm, by a provider record, that it can be had there; one that comes late finds it by that.
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

const pause = (node: LocalNode, ownerDesired: 'active' | 'paused') =>
  node.client.call('setNode', { params: { node: 'here' }, body: { ownerDesired } });
const foundBy = async (node: LocalNode, way: 'asked' | 'record'): Promise<number> => {
  const page = await node.client.text('metrics', {});
  const line = new RegExp(`^cuadro_holders_found_total\\{by="${way}"\\} (\\d+)$`, 'm').exec(page);
  assert.ok(line !== null, page);
  return Number(line[1]);
};

/** A stored file as a node's own dashboard gets it. */
async function shownBy(node: LocalNode, hash: string, place: { job: string; task: number }): Promise<Buffer> {
  const { address, token } = readNodeFile(node.dataFolder) ?? assert.fail(`${node.name} runs`);
  const answer = await fetch(`${address}/api/v1/blobs/${hash}?job=${place.job}&task=${place.task}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(answer.status, 200, bytes.toString());
  return bytes;
}

/** A done frame's picture and thumbnail are the holder's, byte for byte, on a machine that has neither in its store. */
async function assertShownWhereNotHeld(job: string): Promise<void> {
  const [asked] = farm.nodes as [LocalNode];
  const { index, name, files, thumbnail } = await until('a frame to be done', async () =>
    (await tasksOf(asked.client, job)).find(({ state }) => state === 'done'),
  );
  const { heldBy } = await taskOf(asked.client, job, name);
  const holder = farm.nodes.find((node) => heldBy.includes(node.name)) ?? assert.fail('a holder');
  const other =
    farm.nodes.find((node) => !heldBy.includes(node.name)) ?? assert.fail('one that does not hold it');
  await until(
    'it to be known there as done',
    async () => (await taskOf(other.client, job, name)).state === 'done',
  );
  assert.equal(files.length, 1);
  for (const hash of [...files.map(({ blob }) => blob), thumbnail ?? assert.fail('a thumbnail')]) {
    assert.ok(!existsSync(storedAt(other.dataFolder, hash)), `${other.name} never held it`);
    const held = await readFile(storedAt(holder.dataFolder, hash));
    assert.ok((await shownBy(other, hash, { job, task: index })).equals(held));
  }
}

test('R57, R100: a late machine renders a scene that it found by a provider record, its submitter and holders off', async () => {
  const blend = await house.scene('frames=40');
  farm = await LocalFarm.open({ folder: house.fresh('farm'), nodes: 3, env: { TMPDIR: house.temporary } });
  const [submitter] = farm.nodes as [LocalNode];
  for (const node of farm.nodes) await pause(node, 'paused');
  const { job } = await submitter.client.call('submit', { body: { path: blend, settings: { samples: 2 } } });
  const params = { job: job.id };
  await until('three machines hold the scene', async () => {
    return (await submitter.client.call('job', { params })).holders === 3;
  });

  const lent = await farm.start(3);
  await farm.whole();
  const renderedBy = async (node: LocalNode): Promise<number> =>
    (await tasksOf(node.client, job.id)).filter(
      ({ machine, state }) => machine === node.name && state !== 'open',
    ).length;
  const knows = (node: LocalNode): Promise<boolean> =>
    node.client.call('job', { params }).then(
      () => true,
      () => false,
    );
  await until('the fourth to know of the job', () => knows(lent));
  await until('the fourth has rendered with it', async () => (await renderedBy(lent)) > 0);
  assert.equal(await foundBy(lent, 'record'), 0, 'it was told by the job’s record where the scene is');
  await pause(lent, 'paused');
  await assertShownWhereNotHeld(job.id);
  await Promise.all([0, 1, 2].map((index) => farm.kill(index)));
  const left = (await tasksOf(lent.client, job.id)).filter(({ state }) => state === 'open').length;
  assert.ok(left > 0, 'something is left to be rendered');

  await lent.client.call('openDoor', { body: { forMs: 60_000 } });
  const late = await farm.start(4);
  await farm.whole();
  await until('the late one to know of the job', () => knows(late));
  await until('the late one renders', async () => (await renderedBy(late)) > 0);
  assert.ok((await foundBy(late, 'record')) > 0, 'a provider record led it to the scene');
});
