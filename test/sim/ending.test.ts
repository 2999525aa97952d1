import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { Ending } from './checkers/ending.ts';
import { newDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';

/** The judge of how a run ends, told by hand of two machines: whom they follow, what they show, what their disks hold. */

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly counts: object;
  readonly live: { readonly running: number };
}

let jobs: Shown[];
let alba: Machine;
let belen: Machine;
let leader: Machine | undefined;
let ending: Ending;
beforeEach(() => {
  jobs = [{ id: 'job', state: 'done', counts: { done: 2 }, live: { running: 0 } }];
  [alba, belen] = [machineNamed('alba', true), machineNamed('belen', false)];
  leader = alba;
  const machines = [alba, belen];
  const of = (peer: string): Machine | undefined => machines.find((one) => one.peer === peer);
  ending = new Ending({ up: () => machines, of, leader: () => leader } as unknown as SimFarm);
});

function machineNamed(name: string, isCoordinator: boolean): Machine {
  const disk = newDisk();
  disk.records.records.set('job/job', Uint8Array.of(1, 2, 3));
  const queries = {
    ...{ isCoordinator, epoch: { term: 7, peer: 'alba' }, jobs: () => jobs },
    tasks: () => ({ tasks: [{ index: 4 }] }),
    task: () => ({ why: 'waits for Carmen' }),
  };
  return { name, peer: name, disk, queries } as unknown as Machine;
}

const end = (): void => ending.end(true, 9_000);

it('all that ended, is the same everywhere and follows one passes', () => {
  assert.doesNotThrow(() => ending.settled());
  assert.doesNotThrow(end);
});

it('a farm is found of which no one node leads once it has settled, or in the end', () => {
  leader = undefined;
  const nobody = {
    rule: 'one coordinator',
    message: 'alba leads and follows alba (7); belen follows alba (7)',
  };
  assert.throws(() => ending.settled(), nobody);
  assert.throws(end, nobody);
});

it('work is found that has not ended in its time, with what is open and why', () => {
  jobs = [{ id: 'job', state: 'active', counts: { open: 1 }, live: { running: 0 } }];
  assert.throws(() => ending.end(false, 9_000), {
    rule: 'every task ends',
    message: /Not within 9000 ms: alba: job is active, \{"open":1\}, 0 run, waits for Carmen \| belen/,
  });
});

it('so is an attempt that still runs of a job that has ended, and no job that has', () => {
  jobs = [{ id: 'ended', state: 'done', counts: { done: 2 }, live: { running: 0 } }];
  assert.throws(() => ending.end(false, 9_000), { message: 'Not within 9000 ms: ' });
  jobs.push({ id: 'runs', state: 'canceled', counts: {}, live: { running: 1 } });
  assert.throws(() => ending.end(false, 9_000), { message: /ms: alba: runs is canceled, \{\}, 1 run/ });
});

it('a record is found that another one has otherwise, or lacks', () => {
  const differ = { rule: 'replicas converge', message: 'alba and belen differ in job/job.' };
  belen.disk.records.records.set('job/job', Uint8Array.of(1, 2, 4));
  assert.throws(end, differ);
  belen.disk.records.records.delete('job/job');
  assert.throws(end, differ);
  alba.disk.records.records.delete('job/job');
  assert.doesNotThrow(end);
  belen.disk.records.records.set('job/job', Uint8Array.of(1, 2, 3));
  assert.throws(end, differ, 'also where the first lacks it');
});
