import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { encode, recordKey, type KnownRecord } from '@cuadro/protocol';
import type { CoreEffect } from '../../node/src/core/interface.ts';
import { Converging } from './checkers/converging.ts';
import type { Talking } from './checkers/talking.ts';
import { newDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { HEAD_BYTES } from './on-disk.ts';

/** The judge of whether replicas come to be the same, told by hand what three machines write, and who can talk. */

const record = { kind: 'job', id: 'job', number: 1 } as unknown as KnownRecord;
const KEY = recordKey(record);

let timeline: { now: number };
let alba: Machine;
let belen: Machine;
let carmen: Machine;
/** Those who could talk for as long as the promise says. */
let talking: Machine[];
let told: string[];
let converging: Converging;
beforeEach(() => {
  timeline = { now: 100_000 };
  [alba, belen, carmen] = [machineNamed('alba'), machineNamed('belen'), machineNamed('carmen')];
  talking = [alba, belen];
  told = [];
  const tally = { outcome: (kind: string) => told.push(kind) };
  const farm = { timeline, machines: [alba, belen, carmen], tally };
  const able = {
    groups: () => (talking.length > 1 ? [talking] : []),
    for: (a: Machine, b: Machine) => a !== b && talking.includes(a) && talking.includes(b),
  };
  converging = new Converging(farm as unknown as SimFarm, able as unknown as Talking);
});

const machineNamed = (name: string): Machine => ({ name, peer: name, disk: newDisk() }) as unknown as Machine;

function decides(machine: Machine): void {
  converging.decided(machine, [{ kind: 'persist', records: [record], removed: [] } as unknown as CoreEffect]);
}
const writes = ({ disk }: Machine): void =>
  void disk.records.records.set(KEY, Buffer.concat([Buffer.alloc(HEAD_BYTES), encode(record)]));
const forgets = ({ disk }: Machine): void => void disk.records.records.delete(KEY);
const looksAfter = (ms: number): void => {
  timeline.now += ms;
  converging.look();
};
const DIFFER = {
  rule: 'replicas converge',
  message: `alba and belen differ in ${KEY}, 5.7 s after the last news.`,
};

it('what one has is with the other 5 s after it came to be known', () => {
  decides(alba);
  writes(alba);
  looksAfter(5_600);
  writes(belen);
  assert.doesNotThrow(() => looksAfter(100));
  assert.deepEqual(told, ['equal at a quiet moment']);
});

it('or that is found, whichever of the two lacks it', () => {
  decides(alba);
  writes(alba);
  looksAfter(5_600);
  assert.throws(() => looksAfter(100), DIFFER);
});

it('also where the first lacks it', () => {
  decides(belen);
  writes(belen);
  looksAfter(5_600);
  assert.throws(() => looksAfter(100), DIFFER);
});

it('what is taken away is news as well', () => {
  writes(alba);
  writes(belen);
  looksAfter(10_000);
  forgets(alba);
  const removes = { kind: 'persist', records: [], removed: [KEY] } as unknown as CoreEffect;
  converging.decided(alba, [removes]);
  assert.doesNotThrow(() => looksAfter(5_600));
  assert.throws(() => looksAfter(100), DIFFER);
});

it('what the other one had is no news: the time counts from before', () => {
  decides(alba);
  writes(alba);
  timeline.now += 5_600;
  decides(belen);
  assert.throws(() => looksAfter(100), DIFFER);
});

it('what comes from outside is, also where somebody there had it', () => {
  talking = [alba, carmen];
  writes(carmen);
  decides(alba);
  writes(alba);
  talking = [alba, belen];
  assert.doesNotThrow(() => looksAfter(5_600));
  assert.throws(() => looksAfter(100), DIFFER);
});

it('nothing is asked of those that could not talk', () => {
  decides(alba);
  writes(alba);
  talking = [alba, carmen];
  writes(carmen);
  assert.doesNotThrow(() => looksAfter(60_000));
  talking = [];
  forgets(carmen);
  assert.doesNotThrow(() => looksAfter(60_000));
});
