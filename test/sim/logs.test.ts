import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { encode } from '@cuadro/protocol';
import { Logs } from './checkers/logs.ts';
import { newDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { HEAD_BYTES } from './on-disk.ts';

/** The judge of logs, told by hand what the disks of three machines say of an attempt that failed. */

const LOG = '106106';
const attempt = { epoch: { term: 1, peer: 'belen' }, sequence: 3 };

let alba: Machine;
let belen: Machine;
let carmen: Machine;
let logs: Logs;
beforeEach(() => {
  [alba, belen, carmen] = [machineNamed('alba'), machineNamed('belen'), machineNamed('carmen')];
  const machines = [alba, belen, carmen];
  const up = (): Machine[] => machines.filter(({ isUp, isRemoved }) => isUp && !isRemoved);
  logs = new Logs({ machines, up } as unknown as SimFarm);
  for (const machine of machines) {
    writeJob(machine);
    writeTask(machine, ['alba', 'belen']);
  }
  for (const machine of [alba, belen]) machine.disk.blobs.contents.set(LOG, new Uint8Array(1));
});

const machineNamed = (name: string): Machine =>
  ({
    ...{ name, peer: name, disk: newDisk() },
    ...{ isUp: true, isGone: false, isRemoved: false },
  }) as unknown as Machine;

function write({ disk }: Machine, key: string, record: object): void {
  disk.records.records.set(key, Buffer.concat([Buffer.alloc(HEAD_BYTES), encode(record)]));
}

const writeJob = (machine: Machine, more: object = {}): void =>
  write(machine, 'job/job', { kind: 'job', id: 'job', requests: {}, spec: { tasks: 1 }, ...more });

/** The failed attempt, whose log these hold, and one with which a machine vanished. */
function writeTask(machine: Machine, holders: readonly string[], more: object = {}): void {
  const held = Object.fromEntries(holders.map((peer) => [peer, { held: true, counter: 1 }]));
  const failures = {
    one: { attempt, peer: 'belen', cause: 'failed', log: LOG, holders: held },
    two: { attempt: { ...attempt, sequence: 2 }, peer: 'carmen', cause: 'lost' },
  };
  const task = { kind: 'task', job: 'job', index: 0, redo: 0, retry: 0, results: {}, failures };
  write(machine, 'task/job/0000000000', { ...task, ...more });
}

const asked = (kind: 'redo' | 'retry'): object => ({
  requests: { one: { kind, level: 1, tasks: [{ start: 0, end: 0, step: 1 }] } },
});

const leaves = (): void => logs.deed({ kind: 'left', machine: alba, at: alba });
const end = (): void => logs.end(true);
const TOOK = { rule: 'leaving', message: 'alba has left, and took the log of job/0 (1.3.belen) along.' };
const NOT_THERE = { rule: 'logs', message: 'belen says that it holds the log of job/0 (1.3.belen).' };
const ALONE = { rule: 'logs', message: 'The log of job/0 (1.3.belen) stays on alba alone.' };

it('R132, R133, R162: a log is where two records say, and one of them may leave', () => {
  assert.doesNotThrow(end);
  assert.doesNotThrow(leaves);
});

it('R132: whoever says that it holds a log has it, or had one that rotted', () => {
  belen.disk.blobs.contents.delete(LOG);
  assert.throws(end, NOT_THERE);
  assert.throws(() => logs.end(false), NOT_THERE, 'at any time');
  belen.disk.faults.everDamaged.add(LOG);
  assert.doesNotThrow(end);
});

it('R133: a log that one holds alone comes to be with another', () => {
  for (const machine of [alba, belen, carmen]) writeTask(machine, ['alba']);
  assert.throws(end, ALONE);
  assert.doesNotThrow(() => logs.end(false), 'it may be under way');
});

const NOBODY: Readonly<Record<string, () => void>> = {
  'the others are off': () => [belen, carmen].forEach((one) => Object.assign(one, { isUp: false })),
  'the others are to leave': () => {
    const leaving = { kind: 'node', fields: { leaving: { value: { wanted: true } } } };
    for (const peer of ['belen', 'carmen']) write(alba, `node/${peer}`, leaving);
  },
  'it is to leave itself': () =>
    write(alba, 'node/alba', { kind: 'node', fields: { leaving: { value: { wanted: true } } } }),
  'a copy of it rotted': () => belen.disk.faults.everDamaged.add(LOG),
  'a person had it tried again': () => writeJob(alba, asked('retry')),
  'a person had it rendered again': () => writeJob(alba, asked('redo')),
};
for (const [what, makeSo] of Object.entries(NOBODY))
  it(`R133: it need not where ${what}`, () => {
    for (const machine of [alba, belen, carmen]) writeTask(machine, ['alba']);
    makeSo();
    assert.doesNotThrow(end);
  });

it('R162: whoever leaves takes no log along that nobody else holds', () => {
  for (const spoil of [
    () => writeTask(belen, ['alba']),
    () => belen.disk.faults.damaged.add(LOG),
    () => belen.disk.blobs.contents.delete(LOG),
    () => belen.disk.records.records.delete('task/job/0000000000'),
    () => Object.assign(belen, { isRemoved: true }),
    () => Object.assign(belen, { isGone: true }),
  ]) {
    writeTask(belen, ['alba', 'belen']);
    assert.doesNotThrow(leaves);
    spoil();
    assert.throws(leaves, TOOK);
    Object.assign(belen, { isRemoved: false, isGone: false });
    belen.disk.faults.damaged.clear();
    belen.disk.blobs.contents.set(LOG, new Uint8Array(1));
  }
});

it('R162: but for one that is of no use any more, as one that stays knows', () => {
  for (const machine of [belen, carmen]) writeTask(machine, ['alba']);
  assert.throws(leaves, TOOK);
  writeTask(belen, [], { redo: 1 });
  assert.doesNotThrow(leaves, 'rendered again');
  writeTask(belen, [], { retry: 1 });
  assert.doesNotThrow(leaves, 'tried again');
  writeTask(belen, []);
  writeJob(belen, asked('retry'));
  assert.doesNotThrow(leaves, 'asked for');
  writeJob(belen);
  writeJob(carmen, { deleted: {} });
  assert.doesNotThrow(leaves, 'of a job that is deleted');
});
