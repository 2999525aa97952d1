import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Grant, type JobRecord } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { beaconOf, leading } from './members.ts';
import {
  BELEN,
  CARMEN,
  deleted,
  Farm,
  framesPlan,
  grantsTo,
  nodeDesired,
  SELF,
  stopsTo,
  withControl,
  withDesired,
  withRequest,
} from './farm.ts';

interface Working {
  farm: Farm;
  record: JobRecord;
  running: Grant;
  ahead: Grant;
}

/** Belén runs one task and keeps one ahead; Carmen is there and has room. */
function working(frames = '1-9'): Working {
  const farm = new Farm();
  farm.step({ kind: 'start' });
  farm.claim(BELEN);
  const record = farm.submit(framesPlan(frames));
  const [running, ahead] = grantsTo(BELEN, farm.effects);
  assert.ok(running && ahead);
  beacon(farm, [running], [ahead]);
  return { farm, record, running, ahead };
}

const beacon = (farm: Farm, running: Grant[], ahead: Grant[]): CoreEffect[] =>
  farm.message(BELEN, beaconOf(BELEN, running, ahead));

/** Carmen comes with room for everything, so that what is free shows at once. */
const freeTasks = (farm: Farm): number[] =>
  grantsTo(CARMEN, farm.claim(CARMEN, { slots: 20 })).map(({ task }) => task);

/** Time passes, and Belén says each half second what she holds. */
function pass(farm: Farm, ms: number, running: Grant[], ahead: Grant[]): void {
  for (let left = ms; left > 0; left -= 500) {
    farm.advance(Math.min(left, 500));
    beacon(farm, running, ahead);
  }
}

