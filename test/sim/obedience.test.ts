import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import type { Message } from '@cuadro/protocol';
import type { Grant } from './checkers/checker.ts';
import { Obedience } from './checkers/obedience.ts';
import type { Machine } from './machine.ts';

/** The judge of whom a worker obeys, told by hand what one hears and begins, and whom it follows. */

type Epoch = Grant['attempt']['epoch'];

const OLD: Epoch = { term: 1, peer: 'belen' };
const NEW: Epoch = { term: 2, peer: 'alba' };
const OLDER = {
  rule: 'no older epoch',
  message: /carmen obeys a grant of term 1, sent after it had obeyed term 2/,
};

let obedience: Obedience;
let carmen: { name: string; host: { life: number }; queries: { epoch: Epoch | undefined } };
beforeEach(() => {
  obedience = new Obedience();
  carmen = { name: 'carmen', host: { life: 1 }, queries: { epoch: undefined } };
});

const grantOf = (epoch: Epoch, sequence: number): Grant => ({ attempt: { epoch, sequence } }) as Grant;
const hears = (epoch: Epoch, sequence = 1): void => {
  const message = { kind: 'grants', epoch, grants: [grantOf(epoch, sequence)] } as unknown as Message;
  obedience.heard(carmen as unknown as Machine, epoch.peer, message);
};
const begins = (epoch: Epoch, sequence = 1): void =>
  obedience.ran(carmen as unknown as Machine, grantOf(epoch, sequence));

it('R40: a grant of an older coordinator than the one that was obeyed may not be obeyed', () => {
  hears(NEW);
  begins(NEW);
  hears(OLD);
  assert.throws(() => begins(OLD), OLDER);
});

it('R40: nor one of an older coordinator than the one that is followed', () => {
  carmen.queries.epoch = NEW;
  hears(OLD);
  assert.throws(() => begins(OLD), OLDER);
});

it('R40: of two of one term the one with the higher id is the newer', () => {
  carmen.queries.epoch = { term: 1, peer: 'carmen' };
  hears(OLD);
  assert.throws(() => begins(OLD), { rule: 'no older epoch' });
});

it('what was taken in time may be begun later', () => {
  hears(OLD);
  hears(NEW, 2);
  begins(NEW, 2);
  assert.doesNotThrow(() => begins(OLD));
});

it('a process that was started again has obeyed nobody', () => {
  hears(NEW);
  begins(NEW);
  carmen.host.life = 2;
  hears(OLD);
  assert.doesNotThrow(() => begins(OLD));
});
