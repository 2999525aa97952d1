import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { attemptKey, encode, type TaskResult } from '@cuadro/protocol';
import { Departed } from './checkers/departed.ts';
import { newDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { HEAD_BYTES } from './on-disk.ts';

/** The judge of what a machine leaves behind, told by hand of Alba, who has left, and of Belen and Carmen, who stay. */

const PLAN = '5ce9e0';
const FILE = '0bc374';
const OTHER_FILE = '0bc375';
const [SCENE, TEXTURE] = ['b04af9', '062c01'];
const attemptOf = (sequence: number): TaskResult['attempt'] => ({
  epoch: { term: 1, peer: 'belen' },
  sequence,
});

let alba: Machine;
let belen: Machine;
let carmen: Machine;
let departed: Departed;
beforeEach(() => {
  [alba, belen, carmen] = [machineNamed('alba'), machineNamed('belen'), machineNamed('carmen')];
  departed = new Departed({ machines: [alba, belen, carmen] } as unknown as SimFarm);
  for (const machine of [alba, belen]) {
    for (const hash of [PLAN, FILE, OTHER_FILE, TEXTURE])
      machine.disk.blobs.contents.set(hash, new Uint8Array(1));
    machine.disk.blobs.contents.set(SCENE, encode({ files: [{ blob: TEXTURE }] }));
    writeJob(machine, ['alba', 'belen']);
    writeTask(machine, ['alba', 'belen']);
  }
});

const machineNamed = (name: string): Machine =>
  ({ name, peer: name, disk: newDisk(), isGone: false, isRemoved: false }) as unknown as Machine;

function write({ disk }: Machine, key: string, record: object): void {
  disk.records.records.set(key, Buffer.concat([Buffer.alloc(HEAD_BYTES), encode(record)]));
}

const heldBy = (peers: readonly string[]): object =>
  Object.fromEntries(peers.map((peer) => [peer, { held: true, counter: 1 }]));

function writeJob(machine: Machine, holders: readonly string[], more: object = {}): void {
  const job = { kind: 'job', id: 'job', requests: {}, spec: { plan: PLAN, bundle: SCENE, tasks: 1 } };
  write(machine, 'job/job', { ...job, holders: { plan: heldBy(holders), bundle: {} }, ...more });
}

const TASK = { kind: 'task', job: 'job', index: 0, redo: 0, retry: 0, failures: {} };

/** The frame, of which these hold the third attempt, and perhaps others an older one, which counts then. */
function writeTask(machine: Machine, holders: readonly string[], olderHolders: readonly string[] = []): void {
  const resultOf = (sequence: number, peers: readonly string[]): [string, object] => {
    const attempt = attemptOf(sequence);
    const files = [FILE, OTHER_FILE].map((blob) => ({ blob }));
    return [attemptKey(attempt), { attempt, state: 'done', holders: heldBy(peers), files }];
  };
  const results = Object.fromEntries([resultOf(3, holders), resultOf(2, olderHolders)]);
  write(machine, 'task/job/0000000000', { ...TASK, results });
}

const leaves = (): void => departed.deed({ kind: 'left', machine: alba, at: alba });
const TOOK_JOB = { rule: 'leaving', message: 'alba has left, and took job along.' };
const TOOK_FRAME = { rule: 'leaving', message: 'alba has left, and took job/0 (1.3.belen) along.' };

it('R162: whoever leaves may go where another one holds all that it held', () => {
  assert.doesNotThrow(leaves);
});

it('R162: not where the plan or the scene is with nobody who stays', () => {
  for (const spoil of [
    () => writeJob(belen, ['alba']),
    () => belen.disk.faults.damaged.add(PLAN),
    () => belen.disk.blobs.contents.delete(PLAN),
    () => belen.disk.faults.damaged.add(TEXTURE),
    () => belen.disk.records.records.delete('job/job'),
  ]) {
    writeJob(belen, ['alba', 'belen']);
    assert.doesNotThrow(leaves);
    spoil();
    assert.throws(leaves, TOOK_JOB);
    belen.disk.faults.damaged.clear();
    belen.disk.blobs.contents.set(PLAN, new Uint8Array(1));
  }
});

it('R162: nor where a frame is', () => {
  for (const spoil of [
    () => writeTask(belen, ['alba']),
    () => belen.disk.faults.damaged.add(FILE),
    () => belen.disk.blobs.contents.delete(FILE),
    () => belen.disk.faults.damaged.add(OTHER_FILE),
    () => write(belen, 'task/job/0000000000', { ...TASK, results: {} }),
    () => belen.disk.records.records.delete('task/job/0000000000'),
  ]) {
    writeTask(belen, ['alba', 'belen']);
    assert.doesNotThrow(leaves);
    spoil();
    assert.throws(leaves, TOOK_FRAME);
    belen.disk.faults.damaged.clear();
    belen.disk.blobs.contents.set(FILE, new Uint8Array(1));
  }
});

it('R162: nor where the other holder is out or destroyed', () => {
  Object.assign(belen, { isRemoved: true });
  assert.throws(leaves, TOOK_JOB);
  Object.assign(belen, { isRemoved: false, isGone: true });
  assert.throws(leaves, TOOK_JOB);
});

it('what it did not hold it need not leave', () => {
  writeJob(alba, ['belen']);
  writeTask(alba, ['belen']);
  writeJob(belen, []);
  writeTask(belen, []);
  assert.doesNotThrow(leaves);
});

it('nor what somebody who stays knows to be deleted, discarded or outdone', () => {
  writeTask(belen, [], ['carmen']);
  assert.doesNotThrow(leaves, 'another result counts');
  writeTask(belen, []);
  assert.throws(leaves, TOOK_FRAME);
  const redo = { kind: 'redo', level: 1, tasks: [{ start: 0, end: 0, step: 1 }] };
  writeJob(carmen, [], { requests: { redo } });
  assert.doesNotThrow(leaves, 'a person discarded it');
  writeJob(belen, []);
  assert.throws(leaves, TOOK_JOB);
  writeJob(carmen, [], { deleted: {} });
  assert.doesNotThrow(leaves, 'a person deleted the job');
});

it('R161: as many machines hold the word that one is to leave as was said', () => {
  const toLeave = (machines: number) => (): void =>
    departed.deed({ kind: 'to leave', machine: alba, at: belen, machines });
  const leaving = { kind: 'node', fields: { leaving: { value: { wanted: true } } } };
  write(belen, 'node/alba', leaving);
  assert.doesNotThrow(toLeave(1));
  assert.throws(toLeave(2), {
    rule: 'leaving',
    message: 'belen says that 2 machines hold that alba is to leave, and 1 do.',
  });
  write(carmen, 'node/alba', { kind: 'node', fields: { leaving: { value: { wanted: false } } } });
  assert.throws(toLeave(2), { rule: 'leaving' });
  Object.assign(carmen, { isGone: true });
  assert.doesNotThrow(toLeave(2), 'the other copy may have gone with its disk');
});
