import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import type { Message } from '@cuadro/protocol';
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
