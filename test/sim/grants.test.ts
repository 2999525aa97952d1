import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import type { Message } from '@cuadro/protocol';
import type { CoreEffect } from '../../node/src/core/interface.ts';
import type { Grant } from './checkers/checker.ts';
import { Grants } from './checkers/grants.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';

/** The judge of grants, told by hand what a coordinator hears of one worker and what it then grants. */

const epoch = { term: 1, peer: 'leader' };
const queries = { isCoordinator: true, epoch, taskState: () => 'open', taskRecord: () => undefined };
const leader = { name: 'carmen', peer: 'leader', queries: { ...queries, jobRecord: () => undefined } };
const task = { job: 'job', task: 3, redo: 0, retry: 0 };
/** Past the time for which a word of a machine surely holds its leases. */
const LATER_MS = 5_000;

let timeline: { now: number };
let grants: Grants;
beforeEach(() => {
  timeline = { now: 10_000 };
  grants = new Grants({ timeline, of: () => ({ name: 'belen' }) } as unknown as SimFarm);
});

function hears(sequence: number, way: 'stream' | 'gossip'): void {
  const held = [{ ...task, attempt: { epoch, sequence: 9 }, running: true, fraction: 0 }];
  const beacon = { kind: 'beacon', peer: 'worker', sequence, follows: epoch, held, load: 0 };
  grants.heard(leader as unknown as Machine, 'worker', beacon as unknown as Message, way === 'gossip');
}

function grantsAnew(): void {
  const grant = { ...task, attempt: { epoch, sequence: 31 }, leaseMs: 4_000 } as Grant;
  const message = { kind: 'grants', epoch, grants: [grant] } as Message;
  grants.decided(leader as unknown as Machine, [{ kind: 'send', to: 'worker', message }]);
}

const TWICE = { rule: 'no two at once', message: /although belen told that it runs 1\.9\.leader/ };

it('R43: what a machine has just said that it runs may not be granted', () => {
  hears(32, 'gossip');
  timeline.now += LATER_MS;
  hears(33, 'stream');
  assert.throws(grantsAnew, TWICE);
});

it('R117: a beacon that a later one has overtaken by way of others is no word of what its machine runs', () => {
  hears(32, 'gossip');
  timeline.now += LATER_MS;
  hears(31, 'stream');
  assert.doesNotThrow(grantsAnew);
});

it('R117: one whose sequence is lower by far comes of a new run, and is', () => {
  hears(32, 'gossip');
  timeline.now += LATER_MS;
  hears(1, 'stream');
  assert.throws(grantsAnew, TWICE);
});

/** What the records of the coordinator say of the task. */
let record: object | undefined;
beforeEach(() => (record = undefined));
/** A coordinator that has such a record and is connected to the worker. */
const judge = {
  ...leader,
  life: { network: { mesh: { reachable: () => ['worker'] } } },
  queries: {
    ...leader.queries,
    ...{ taskRecord: () => record, jobRecord: () => ({ requests: {} }) },
    memberRecords: () => [{ peer: 'worker', removals: { carmen: {} } }],
  },
} as unknown as Machine;
const elena = { name: 'elena', peer: 'elena', queries: judge.queries } as unknown as Machine;
const worker = { name: 'belen', peer: 'worker' } as unknown as Machine;

const grantOf = (sequence: number, by = 'leader', more: object = {}): Grant => ({
  ...{ ...task, attempt: { epoch: { term: 1, peer: by }, sequence }, leaseMs: 4_000 },
  ...more,
});

function sends(grant: Grant): Message {
  const message = { kind: 'grants', epoch, grants: [grant] } as Message;
  grants.decided(judge, [{ kind: 'send', to: 'worker', message }]);
  grants.sent(judge, 'worker', message);
  return message;
}

it('R41: an attempt is granted once', () => {
  sends(grantOf(1));
  assert.throws(() => sends(grantOf(1)), { rule: 'attempts', message: '1.1.leader is granted twice.' });
});

it('R41: but what a crash came before was never granted', () => {
  const message = { kind: 'grants', epoch, grants: [grantOf(1)] } as Message;
  grants.decided(judge, [{ kind: 'send', to: 'worker', message }]);
  grants.crashed(worker);
  assert.doesNotThrow(() => sends(grantOf(1)));
});

it('R40: nobody grants in the name of another', () => {
  assert.throws(() => sends(grantOf(1, 'dolores')), {
    rule: 'grants',
    message: 'carmen grants in the name of another.',
  });
});

it('nobody runs what nobody granted', () => {
  sends(grantOf(1));
  assert.doesNotThrow(() => grants.ran(worker, grantOf(1)));
  assert.throws(() => grants.ran(worker, grantOf(2)), {
    rule: 'grants',
    message: 'belen runs what nobody granted.',
  });
});

it('a coordinator grants to its own worker without a message', () => {
  grants.decided(judge, [{ kind: 'run', grant: grantOf(1) } as unknown as CoreEffect]);
  assert.doesNotThrow(() => grants.ran(judge, grantOf(1)));
});

const TWO = { rule: 'no two at once', message: 'carmen grants one task twice: 1.1.leader and 1.2.leader.' };

it('R52: no two attempts of a task are out at once', () => {
  grants.heard(judge, 'worker', { kind: 'idle' } as unknown as Message, false);
  sends(grantOf(1));
  assert.throws(() => sends(grantOf(2)), TWO);
});