describe('a lease', () => {
  it('R52: is on one task at one redo and retry level', () => {
    const farm = new Farm();
    farm.step({ kind: 'start' });
    const record = farm.submit(framesPlan('1-3'));
    farm.records(withRequest(withRequest(record, 'redo', [1, 2], 4), 'retry', [2], 7));
    farm.claim(BELEN, { slots: 3 });
    const levels = grantsTo(BELEN, farm.effects).map(({ task, redo, retry }) => [task, redo, retry]);
    assert.deepEqual(levels, [
      [0, 0, 0],
      [1, 4, 0],
      [2, 4, 7],
    ]);
  });

  it('R52: is the only one on its task', () => {
    const { farm, running, ahead } = working('1-2');
    assert.deepEqual(freeTasks(farm), []);
    // Whoever says that it holds the task under another attempt is told to stop.
    const other: Grant = { ...running, attempt: { epoch: running.attempt.epoch, sequence: 900 } };
    assert.deepEqual(stopsTo(CARMEN, farm.beacon(CARMEN, [other])), [other.attempt]);
    assert.deepEqual(stopsTo(BELEN, beacon(farm, [running], [ahead])), []);
  });

  it('R52: lasts as long as beacons list it', () => {
    const { farm, running, ahead } = working();
    pass(farm, 60_000, [running], [ahead]);
    assert.deepEqual(freeTasks(farm), [2, 3, 4, 5, 6, 7, 8]);
  });

  it('R52: ends with the result of its attempt, and the place is free at once', () => {
    const { farm, running } = working();
    assert.deepEqual(
      grantsTo(BELEN, farm.ended(BELEN, running, 'result')).map(({ task }) => task),
      [2],
    );
  });

  for (const [what, beacons, ends] of [
    ['is left out by two successive beacons', ['-', '-'], true],
    ['is left out by one beacon', ['-'], false],
    ['is left out, listed and left out again', ['-', 'ahead', '-'], false],
    ['is left out, listed, and left out twice', ['-', 'ahead', '-', '-'], true],
  ] as const) {
    it(`R52: ${ends ? 'ends when it' : 'does not end when it'} ${what}`, () => {
      const { farm, running, ahead } = working();
      const effects = beacons.flatMap((listed) => [
        ...farm.advance(1_000),
        ...beacon(farm, [running], listed === '-' ? [] : [ahead]),
      ]);
      // Belén herself has room for it again, under another attempt.
      assert.deepEqual(
        grantsTo(BELEN, effects).map(({ task }) => task),
        ends ? [ahead.task] : [],
      );
    });
  }

  it('R52: does not end by beacons that were held up on their way and arrive together', () => {
    const { farm, running, ahead } = working();
    const effects = [1, 2, 3].flatMap(() => beacon(farm, [running], []));
    assert.deepEqual(grantsTo(BELEN, effects), []);
    farm.advance(1_000);
    const next = beacon(farm, [running], []);
    assert.deepEqual(
      grantsTo(BELEN, next).map(({ task }) => task),
      [ahead.task],
      'the next one counts',
    );
  });

  for (const [what, told, ms, ends] of [
    ['its machine was silent for 4 s', undefined, 4_000, true],
    ['its machine was silent for less than 4 s', undefined, 3_999, false],
    ['its machine lost its connection and was silent for 4 s', 'lost', 4_000, true],
    ['its machine lost its connection 2 s ago', 'lost', 2_000, false],
    ['its machine refused a redial and was not heard for 2 s', 'refused', 2_000, true],
    ['its machine refused a redial less than 2 s ago', 'refused', 1_999, false],
  ] as const) {
    it(`R52: ${ends ? 'ends' : 'does not end'} when ${what}`, () => {
      const { farm } = working();
      if (told !== undefined) farm.step({ kind: 'peer', peer: BELEN, state: told });
      farm.advance(ms);
      const free = freeTasks(farm);
      assert.deepEqual([free.includes(0), free.includes(1)], [ends, ends]);
    });
  }

  it('R52: ends by silence also where the connection stands, which is not forgotten for that', () => {
    const farm = leading(BELEN, CARMEN);
    farm.submit(framesPlan('1-9'));
    const isReachable = () => farm.core.nodes().find(({ peer }) => peer === BELEN)?.live.reachable;
    for (let ms = 0; ms < 4_000; ms += 1_000) {
      farm.beacon(CARMEN, []);
      farm.advance(1_000);
    }
    assert.equal(isReachable(), false);
    const pulses = farm.advance(500).filter((effect) => effect.kind === 'send' && effect.to === BELEN);
    assert.equal(pulses.length, 1, 'it hears of this coordinator as before');
    const effects = farm.beacon(BELEN, []);
    assert.equal(isReachable(), true);
    assert.ok(grantsTo(BELEN, effects).length > 0);
  });

  it('R52: does not end when its machine refused a redial and was heard within 2 s', () => {
    const { farm, running, ahead } = working();
    farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    farm.advance(1_500);
    farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
    pass(farm, 3_000, [running], [ahead]);
    assert.deepEqual(freeTasks(farm), [2, 3, 4, 5, 6, 7, 8]);
  });

  it('R52: ends 2 s after the first of several refusals', () => {
    const { farm } = working();
    farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    farm.advance(1_500);
    farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    farm.advance(500);
    assert.deepEqual(freeTasks(farm).slice(0, 2), [0, 1]);
  });

  it('R52: has its ends without any further input, by the wake that the core asks for', () => {
    const { farm } = working();
    const end = farm.now + 4_000;
    assert.equal(farm.wakeAt, end);
    farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    assert.equal(farm.wakeAt, farm.now + 2_000);
  });

  it('R52: ends first of those of two machines, whichever of them was refused a redial', () => {
    for (const silentMs of [500, 3_000]) {
      const { farm } = working();
      farm.advance(silentMs);
      farm.claim(CARMEN, { wants: 1 });
      farm.step({ kind: 'peer', peer: CARMEN, state: 'refused' });
      const [ofBelen, ofCarmen] = [farm.now - silentMs + 4_000, farm.now + 2_000];
      assert.equal(farm.wakeAt, Math.min(ofBelen, ofCarmen), `Belén was silent for ${silentMs} ms`);
    }
  });
});

