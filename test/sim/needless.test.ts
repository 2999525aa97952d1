import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { attemptKey, encode, type KnownRecord, type TaskResult } from '@cuadro/protocol';
import type { CoreEffect, CoreInput } from '../../node/src/core/interface.ts';
import type { Grant } from './checkers/checker.ts';
import { Needless } from './checkers/needless.ts';
import { newDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { HEAD_BYTES } from './on-disk.ts';

/** The judge of needless work, told by hand what goes into one coordinator's brain and what that then decides. */

const MINUTE_MS = 60_000;
const epoch = { term: 1, peer: 'carmen' };
const attempt = { epoch, sequence: 4 };
const NOTHING = { kind: 'wake' } as CoreInput;
const NEEDLESS = { rule: 'duplicates explained' };

let removals: Record<string, unknown>;
let requests: Record<string, unknown>;
let timeline: { now: number };
let carmen: Machine;
let needless: Needless;
beforeEach(() => {
  removals = {};
  requests = {};
  timeline = { now: MINUTE_MS };
  const queries = { memberRecords: () => [{ peer: 'belen', removals }], jobRecord: () => ({ requests }) };
  carmen = { name: 'carmen', peer: 'carmen', host: { life: 1 }, disk: newDisk(), queries } as never;
  const machines = [carmen, { name: 'Belén', peer: 'belen' }];
  needless = new Needless({ timeline, machines, of: () => machines[1] } as unknown as SimFarm);
});

type Held = Record<string, readonly [counter: number, held: boolean]>;

function resultOf(held: Held): TaskResult {
  const holders = Object.entries(held).map(([peer, [counter, isHeld]]) => [peer, { counter, held: isHeld }]);
  return {
    attempt,
    peer: 'belen',
    state: 'rendered',
    files: [],
    holders: Object.fromEntries(holders),
  } as never;
}

function recordOf(held: Held, redo = 0): KnownRecord {
  const results = { [attemptKey(attempt)]: resultOf(held) };
  return { kind: 'task', job: 'job', index: 3, redo, retry: 0, results, failures: {} } as never;
}

const gets = (...records: KnownRecord[]): CoreInput =>
  ({ kind: 'records', from: 'belen', records }) as CoreInput;

const hears = (redo = 0): CoreInput => {
  const outcome = { kind: 'result', result: resultOf({ belen: [1, true] }) };
  const message = { kind: 'result', job: 'job', task: 3, redo, retry: 0, attempt, outcome };
  return { kind: 'message', from: 'belen', message } as unknown as CoreInput;
};

function connection(state: 'reachable' | 'lost'): void {
  needless.decided(carmen, [], { kind: 'peer', peer: 'belen', state } as CoreInput);
}

function grants(input: CoreInput, told: Partial<Grant> = {}): void {
  const grant = {
    attempt: { epoch, sequence: 9 },
    job: 'job',
    task: 3,
    redo: 0,
    retry: 0,
    leaseMs: 4_000,
    ...told,
  };
  const message = { kind: 'grants', epoch, grants: [grant] };
  needless.decided(carmen, [{ kind: 'send', to: 'dolores', message } as CoreEffect], input);
}

it('R38: what a coordinator was told to be rendered may not be granted, by message, record or disk', () => {
  assert.doesNotThrow(() => grants(NOTHING));
  assert.throws(() => grants(hears()), {
    ...NEEDLESS,
    message: /told that Belén holds the result of 1\.4\.carmen/,
  });
  needless.crashed(carmen);
  assert.doesNotThrow(() => grants(NOTHING), 'a message is forgotten with the process');
  assert.throws(() => grants(gets(recordOf({ belen: [1, true] }))), NEEDLESS);
  needless.crashed(carmen);
  const bytes = Buffer.concat([Buffer.alloc(HEAD_BYTES), encode(recordOf({ belen: [1, true] }))]);
  carmen.disk.records.records.set('task/job/0000000003', bytes);
  assert.throws(() => grants(NOTHING), NEEDLESS, 'what is on the disk is not');
});

it('R24, R33, R53: a redo, a holder that withdrew or is out, and a result of another level explain it', () => {
  assert.doesNotThrow(() => grants(gets(recordOf({ belen: [1, true] })), { redo: 1 }));
  assert.doesNotThrow(() => grants(gets(recordOf({ belen: [2, false] }))));
  assert.doesNotThrow(() => grants(gets(recordOf({ belen: [1, true] }))), 'an older word changes nothing');
  assert.throws(() => grants(gets(recordOf({ belen: [3, true] }))), NEEDLESS);
  removals = { elena: {} };
  assert.doesNotThrow(() => grants(NOTHING));
  removals = {};
  needless.crashed(carmen);
  requests = { r: { kind: 'redo', level: 1, tasks: [{ start: 3, end: 3, step: 1 }] } };
  assert.doesNotThrow(() => grants(hears(), { redo: 1 }));
  assert.throws(() => grants(hears(1), { redo: 1 }), NEEDLESS);
});

it('R59: a substitute needs all holders out of reach, for a minute where one has it, for ten where two have', () => {
  const alone = gets(recordOf({ belen: [1, true] }));
  connection('reachable');
  timeline.now += 20 * MINUTE_MS;
  const substitutes = (input: CoreInput): void => grants(input, { substitute: true });
  assert.throws(() => substitutes(alone), { ...NEEDLESS, message: /as a substitute, although Belén/ });
  connection('lost');
  timeline.now += MINUTE_MS / 2;
  assert.throws(() => substitutes(alone), NEEDLESS);
  timeline.now += MINUTE_MS / 2;
  assert.doesNotThrow(() => substitutes(alone));
  const onTwo = gets(recordOf({ belen: [1, true], elena: [1, true] }));
  assert.throws(() => substitutes(onTwo), NEEDLESS);
  timeline.now += 9 * MINUTE_MS;
  assert.doesNotThrow(() => substitutes(onTwo));
});

it('R113: a worker may not begin what it knows to be rendered', () => {
  const grant = {
    attempt: { epoch: { term: 1, peer: 'dolores' }, sequence: 2 },
    job: 'job',
    task: 3,
    redo: 0,
  };
  const begins = (): void => needless.decided(carmen, [{ kind: 'run', grant } as never], NOTHING);
  assert.doesNotThrow(begins);
  needless.decided(carmen, [], gets(recordOf({ belen: [1, true] })));
  assert.throws(begins, { ...NEEDLESS, message: /carmen begins job\/3/ });
});
