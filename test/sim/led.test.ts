import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import type { Message } from '@cuadro/protocol';
import { Led } from './checkers/led.ts';
import { newDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';

/** The judge of whether somebody leads, told by hand whom Belen follows, and when she hears of her. */

let timeline: { now: number };
let belen: Machine;
let epoch: { peer: string } | undefined;
let led: Led;
beforeEach(() => {
  timeline = { now: 100_000 };
  epoch = { peer: 'alba' };
  const queries = { isCoordinator: false, farmRecord: () => ({}) };
  Object.defineProperty(queries, 'epoch', { get: () => epoch });
  const host = { isStalled: false, life: 1 };
  const state = { isUp: true, isRemoved: false };
  belen = { name: 'belen', peer: 'belen', disk: newDisk(), host, queries, ...state } as unknown as Machine;
  led = new Led({ timeline, machines: [belen], of: () => ({ name: 'alba' }) } as unknown as SimFarm);
  led.look();
});

const after = (ms: number): void => {
  timeline.now += ms;
  led.look();
};
const hears = (kind: string, from: string): void => led.heard(belen, from, { kind } as Message);

it('R44: who hears its coordinator may follow it for ever', () => {
  for (let i = 0; i < 10; i++) {
    after(11_000);
    hears('pulse', 'alba');
  }
});

it('R44: who has heard no pulse of it for 12 s may not', () => {
  after(12_000);
  assert.throws(() => after(500), {
    rule: 'somebody leads',
    message: 'belen follows alba, which it has not heard, for 12.5 s.',
  });
});

it('nor by what others say, or by another word', () => {
  after(11_000);
  hears('pulse', 'carmen');
  hears('beacon', 'alba');
  assert.throws(() => after(1_500), { rule: 'somebody leads' });
});

it('nor may one look for a coordinator for so long', () => {
  epoch = undefined;
  led.look();
  after(12_000);
  assert.throws(() => after(500), {
    rule: 'somebody leads',
    message: 'belen looks for a coordinator for 12.5 s.',
  });
});

it('it counts from when another one is followed, or a process is new', () => {
  after(11_000);
  epoch = { peer: 'carmen' };
  after(500);
  after(11_000);
  Object.assign(belen.host, { life: 2 });
  after(1_500);
  assert.doesNotThrow(() => after(12_000));
});

const EXCUSES: Readonly<Record<string, () => void>> = {
  'leads itself': () => Object.assign(belen.queries ?? {}, { isCoordinator: true }),
  'is off': () => Object.assign(belen, { isUp: false }),
  'is removed': () => Object.assign(belen, { isRemoved: true }),
  'stands still': () => Object.assign(belen.host, { isStalled: true }),
  'is in no farm': () => Object.assign(belen.queries ?? {}, { farmRecord: () => undefined }),
  'has a broken disk': () => Object.assign(belen.disk.faults, { broken: true }),
  'has no room for records': () => Object.assign(belen.disk.faults, { filled: true }),
  'has a slow disk': () => Object.assign(belen.disk.faults, { writeMs: 21 }),
};
for (const [what, excuse] of Object.entries(EXCUSES))
  it(`nothing is said of one that ${what}`, () => {
    excuse();
    after(500);
    assert.doesNotThrow(() => after(60_000));
  });