/** What takes leases back: all of them at once, and whether the tasks then go to another machine. */
const TAKEN_BACK: Record<string, { does: (working: Working) => CoreEffect[]; free: boolean }> = {
  'a cancel': { does: ({ farm, record }) => farm.records(withDesired(record, 'canceled')), free: false },
  'a deletion': { does: ({ farm, record }) => farm.records(deleted(record)), free: false },
  'a pause of the machine': { does: ({ farm }) => farm.records(nodeDesired(BELEN, 'paused')), free: true },
  'a redo': { does: ({ farm, record }) => farm.records(withRequest(record, 'redo', [0, 1], 1)), free: true },
  'results made elsewhere': {
    does: ({ farm, running, ahead }) => [
      ...farm.ended(CARMEN, { ...running, attempt: elsewhere(1) }, 'result'),
      ...farm.ended(CARMEN, { ...ahead, attempt: elsewhere(2) }, 'result'),
    ],
    free: false,
  },
  "the job's end": {
    does: ({ farm, record }) => {
      farm.records(withControl(record, 'failureShare', 0));
      const effects: CoreEffect[] = [];
      for (const task of [6, 7, 8]) {
        for (const sequence of [1, 2, 3]) {
          const attempt = elsewhere(10 * task + sequence);
          effects.push(
            ...farm.ended(
              CARMEN,
              { attempt, job: record.id, task, redo: 0, retry: 0, leaseMs: 1 },
              'failure',
            ),
          );
        }
      }
      assert.equal(farm.core.job(record.id)?.state, 'failed');
      return effects;
    },
    free: false,
  },
};

/** An attempt that the coordinator before granted. */
const elsewhere = (sequence: number): Grant['attempt'] => ({ epoch: { term: 0, peer: SELF }, sequence });

describe('a lease taken back', () => {
  for (const [what, { does, free }] of Object.entries(TAKEN_BACK)) {
    it(`R52: by ${what} is stopped at its worker, and the task is free at once`, () => {
      const made = working();
      const { farm, running, ahead } = made;
      const stops = stopsTo(BELEN, does(made));
      assert.deepEqual(stops, [running.attempt, ahead.attempt]);
      const tasks = freeTasks(farm);
      assert.deepEqual([tasks.includes(0), tasks.includes(1)], [free, free]);
    });
  }

  it('R52: keeps its place until it has stopped there', () => {
    const { farm, running, ahead, record } = working();
    const effects = farm.records(withRequest(record, 'redo', [0, 1], 1));
    assert.deepEqual(grantsTo(BELEN, effects), []);
    assert.equal(grantsTo(BELEN, farm.ended(BELEN, running, 'stopped')).length, 1);
    assert.equal(grantsTo(BELEN, farm.ended(BELEN, ahead, 'stopped')).length, 1);
  });

  it("R52: is stopped in the tasks' order, whatever was granted first", () => {
    const farm = new Farm();
    farm.step({ kind: 'start' });
    farm.claim(BELEN, { slots: 3, wants: 3 });
    const record = farm.submit(framesPlan('1-3'));
    const [first, second, third] = grantsTo(BELEN, farm.effects);
    assert.ok(first && second && third);
    const [again] = grantsTo(BELEN, farm.ended(BELEN, first, 'stopped'));
    assert.equal(again?.task, 0);
    const stops = stopsTo(BELEN, farm.records(withDesired(record, 'canceled')));
    assert.deepEqual(stops, [again.attempt, second.attempt, third.attempt]);
  });

  it('R52: frees a place under the limit of machines for another', () => {
    const farm = new Farm();
    farm.step({ kind: 'start' });
    farm.claim(BELEN, { wants: 1 });
    farm.claim(CARMEN, { wants: 1 });
    const record = farm.submit(framesPlan('1-3'));
    const [granted] = grantsTo(BELEN, farm.effects);
    assert.ok(granted);
    farm.ended(CARMEN, grantsTo(CARMEN, farm.effects)[0] as Grant, 'stopped');
    farm.records(withControl(record, 'machineLimit', 1));
    const [other] = grantsTo(CARMEN, farm.effects).slice(1);
    if (other !== undefined) farm.ended(CARMEN, other, 'stopped');
    assert.deepEqual(grantsTo(CARMEN, farm.advance(100)), [], 'Belén is at work on it');
    farm.claim(BELEN, { wants: 0, sequence: 2 });
    const effects = farm.ended(BELEN, granted, 'result');
    assert.equal(grantsTo(CARMEN, effects).length, 1);
  });

  it('R52: is told once', () => {
    const { farm, running, ahead, record } = working();
    farm.records(withDesired(record, 'canceled'));
    const later = [
      ...beacon(farm, [running], [ahead]),
      ...farm.advance(1_000),
      ...farm.records(nodeDesired(BELEN, 'paused')),
      ...farm.records(deleted(record)),
    ];
    assert.deepEqual(stopsTo(BELEN, later), []);
  });
});