const FREED: Readonly<Record<string, () => void>> = {
  'has ended': () =>
    grants.heard(
      judge,
      'worker',
      { kind: 'result', attempt: grantOf(1).attempt, outcome: { kind: 'failure' } } as unknown as Message,
      false,
    ),
  'was taken back': () =>
    grants.decided(judge, [{ kind: 'stop-attempt', attempt: grantOf(1).attempt } as unknown as CoreEffect]),
  'ended with its machine': () => grants.crashed(worker),
  'was silent for as long as a lease may end': () => (timeline.now += 2_000),
  'is in the records': () => (record = { ...task, failures: { '1.1.leader': {} }, results: {} }),
};
for (const [what, free] of Object.entries(FREED))
  it(`R52: but after one that ${what}`, () => {
    grants.heard(judge, 'worker', { kind: 'idle' } as unknown as Message, false);
    sends(grantOf(1));
    free();
    assert.doesNotThrow(() => sends(grantOf(2)));
  });

const beaconOf = (...sequences: readonly number[]): Message =>
  ({
    ...{ kind: 'beacon', peer: 'worker', follows: epoch, load: 0 },
    held: sequences.map((sequence) => ({ ...task, attempt: grantOf(sequence).attempt })),
  }) as unknown as Message;
const hearsThat = (message: Message, isGossip = false): void =>
  grants.heard(judge, 'worker', message, isGossip);
const idle = { kind: 'idle' } as unknown as Message;

it('R52: an attempt that two beacons in a row leave out is free, not by one, nor by two that come together', () => {
  hearsThat(idle);
  sends(grantOf(1));
  hearsThat(beaconOf());
  assert.throws(() => sends(grantOf(2)), TWO);
  timeline.now += 300;
  hearsThat(beaconOf());
  assert.throws(() => sends(grantOf(2)), TWO);
  timeline.now += 200;
  hearsThat(beaconOf(1));
  hearsThat(beaconOf());
  assert.throws(() => sends(grantOf(2)), TWO, 'it was listed between them');
  timeline.now += 500;
  hearsThat(beaconOf());
  assert.doesNotThrow(() => sends(grantOf(2)));
});

it('R52: nor do beacons of another machine free it, or what another coordinator hears', () => {
  hearsThat(idle);
  sends(grantOf(1));
  for (let i = 0; i < 3; i++) {
    timeline.now += 500;
    grants.heard(judge, 'dolores', beaconOf(), false);
    grants.heard(elena, 'worker', beaconOf(), false);
  }
  assert.throws(() => sends(grantOf(2)), TWO);
});

it('R52, R104: a word after a silence is too late for what was held; of gossip only beacons are words', () => {
  hearsThat(idle);
  sends(grantOf(1));
  timeline.now += 2_000;
  hearsThat(idle);
  assert.doesNotThrow(() => sends(grantOf(2)));
  timeline.now += 1_000;
  hearsThat(idle, true);
  timeline.now += 1_000;
  assert.doesNotThrow(() => sends(grantOf(3)), 'a pulse that took the long way renews nothing');
  hearsThat(idle);
  sends(grantOf(4));
  timeline.now += 1_000;
  hearsThat(beaconOf(4), true);
  timeline.now += 1_000;
  assert.throws(() => sends(grantOf(5)), {
    rule: 'no two at once',
    message: /1\.4\.leader and 1\.5\.leader/,
  });
});

it('R52: what the coordinator has its own worker run ends there, and by no word of another', () => {
  const runs = (sequence: number): void =>
    grants.decided(judge, [{ kind: 'run', grant: grantOf(sequence) } as unknown as CoreEffect]);
  runs(1);
  grants.ended(worker, '1.1.leader');
  timeline.now += 60_000;
  assert.throws(() => runs(2), TWO);
  grants.ended(judge, '1.1.leader');
  assert.doesNotThrow(() => runs(2));
});

it('R54: a task that failed three times, or was lost five times, is tried no more', () => {
  const failures = (cause: string, count: number): object =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`${at}`, { cause }]));
  const has = (cause: string, count: number): void =>
    void (record = { ...task, failures: failures(cause, count), results: {} });
  has('failed', 2);
  assert.doesNotThrow(() => sends(grantOf(1)));
  has('failed', 3);
  assert.throws(() => sends(grantOf(2)), {
    rule: 'tried on',
    message: /failed 3 times and was lost 0 times/,
  });
  has('lost', 5);
  assert.throws(() => sends(grantOf(3)), {
    rule: 'tried on',
    message: /failed 0 times and was lost 5 times/,
  });
  assert.doesNotThrow(() => sends(grantOf(4, 'leader', { substitute: true })));
});

it('R38: nothing is granted that is known as done, but a substitute for it', () => {
  const done = { attempt: grantOf(9).attempt, state: 'done', holders: { worker: { held: true } } };
  record = { ...task, failures: {}, results: { '1.9.leader': done } };
  assert.throws(() => sends(grantOf(1)), {
    rule: 'no needless work',
    message: 'carmen grants job/3, which it knows as done by 1.9.leader.',
  });
  assert.doesNotThrow(() => sends(grantOf(2, 'leader', { substitute: true })));
});

it('R63: nothing is sent to one whose removal is known, but that it is to stop', () => {
  grants.deed({ kind: 'to leave', machine: worker, at: judge, machines: 1 });
  assert.doesNotThrow(() => sends(grantOf(9)), 'it has not left yet');
  grants.crashed(worker);
  grants.deed({ kind: 'remove', machine: worker, at: judge });
  assert.throws(() => sends(grantOf(1)), {
    rule: 'removed members',
    message: 'carmen sends a grants to one it removed.',
  });
  const stop = { kind: 'stop', attempts: [grantOf(1).attempt] } as unknown as Message;
  grants.decided(judge, [{ kind: 'send', to: 'worker', message: stop }]);
  assert.doesNotThrow(() => grants.sent(judge, 'worker', stop));
});
