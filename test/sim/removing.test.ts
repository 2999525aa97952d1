import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { encode } from '@cuadro/protocol';
import { emptyDisk } from '../../node/src/store/memory-store.ts';
import { Dice } from './dice.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { HEAD_BYTES } from './on-disk.ts';
import { People, type Deed } from './people.ts';
import { Timeline } from './timeline.ts';

/** Somebody at Carmen's machine removes Dolores, and Carmen's node may end before it has answered. */

let timeline: Timeline;
let carmen: Machine;
let dolores: Machine;
let answer: PromiseWithResolvers<void>;
let deeds: Deed['kind'][];
beforeEach(() => {
  timeline = new Timeline();
  answer = Promise.withResolvers();
  deeds = [];
  const farm = { removeMember: () => answer.promise };
  const machine = (name: string): Machine =>
    ({
      ...{ name, peer: name, isUp: true, isRemoved: false, life: { farm } },
      ...{ host: { life: 1, isStalled: false }, disk: { records: emptyDisk() } },
    }) as unknown as Machine;
  [carmen, dolores] = [machine('carmen'), machine('dolores')];
  const parts = { timeline, machines: [carmen, dolores], up: () => [carmen], note: () => undefined };
  const simulated = { ...parts, dice: new Dice(1n), tally: { deed: () => undefined } };
  new People(simulated as unknown as SimFarm, ({ kind }) => deeds.push(kind)).remove(dolores);
});

const write = (): void => {
  const bytes = encode({ kind: 'member', peer: 'dolores', removals: { carmen: {} } });
  carmen.disk.records.records.set(
    'member/dolores',
    new Uint8Array([...new Uint8Array(HEAD_BYTES), ...bytes]),
  );
};
const end = (): void => void Object.assign(carmen, { isUp: false });
/** Whether Dolores is out, and how often that was told. */
const removed = async (): Promise<[boolean, number]> => {
  await timeline.run(timeline.now + 1_000);
  return [dolores.isRemoved, deeds.length];
};

it('a machine is out once whoever removes it is told so', async () => {
  write();
  assert.deepEqual(await removed(), [false, 0]);
  answer.resolve();
  assert.deepEqual(await removed(), [true, 1]);
  end();
  assert.deepEqual(await removed(), [true, 1]);
});

it('a machine is out whose removal was written by a node that ended before it could say so', async () => {
  end();
  assert.deepEqual(await removed(), [false, 0], 'it may not have been written');
  write();
  assert.deepEqual(await removed(), [true, 1]);
});

it('nor is it forgotten where that node was started again', async () => {
  write();
  Object.assign(carmen.host, { life: 2 });
  assert.deepEqual(await removed(), [true, 1]);
});
