import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { encode } from '@cuadro/protocol';
import { Busy } from './busy.ts';
import { newDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { HEAD_BYTES } from './on-disk.ts';
import type { People } from './people.ts';
import { Timeline } from './timeline.ts';

/** Who sees to it that work is active while things go wrong, told by hand what two machines know of open tasks. */

interface Shown {
  readonly state: string;
  readonly counts: { readonly open: number };
}

let timeline: Timeline;
let jobs: Map<string, Shown[]>;
let alba: Machine;
let belen: Machine;
let up: Machine[];
/** Those at whom a job could be submitted each time that somebody was asked to. */
let asked: string[][];
let busy: Busy;
beforeEach(() => {
  timeline = new Timeline();
  jobs = new Map();
  [alba, belen] = [machineNamed('alba'), machineNamed('belen')];
  up = [alba];
  asked = [];
  const people = { keepBusy: (able: Machine[]) => asked.push(able.map(({ name }) => name)) };
  busy = new Busy({ timeline, up: () => up } as unknown as SimFarm, people as unknown as People);
});

function machineNamed(name: string): Machine {
  const queries = { jobs: () => jobs.get(name) ?? [], farmRecord: () => ({}) };
  const host = { isStalled: false };
  return { name, peer: name, life: {}, host, disk: newDisk(), queries } as unknown as Machine;
}

const knows = (machine: Machine, open: number, state = 'active'): void =>
  void jobs.set(machine.name, [{ state, counts: { open } }]);

/** Begins, and lets so much time pass with what each step makes of it. */
async function lasts(...steps: readonly (readonly [ms: number, before?: () => void])[]): Promise<() => void> {
  for (const [index, [ms, before]] of steps.entries()) {
    before?.();
    if (index === 0) busy.begin();
    await timeline.run(timeline.now + ms);
  }
  return () => busy.end();
}

const IDLE = /No task was open for \d+ ms in the time of faults/;

it('a farm with open tasks is at work, and nobody is asked for more of them than it renders soon', async () => {
  knows(alba, 3);
  assert.doesNotThrow(await lasts([10_000]));
  assert.deepEqual(asked, []);
});

it('one with few is at work too, and somebody is asked for more at each look', async () => {
  knows(alba, 2);
  assert.doesNotThrow(await lasts([1_100]));
  assert.deepEqual(asked, [['alba'], ['alba'], ['alba']]);
});

it('nor where another machine that takes jobs knows of enough', async () => {
  up = [alba, belen];
  knows(belen, 3);
  assert.doesNotThrow(await lasts([10_000]));
  assert.deepEqual(asked, []);
});

it('and nobody is asked any more once that time is over', async () => {
  const end = await lasts([1_100]);
  end();
  await timeline.run(10_000);
  assert.equal(asked.length, 3);
});

it('one without an open task for longer than it takes to submit a job is found', async () => {
  assert.doesNotThrow(await lasts([2_400]));
  assert.throws(await lasts([2_600]), IDLE);
});

it('also where that time is over', async () => {
  assert.throws(await lasts([2_600], [5_000, () => knows(alba, 3)]), IDLE);
});

it('but not where two such times come with work between them', async () => {
  const nothing = (): void => knows(alba, 0);
  const some = (): void => knows(alba, 1);
  assert.doesNotThrow(await lasts([1_900], [600, some], [1_900, nothing]));
});

for (const state of ['paused', 'waiting', 'done', 'failed', 'canceled', 'skipped'])
  it(`tasks of a job that is ${state} are no work`, async () => {
    knows(alba, 9, state);
    assert.throws(await lasts([3_000]), IDLE);
  });

it('what a machine has open that nobody could submit at is work', async () => {
  up = [alba, belen];
  Object.assign(belen.host, { isStalled: true });
  knows(belen, 1);
  assert.doesNotThrow(await lasts([10_000]));
  assert.deepEqual(asked[0], ['alba']);
});

const hindrances: Readonly<Record<string, () => void>> = {
  'stands still': () => Object.assign(alba.host, { isStalled: true }),
  'has no node': () => Object.assign(alba, { life: undefined }),
  'is in no farm': () => Object.assign(alba.queries ?? {}, { farmRecord: () => undefined }),
  'has a broken disk': () => Object.assign(alba.disk.faults, { broken: true }),
  'has a full disk': () => Object.assign(alba.disk.faults, { full: true }),
  'has a slow disk': () => Object.assign(alba.disk.faults, { writeMs: 21 }),
  'is to leave': () => {
    const leaving = { kind: 'node', fields: { leaving: { value: { wanted: true } } } };
    alba.disk.records.records.set('node/alba', Buffer.concat([Buffer.alloc(HEAD_BYTES), encode(leaving)]));
  },
};
for (const [what, hinder] of Object.entries(hindrances))
  it(`nothing is wanted while the only machine ${what}`, async () => {
    assert.doesNotThrow(await lasts([10_000, hinder]));
    assert.ok(asked.every((able) => able.length === 0));
  });
