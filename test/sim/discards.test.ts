import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Plan } from '@cuadro/protocol';
import type { Changes } from '../../node/src/core/interface.ts';
import { Discards } from './checkers/discards.ts';
import { newDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';

/** The judge of what a requeue discards, told by hand what a person named, and what the records of one node say. */

/** Two frames, and what is made of each. */
const plan = {
  groups: [
    { numbers: [{ start: 1, end: 2, step: 1 }], after: [] },
    { numbers: [{ start: 1, end: 2, step: 1 }], after: [{ group: 0, match: 'same' }] },
  ],
} as unknown as Plan;

const resultOf = (sequence: number) => ({ attempt: { epoch: { term: 1, peer: 'belen' }, sequence } });
const CHANGES = { jobs: ['job'], tasks: [{ job: 'job', indices: [0] }] } as unknown as Changes;

let requests: Record<string, unknown>;
let task: { redo: number; results: Record<string, unknown> };
let alba: Machine;
let discards: Discards;
beforeEach(() => {
  requests = {};
  task = { redo: 0, results: { first: resultOf(1) } };
  const queries = {
    jobRecord: () => ({ requests }),
    taskRecord: () => ({ kind: 'task', job: 'job', index: 0, retry: 0, ...task }),
  };
  alba = { name: 'alba', peer: 'alba', disk: newDisk(), queries } as unknown as Machine;
  discards = new Discards({ of: () => alba, tally: { outcome: () => undefined } } as unknown as SimFarm);
  discards.deed({ kind: 'submitted', job: 'job', plan, at: alba });
});

const asks = (...tasks: readonly string[]): void =>
  discards.deed({ kind: 'requeue', job: 'job', at: alba, tasks });
const discardsThese = (author: string, ...numbers: readonly number[]): void => {
  const tasks = numbers.map((number) => ({ start: number, end: number, step: 1 }));
  requests = { ...requests, [`${author} ${numbers.join()}`]: { kind: 'redo', level: 1, author, tasks } };
};
const shows = (): void => discards.changed(alba, CHANGES);

describe('R33: a requeue', () => {
  it('may discard what a person named, and what is made of that', () => {
    asks('#0');
    discardsThese('alba', 0, 2);
    assert.doesNotThrow(shows);
  });

  it('may discard nothing else, and nothing in the name of another', () => {
    asks('#0');
    discardsThese('alba', 0, 1, 2);
    assert.throws(shows, { rule: 'requeue', message: /discards job\/0,1,2, which nobody named there/ });
    requests = {};
    discardsThese('belen', 0);
    assert.throws(shows, { rule: 'requeue', message: /which nobody named there/ });
  });

  it('alone raises the level of a task, which never goes back', () => {
    task.redo = 1;
    assert.throws(shows, { rule: 'requeue', message: /at redo 1, and 0 was asked for/ });
    asks('#0');
    discardsThese('alba', 0, 2);
    task.results = {};
    assert.doesNotThrow(shows);
    task.redo = 0;
    assert.throws(shows, { rule: 'requeue', message: /takes job\/0 back to redo 0/ });
  });

  it('alone takes a result out of a record that holds it', () => {
    assert.doesNotThrow(shows);
    task.results = { second: resultOf(2) };
    assert.throws(shows, {
      rule: 'requeue',
      message: /lost the result 1\.1\.belen of job\/0 without a redo/,
    });
  });
});
