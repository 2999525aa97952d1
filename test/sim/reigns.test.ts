import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { Reigns } from './checkers/reigns.ts';
import type { Talking } from './checkers/talking.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';

/** The judge of who gives way to whom, told by hand whom five machines follow at each look. */

interface FakeMachine {
  readonly name: string;
  readonly peer: string;
  readonly host: { isStalled: boolean; life: number };
  readonly queries: { isCoordinator: boolean; epoch: { term: number; peer: string } };
  isUp: boolean;
  isRemoved: boolean;
}

const NAMES = ['alba', 'belen', 'carmen', 'dolores', 'elena'];
let machines: Record<string, FakeMachine>;
let timeline: { now: number };
/** Those whom nobody hears surely. */
let unheard: Set<string>;
let told: string[];
let reigns: Reigns;
beforeEach(() => {
  machines = Object.fromEntries(
    NAMES.map((name) => {
      const queries = { isCoordinator: false, epoch: { term: 1, peer: 'alba' } };
      const state = { isUp: true, isRemoved: false };
      return [name, { name, peer: name, host: { isStalled: false, life: 1 }, queries, ...state }];
    }),
  );
  timeline = { now: 0 };
  unheard = new Set();
  told = [];
  const all = Object.values(machines);
  const farm = {
    ...{ machines: all, timeline, of: (peer: string) => machines[peer] },
    up: () => all.filter(({ isUp, isRemoved }) => isUp && !isRemoved),
    tally: { outcome: (kind: string) => told.push(kind) },
  };
  const talking = { for: (a: Machine, b: Machine) => !unheard.has(a.peer) && !unheard.has(b.peer) };
  reigns = new Reigns(farm as unknown as SimFarm, talking as unknown as Talking);
});

/** Whom each machine follows from now on; who follows itself leads. */
function follow(whom: Readonly<Record<string, string>>): void {
  for (const [name, peer] of Object.entries(whom)) {
    const { queries } = machines[name] as FakeMachine;
    queries.epoch = { term: 1, peer };
    queries.isCoordinator = peer === name;
  }
}

function look(times: number): void {
  for (let i = 0; i < times; i++) {
    timeline.now += 500;
    reigns.look();
  }
}

const TWO_HALVES = { alba: 'alba', belen: 'alba', carmen: 'alba', dolores: 'dolores', elena: 'dolores' };
const UNSEATED = {
  rule: 'the incumbent stays',
  message: 'alba, whom 2 followed, gives way to dolores, whom 1 followed.',
};

it('R44: a coordinator gives way to one with more followers, or as many', () => {
  follow(TWO_HALVES);
  look(10);
  follow({ dolores: 'alba' });
  assert.doesNotThrow(() => look(1));
  assert.deepEqual(
    told.filter((kind) => kind === 'coordinator yields'),
    ['coordinator yields'],
  );
});

it('R44: and with as many', () => {
  follow({ ...TWO_HALVES, carmen: 'carmen' });
  look(10);
  follow({ alba: 'dolores' });
  assert.doesNotThrow(() => look(1));
});

it('R44: not to one with fewer', () => {
  follow(TWO_HALVES);
  look(10);
  follow({ alba: 'dolores' });
  assert.throws(() => look(1), UNSEATED);
});

it('R44: nor where its own followers come along', () => {
  follow(TWO_HALVES);
  look(10);
  follow({ alba: 'dolores', belen: 'dolores', carmen: 'dolores' });
  assert.throws(() => look(1), UNSEATED);
});

it('nothing is said of one that has led for a shorter while than followers take to be heard', () => {
  follow(TWO_HALVES);
  look(9);
  follow({ alba: 'dolores' });
  assert.doesNotThrow(() => look(1));
});

it('nor of one whose followers it may not hear', () => {
  follow(TWO_HALVES);
  unheard.add('carmen');
  look(10);
  follow({ alba: 'dolores' });
  assert.doesNotThrow(() => look(1));
});

it('nor where the other may still count one that left it by a bad way', () => {
  follow({ ...TWO_HALVES, carmen: 'dolores' });
  look(1);
  follow({ carmen: 'alba' });
  look(10);
  unheard.add('carmen');
  follow({ alba: 'dolores' });
  assert.doesNotThrow(() => look(1), 'as many as two are counted, though one is sure');
});

it('but not one that is heard, or left it long ago', () => {
  follow({ ...TWO_HALVES, carmen: 'dolores' });
  look(1);
  follow({ carmen: 'alba' });
  look(10);
  follow({ alba: 'dolores' });
  assert.throws(() => look(1), UNSEATED);
  follow({ alba: 'alba' });
  look(25);
  follow({ alba: 'dolores' });
  unheard.add('carmen');
  assert.throws(() => look(1), UNSEATED);
});

it('nothing is said of one that stands still: it may follow whom it will', () => {
  follow(TWO_HALVES);
  look(10);
  follow({ alba: 'dolores' });
  (machines['alba'] as FakeMachine).host.isStalled = true;
  assert.doesNotThrow(() => look(1));
});

it('one that was started again gives way to nobody: its reign ended with its process', () => {
  follow(TWO_HALVES);
  look(10);
  (machines['alba'] as FakeMachine).host.life = 2;
  follow({ alba: 'dolores' });
  assert.doesNotThrow(() => look(1));
});

it('a change of coordinator is counted, the first of all is none', () => {
  follow({ alba: 'alba' });
  look(2);
  assert.deepEqual(told, []);
  follow({ alba: 'belen', belen: 'belen', carmen: 'belen', dolores: 'belen', elena: 'belen' });
  look(2);
  assert.deepEqual(told, ['change of coordinator']);
});
