import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { attemptKey, encode, type KnownRecord, type TaskResult } from '@cuadro/protocol';
import type { Changes } from '../../node/src/core/interface.ts';
import type { Grants } from './checkers/grants.ts';
import { ShownFrames } from './checkers/shown.ts';
import { newDisk } from './disk.ts';
import type { Machine } from './machine.ts';
import { HEAD_BYTES } from './on-disk.ts';

/** The judge of what is shown, told by hand what the node of one machine says and what is on its disk. */

type States = Readonly<Record<number, 'rendered' | 'done'>>;

const job = { kind: 'job', id: 'job', requests: {} } as unknown as KnownRecord;
const attemptOf = (sequence: number): TaskResult['attempt'] => ({ epoch: { term: 1, peer: 'a' }, sequence });

function taskWith(states: States): KnownRecord {
  const results = Object.entries(states).map(([sequence, state]) => {
    const attempt = attemptOf(Number(sequence));
    const holders = { belen: { held: true, counter: 1 } };
    return [attemptKey(attempt), { attempt, state, holders, files: [{ blob: `file ${sequence}` }] }];
  });
  const task = { kind: 'task', job: 'job', index: 0, redo: 0, retry: 0, failures: {} };
  return { ...task, results: Object.fromEntries(results) } as unknown as KnownRecord;
}

/** Granted without knowledge of each other. */
const grantsOf = (knew: ReadonlySet<string> = new Set(), more: object = {}): unknown[] =>
  [1, 2].map((sequence) => [attemptKey(attemptOf(sequence)), { grant: { ...more }, knew }]);
const grants = grantsOf();

let shown: ShownFrames;
let disk: ReturnType<typeof newDisk>;
let inMemory: States;
let machine: Machine;
beforeEach(() => {
  shown = new ShownFrames({ seen: new Map(grants as []) } as unknown as Grants);
  disk = newDisk();
  const records = { taskRecord: () => taskWith(inMemory), jobRecord: () => job };
  const queries = { ...records, taskState: () => 'done' };
  machine = { name: 'elena', peer: 'elena', disk, queries } as unknown as Machine;
  write('job/job', job);
});

function write(key: string, record: KnownRecord): void {
  disk.records.records.set(key, Buffer.concat([Buffer.alloc(HEAD_BYTES), encode(record)]));
}

function shows(states: States): void {
  inMemory = states;
  shown.changed(machine, { tasks: [{ job: 'job', indices: [0] }] } as unknown as Changes);
}

function writes(states: States): void {
  write('task/job/0000000000', taskWith(states));
  shows(states);
}

const NEWER: States = { 2: 'done' };
/** A copy of the older one is made here: both are done, and it counts (SPEC R38). */
const BOTH: States = { 1: 'done', 2: 'done' };
/** And without that copy. */
const BEFORE: States = { 1: 'rendered', 2: 'done' };

const TO_AND_FRO = { rule: 'done frames', message: /elena goes back and forth between dones of job\/0/ };

it('R38: a done that another one took the place of does not come back', () => {
  writes(NEWER);
  writes(BOTH);
  assert.throws(() => shows(BEFORE), TO_AND_FRO);
});

it('R38: nor does it where the node ended meanwhile, whose disk has the other one', () => {
  writes(NEWER);
  writes(BOTH);
  shown.crashed(machine);
  assert.throws(() => shows(BEFORE), TO_AND_FRO);
});

it('a node that ended before it had written the other one comes back with what its disk says', () => {
  writes(BEFORE);
  shows(BOTH);
  shown.crashed(machine);
  assert.doesNotThrow(() => shows(BEFORE));
  assert.doesNotThrow(() => writes(BOTH));
});

it('R38: and goes to and fro no more from there', () => {
  writes(BEFORE);
  shows(BOTH);
  shown.crashed(machine);
  shows(BEFORE);
  shows(BOTH);
  assert.throws(() => shows(BEFORE), TO_AND_FRO);
});

it('R38: the end of another machine changes nothing', () => {
  writes(BEFORE);
  shows(BOTH);
  shown.crashed({ name: 'dolores', peer: 'dolores', disk } as Machine);
  assert.throws(() => shows(BEFORE), TO_AND_FRO);
});

const REST = { kind: 'task', job: 'job', index: 0, redo: 0, retry: 0, failures: {} };

it('a node shows as done what its records say is done, and nothing else', () => {
  const { queries } = machine;
  const shownAs = (state: string | undefined): void =>
    void Object.assign(queries ?? {}, { taskState: () => state });
  shownAs('open');
  assert.throws(() => shows(NEWER), {
    rule: 'what is shown',
    message: 'elena shows job/0 as open, its records say otherwise.',
  });
  shownAs('done');
  assert.throws(() => shows({ 1: 'rendered' }), { rule: 'what is shown', message: /shows job\/0 as done/ });
  shownAs('open');
  assert.doesNotThrow(() => shows({ 1: 'rendered' }));
  shownAs(undefined);
  assert.doesNotThrow(() => shows(NEWER), 'it does not know the job');
});

it('R59: of what it holds itself a node uses the result that counts', () => {
  const attempt = attemptOf(2);
  const holders = { elena: { held: true, counter: 1 } };
  const result = { attempt, state: 'done', holders, files: [] };
  const task = { ...REST, results: { [attemptKey(attempt)]: result } };
  let used: object | undefined = result;
  Object.assign(machine.queries ?? {}, { taskRecord: () => task, resultAtHand: () => used });
  assert.doesNotThrow(() => shows(NEWER));
  const OTHER = {
    rule: 'what is shown',
    message: 'elena uses another result of job/0 than the one that counts.',
  };
  used = { ...result, attempt: attemptOf(1) };
  assert.throws(() => shows(NEWER), OTHER);
  used = undefined;
  assert.throws(() => shows(NEWER), OTHER);
});

const judgeOf = (seen: readonly unknown[]): void =>
  void (shown = new ShownFrames({ seen: new Map(seen as []) } as unknown as Grants));

it('a done changes its file where the two were made without knowledge of each other', () => {
  shows(NEWER);
  assert.doesNotThrow(() => shows(BOTH));
  assert.equal(shown.changes, 1);
});

it('not where one was made although the other was known, unless it stood in for that', () => {
  judgeOf(grantsOf(new Set([attemptKey(attemptOf(2))])));
  shows(NEWER);
  const KNOWN = {
    rule: 'done frames',
    message: 'elena shows another file for the done job/0, made although the first was known.',
  };
  assert.throws(() => shows(BOTH), KNOWN);
  judgeOf(grantsOf(new Set([attemptKey(attemptOf(1))])));
  shows(NEWER);
  assert.throws(() => shows(BOTH), KNOWN, 'whichever was first');
  judgeOf(grantsOf(new Set([attemptKey(attemptOf(2))]), { substitute: true }));
  shows(NEWER);
  assert.doesNotThrow(() => shows(BOTH));
});

it('nor where nobody granted one of them', () => {
  judgeOf(grantsOf().slice(1));
  shows(NEWER);
  assert.throws(() => shows(BOTH), {
    rule: 'done frames',
    message: 'elena shows another file for the done job/0, made without a grant.',
  });
});
