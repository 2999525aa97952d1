import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { encode, type Message } from '@cuadro/protocol';
import type { CoreEffect } from '../../node/src/core/interface.ts';
import { Members } from './checkers/members.ts';
import type { SimFarm } from './farm.ts';
import { emptyDisk } from '../../node/src/store/memory-store.ts';
import type { Machine } from './machine.ts';
import { HEAD_BYTES } from './on-disk.ts';

/** The judge of what a removed machine gets, told by hand of Carmen, who may know that Dolores was removed. */

/** Of whom Carmen's records have a removal, whom her brain takes for one that is out, and whom she is connected to. */
let removals: Set<string>;
let out: Set<string>;
let connected: Set<string>;
let carmen: Machine;
let dolores: Machine;
let members: Members;
beforeEach(() => {
  [removals, out, connected] = [new Set(), new Set(), new Set(['dolores'])];
  const record = (peer: string) => ({ peer, removals: removals.has(peer) ? { alba: {} } : {} });
  const queries = { memberRecords: () => ['carmen', 'dolores'].map(record), removed: () => out };
  carmen = { name: 'carmen', peer: 'carmen', queries } as unknown as Machine;
  dolores = { name: 'dolores', peer: 'dolores' } as unknown as Machine;
  const machines = [carmen, dolores];
  for (const machine of machines) Object.assign(machine, { disk: { records: emptyDisk() }, isGone: false });
  members = new Members({
    ...{ machines, up: () => [carmen], of: (peer: string) => machines.find((one) => one.peer === peer) },
    wire: { pair: (_: string, peer: string) => ({ session: { isOpen: () => connected.has(peer) } }) },
  } as unknown as SimFarm);
});

/** Carmen comes to know it. */
const know = (peer: string): void => {
  removals.add(peer);
  if (peer !== 'carmen') out.add(peer);
};
const pulse = (...successors: string[]): CoreEffect[] => [
  { kind: 'gossip', topic: 'pulse', message: { kind: 'pulse', successors } } as unknown as CoreEffect,
];
const look = (): void => members.look();
const hear = (): void => members.heard(carmen, 'dolores', { kind: 'beacon' } as Message);

it('R190: who knows that a machine is out is not connected to it', () => {
  assert.doesNotThrow(look);
  know('dolores');
  assert.throws(look, { rule: 'removed members', message: /carmen knows that dolores was removed/ });
  connected.clear();
  assert.doesNotThrow(look);
});

it('R191: who knows that a machine is out hears nothing of it', () => {
  assert.doesNotThrow(hear);
  know('dolores');
  assert.throws(hear, { rule: 'removed members', message: /carmen hears a beacon of dolores/ });
});

it('R190: who knows of its own end stays connected until that is durable', () => {
  know('dolores');
  know('carmen');
  assert.doesNotThrow(look);
  assert.doesNotThrow(hear);
});

it('R65: one whose removal has no effect is a member, and so is one that only a brain takes for out', () => {
  removals.add('dolores');
  assert.doesNotThrow(look);
  assert.doesNotThrow(() => members.decided(carmen, pulse('dolores')));
  removals.clear();
  out.add('dolores');
  assert.doesNotThrow(look);
});

it('R191: who knows that a machine is out does not name it as a successor', () => {
  assert.doesNotThrow(() => members.decided(carmen, pulse('dolores')));
  know('dolores');
  assert.doesNotThrow(() => members.decided(carmen, pulse('elena')));
  assert.throws(() => members.decided(carmen, pulse('elena', 'dolores')), {
    rule: 'removed members',
    message: /carmen names the removed dolores/,
  });
});

/** The disk of a machine tells that Dolores was removed, and what its node shows follows. */
const write = (machine: Machine): void => {
  const bytes = encode({ kind: 'member', peer: 'dolores', removals: { carmen: {} } });
  const stored = new Uint8Array([...new Uint8Array(HEAD_BYTES), ...bytes]);
  machine.disk.records.records.set('member/dolores', stored);
};
const changed = (machine: Machine) => (): void => members.changed(machine, { members: true });

it('R186: a machine that knows of its own end is not the only one with that on its disk', () => {
  assert.doesNotThrow(changed(dolores));
  write(carmen);
  assert.doesNotThrow(changed(carmen));
  write(dolores);
  assert.doesNotThrow(changed(dolores));
});

it('R186: one that alone has it on its disk heard of it too early', () => {
  write(dolores);
  assert.throws(changed(dolores), {
    rule: 'removed members',
    message: 'dolores alone knows that it was removed.',
  });
});

it('R186: whose disk was destroyed may have had it', () => {
  Object.assign(carmen, { isGone: true });
  write(dolores);
  assert.doesNotThrow(changed(dolores));
});
