import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Message } from '@cuadro/protocol';
import type { CoreEffect } from '../../node/src/core/interface.ts';
import { Accusations } from './checkers/accusations.ts';
import type { Grants } from './checkers/grants.ts';
import { newDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';

/** The judge of who is said to have vanished, told by hand how Belen fared, of whom Alba leads and may say so. */

const attempt = { epoch: { term: 1, peer: 'alba' }, sequence: 3 };

let timeline: { now: number };
let alba: Machine;
let belen: Machine;
/** From Alba to Belen, and back. */
let way: { isCut: boolean; loss: number; baseMs: number };
let back: typeof way;
let isConnected: boolean;
/** What Alba shows of what Belen runs, and when she heard a word of Belen's last. */
let running: object[];
let wordAt: number | undefined;
let accusations: Accusations;
beforeEach(() => {
  timeline = { now: 0 };
  way = { isCut: false, loss: 0, baseMs: 1 };
  back = { ...way };
  isConnected = true;
  [running, wordAt] = [[], undefined];
  [alba, belen] = [machineNamed('alba', true), machineNamed('belen', false)];
  const machines = [alba, belen];
  const farm = {
    ...{ machines, timeline, of: (peer: string) => machines.find((one) => one.peer === peer) },
    wire: {
      way: (from: string) => (from === 'alba' ? way : back),
      pair: () => ({ session: { isOpen: () => isConnected } }),
    },
  };
  const grants = { seen: new Map([['1.3.alba', { at: 15_000 }]]), wordAt: () => wordAt };
  accusations = new Accusations(farm as unknown as SimFarm, grants as unknown as Grants);
  looksUntil(20_000);
});

function machineNamed(name: string, isCoordinator: boolean): Machine {
  const queries = {
    isCoordinator,
    farm: () => ({ coordinators: [{ peer: 'alba', term: 1 }] }),
    nodes: () => [{ peer: 'belen', live: { running } }],
  };
  const state = { isUp: true, isRemoved: false, host: { isStalled: false, life: 1 } };
  const life = { farm: { door: () => ({ state: 'member' }) } };
  return { name, peer: name, disk: newDisk(), queries, life, ...state } as unknown as Machine;
}

function looksUntil(ms: number): void {
  while (timeline.now < ms) {
    timeline.now += 500;
    accusations.look();
  }
}

function accuses(cause = 'lost', kind = 'publish', peer = 'belen'): void {
  const failures = { one: { attempt, peer, cause } };
  const records = [{ kind: 'task', job: 'job', index: 2, failures }];
  accusations.decided(alba, [{ kind, records } as unknown as CoreEffect]);
}

const FALSE = { rule: 'false accusation', message: /alba says that belen vanished with job\/2, which was/ };

describe('a machine that was there all the time', () => {
  it('is not said to have vanished', () => {
    assert.throws(() => accuses(), FALSE);
  });

  it('may be said to have failed, and what others said is no word of this coordinator', () => {
    assert.doesNotThrow(() => accuses('failed'));
    assert.doesNotThrow(() => accuses('lost', 'persist'));
    assert.doesNotThrow(() => accuses('lost', 'publish', 'alba'), 'nor is what one says of itself');
  });

  it('nor does another one excuse it that stood still and kept its connection', () => {
    Object.assign(alba.host, { isStalled: true });
    looksUntil(30_000);
    assert.throws(() => accuses(), FALSE);
  });
});

const HINDRANCES: Readonly<Record<string, () => void>> = {
  'was off': () => Object.assign(belen, { isUp: false }),
  'stood still': () => Object.assign(belen.host, { isStalled: true }),
  'had a broken disk': () => Object.assign(belen.disk.faults, { broken: true }),
  'had no room for records': () => Object.assign(belen.disk.faults, { filled: true }),
  'had a slow disk': () => Object.assign(belen.disk.faults, { writeMs: 21 }),
  'was no member': () => Object.assign(belen, { life: { farm: { door: () => ({ state: 'waiting' }) } } }),
  'was cut off': () => Object.assign(way, { isCut: true }),
  'could not answer': () => Object.assign(back, { isCut: true }),
  'had a bad way': () => Object.assign(way, { loss: 0.1 }),
  'had a slow way': () => Object.assign(way, { baseMs: 101 }),
  'was apart from one that slept': () => {
    Object.assign(alba.host, { isStalled: true });
    isConnected = false;
  },
};

describe('R52: a machine may be said to have vanished', () => {
  for (const [what, hinder] of Object.entries(HINDRANCES))
    it(`that ${what} a while ago`, () => {
      hinder();
      looksUntil(22_000);
      assert.doesNotThrow(() => accuses());
    });

  it('not where that was long ago', () => {
    Object.assign(way, { isCut: true });
    looksUntil(22_000);
    Object.assign(way, { isCut: false });
    looksUntil(34_000);
    assert.throws(() => accuses(), FALSE);
  });

  it('whose process ended since it was granted, however long ago', () => {
    accusations.crashed(belen);
    looksUntil(60_000);
    assert.doesNotThrow(() => accuses());
  });
});

describe('R111: one that told a coordinator that it follows another', () => {
  const follows = (peer: string, isGossip = false, more: object = {}): void => {
    const message = { kind: 'beacon', peer: 'belen', follows: { peer }, ...more };
    accusations.heard(alba, 'belen', message as unknown as Message, isGossip);
  };
  const ELSEWHERE = { rule: 'false accusation', message: /which told it that it follows another/ };
  /** Else anything may be said of it. */
  const isOff = (): void => {
    Object.assign(belen, { isUp: false });
    looksUntil(20_500);
  };

  it('has not vanished', () => {
    isOff();
    follows('carmen');
    assert.throws(() => accuses(), ELSEWHERE);
  });

  it('may have where it follows this one again', () => {
    isOff();
    follows('carmen');
    follows('alba');
    assert.doesNotThrow(() => accuses());
  });

  it('or said so by way of others', () => {
    isOff();
    follows('carmen', true);
    assert.doesNotThrow(() => accuses());
  });

  it('or where it was no beacon, not its own, or heard by one that did not lead', () => {
    isOff();
    follows('carmen', false, { kind: 'pulse' });
    follows('carmen', false, { peer: 'dolores' });
    Object.assign(alba.queries ?? {}, { isCoordinator: false });
    follows('carmen');
    assert.doesNotThrow(() => accuses());
  });

  it('or in another reign', () => {
    isOff();
    follows('carmen');
    Object.assign(alba.queries ?? {}, { farm: () => ({ coordinators: [{ peer: 'alba', term: 2 }] }) });
    assert.doesNotThrow(() => accuses());
  });
});

describe('R52: the lease of a machine that is off', () => {
  const ENDS = { rule: 'leases end', message: 'alba leaves job/2 with belen, which is off for 7000 ms.' };
  beforeEach(() => {
    running = [{ job: 'job', task: 2 }];
    accusations.crashed(belen);
    Object.assign(belen, { isUp: false });
  });

  it('ends in its time', () => {
    looksUntil(26_500);
    assert.throws(() => looksUntil(27_000), ENDS);
  });

  it('or nothing is held', () => {
    running = [];
    assert.doesNotThrow(() => looksUntil(60_000));
  });

  it('counted from its last word', () => {
    wordAt = 23_000;
    looksUntil(29_500);
    assert.throws(() => looksUntil(30_000), { rule: 'leases end' });
  });

  it('by one that has led for long enough, and whose disk lets it', () => {
    Object.assign(alba.disk.faults, { writeMs: 21 });
    looksUntil(22_500);
    Object.assign(alba.disk.faults, { writeMs: 2 });
    assert.doesNotThrow(() => looksUntil(33_500), 'it may have come to lead only now');
    assert.throws(() => looksUntil(34_000), { rule: 'leases end' });
  });
});
