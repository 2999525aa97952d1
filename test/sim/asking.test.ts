import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import type { Message } from '@cuadro/protocol';
import type { CoreEffect } from '../../node/src/core/interface.ts';
import { Asking } from './checkers/asking.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';

/** The judge of what a new coordinator asks, told by hand of two connected machines, of which one comes to lead. */

const farm = { id: 'farm' };
const epoch = { term: 1, peer: 'carmen' };
const dolores = { name: 'dolores', peer: 'dolores', queries: { farmRecord: () => farm } };

/** Of whom Carmen's records have a removal, and whom her brain takes for one that is out. */
let removals: string[];
let out: Set<string>;
let asking: Asking;
let carmen: Machine;
beforeEach(() => {
  removals = [];
  out = new Set();
  const record = () => ({ peer: 'dolores', removals: Object.fromEntries(removals.map((by) => [by, {}])) });
  const queries = {
    ...{ isCoordinator: true, epoch, farmRecord: () => farm },
    memberRecords: () => [record()],
    removed: () => out,
  };
  const life = { network: { mesh: { reachable: () => ['dolores'] } } };
  carmen = { name: 'carmen', peer: 'carmen', host: { life: 1 }, life, queries } as unknown as Machine;
  asking = new Asking({
    timeline: { now: 10_000 },
    up: () => [carmen],
    of: () => dolores,
  } as unknown as SimFarm);
  // They were connected at two looks in a row.
  asking.look();
  asking.look();
});

const RUN = { kind: 'run', grant: { attempt: { epoch, sequence: 1 } } } as unknown as CoreEffect;
const grants = (): void => asking.decided(carmen, [RUN]);
const UNASKED = { rule: 'asks first', message: /has not heard what dolores holds/ };

it('R43: who has not heard a member within reach may grant nothing as it comes to lead', () => {
  assert.throws(grants, UNASKED);
});

it('R43: it may once it has heard that one', () => {
  asking.decided(carmen, []);
  assert.throws(grants, UNASKED);
  asking.heard(carmen, 'dolores', { kind: 'beacon' } as Message);
  assert.doesNotThrow(grants);
});

it('R64, R160: one of whose removal it knows by then is no member, also where it is connected still', () => {
  asking.decided(carmen, []);
  removals.push('dolores');
  out.add('dolores');
  assert.doesNotThrow(grants);
});

it('R65: one whose removal has no effect is a member', () => {
  removals.push('alba');
  assert.throws(grants, UNASKED);
});

it('R64: one that nobody removed is a member, whatever its coordinator takes it for', () => {
  out.add('dolores');
  assert.throws(grants, UNASKED);
});