describe("a machine's record", () => {
  for (const [what, desired, isTaken] of [
    ['is to be active', 'active', []],
    ['is to end what it runs', 'draining', ['ahead']],
    ['is to pause', 'paused', ['running', 'ahead']],
  ] as const)
    it(`R37: that says that it ${what} takes back ${isTaken.join(' and ') || 'nothing'}`, () => {
      const { farm, running, ahead } = working();
      const attempts = { running: running.attempt, ahead: ahead.attempt };
      assert.deepEqual(
        stopsTo(BELEN, farm.records(nodeDesired(BELEN, desired))),
        isTaken.map((which) => attempts[which]),
      );
    });
});

describe('a machine that is set aside for a job', () => {
  it('R54: loses what it was granted and has not begun, with the result that shows it, and nothing else', () => {
    const farm = new Farm();
    farm.step({ kind: 'start' });
    farm.claim(BELEN, { wants: 1 });
    const { id } = farm.submit(framesPlan('1-9'));
    const seen = { attempt: elsewhere(50), job: id, task: 8, redo: 0, retry: 0, leaseMs: 1 };
    const at = (sequence: number, task: number): Grant => ({ ...seen, attempt: elsewhere(sequence), task });
    for (const task of [1, 2, 3]) farm.ended(BELEN, at(task, task), 'failure');
    const [ahead] = grantsTo(BELEN, farm.effects);
    assert.equal(ahead?.task, 0);
    for (const task of [1, 2]) {
      assert.deepEqual(stopsTo(BELEN, farm.ended(CARMEN, at(10 + task, task), 'result')), []);
    }
    assert.deepEqual(stopsTo(BELEN, farm.ended(CARMEN, at(13, 3), 'result')), [ahead.attempt]);
  });

  it('R54: loses it as well where the results come as records', () => {
    const farm = new Farm();
    farm.step({ kind: 'start' });
    farm.claim(BELEN, { wants: 1 });
    const { id } = farm.submit(framesPlan('1-9'));
    const other = new Farm();
    other.step({ kind: 'start' });
    other.submit(framesPlan('1-9'));
    const [ahead] = grantsTo(BELEN, farm.effects);
    assert.ok(ahead);
    const stops = [1, 2, 3].flatMap((task) => {
      const common = { job: id, task, redo: 0, retry: 0, leaseMs: 1 };
      other.ended(BELEN, { ...common, attempt: elsewhere(task) }, 'failure');
      other.ended(CARMEN, { ...common, attempt: elsewhere(10 + task) }, 'result');
      const record = other.core.taskRecord(id, task);
      assert.ok(record);
      return stopsTo(BELEN, farm.step({ kind: 'records', from: CARMEN, records: [record] })).length;
    });
    assert.deepEqual(stops, [0, 0, 1]);
  });

  it('R54: goes on with what a beacon has listed', () => {
    const { farm, record, running, ahead } = working();
    const at = (sequence: number, task: number): Grant => ({
      ...running,
      attempt: elsewhere(sequence),
      task,
    });
    for (const task of [5, 6, 7]) farm.ended(BELEN, at(task, task), 'failure');
    const effects = [5, 6, 7].flatMap((task) => farm.ended(CARMEN, at(10 + task, task), 'result'));
    assert.deepEqual(stopsTo(BELEN, effects), []);
    assert.match(farm.core.job(record.id)?.state ?? '', /active/);
    assert.deepEqual(grantsTo(BELEN, farm.ended(BELEN, ahead, 'stopped')), [], 'and gets nothing more');
  });
});

describe('a paused job', () => {
  it('R52: has its running tasks go on to their end; only what was granted ahead is taken back', () => {
    const { farm, record, running, ahead } = working();
    const paused = withDesired(record, 'paused');
    assert.deepEqual(stopsTo(BELEN, farm.records(paused)), [ahead.attempt]);
    farm.ended(BELEN, ahead, 'stopped');
    pass(farm, 10_000, [running], []);
    assert.deepEqual(freeTasks(farm), [], 'nothing new begins');
    farm.ended(BELEN, running, 'result');
    assert.equal(farm.core.taskState(record.id, running.task), 'rendered');
    const resumed = farm.records(withDesired(paused, 'active'));
    assert.ok(
      [...grantsTo(BELEN, resumed), ...grantsTo(CARMEN, resumed)].some(({ task }) => task === ahead.task),
    );
  });
});
