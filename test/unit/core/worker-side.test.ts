import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  FAILURE_CODE_LENGTH_MAX,
  LOG_LINE_LENGTH_MAX,
  LOG_LINES_MAX,
  SENTENCE_LENGTH_MAX,
} from '@cuadro/protocol';
import type { AttemptOutcome } from '../../../node/src/core/interface.ts';
import { EARLY_GRANT_MS, ENDS_KEPT } from '../../../node/src/core/options.ts';
import { WorkerSide } from '../../../node/src/core/worker-side.ts';
import { BELEN, CARMEN, capabilities, jobIdOf, SELF } from './farm.ts';
import { grantOf } from './members.ts';

const EPOCH = { term: 5, peer: BELEN };
const JOB = jobIdOf(1);
const MACHINE = { capabilities: capabilities(), now: 1_000 };

const grant = (sequence: number, task = sequence) => grantOf(EPOCH, sequence, JOB, task);

function following(): WorkerSide {
  const side = new WorkerSide(SELF);
  assert.equal(side.follow(EPOCH), true);
  return side;
}

const failure: Extract<AttemptOutcome, { kind: 'failure' }> = {
  kind: 'failure',
  cause: 'failed',
  code: 'broken',
  message: 'It broke.',
  lines: [],
  wallTime: 1,
};

describe("a worker's obedience", () => {
  it('R40: is to nobody before it follows, and to one epoch then', () => {
    const side = new WorkerSide(SELF);
    assert.equal(side.obeys(EPOCH), false);
    assert.equal(side.accept(EPOCH, grant(1), 'node', MACHINE), false);
    assert.equal(side.follow(EPOCH), true);
    assert.equal(side.obeys(EPOCH), true);
    for (const other of [
      { ...EPOCH, term: 4 },
      { ...EPOCH, term: 6 },
      { ...EPOCH, peer: CARMEN },
    ])
      assert.equal(side.obeys(other), false);
  });

  it('R40: never goes back to an older epoch, and stays with its own when it is named again', () => {
    const side = following();
    assert.equal(side.follow({ ...EPOCH, term: 4 }), false);
    assert.deepEqual(side.obeyed, EPOCH);
    assert.equal(side.follow(EPOCH), true);
    assert.equal(side.follow({ ...EPOCH, term: 6 }), true);
    assert.equal(side.obeys(EPOCH), false);
  });

  it('R40: takes each grant once, and none of another epoch in the name of its own', () => {
    const side = following();
    assert.equal(side.accept(EPOCH, grant(1), 'node', MACHINE), true);
    assert.equal(side.accept(EPOCH, grant(1), 'node', MACHINE), false);
    const older = grantOf({ ...EPOCH, term: 4 }, 2, JOB, 2);
    assert.equal(side.accept(EPOCH, older, 'node', MACHINE), false);
    assert.equal(side.accept({ ...EPOCH, term: 4 }, older, 'node', MACHINE), false);
    assert.equal(side.size, 1);
  });
});

describe('a grant that came before its job', () => {
  it('is given back after its time, each by itself, and not before', () => {
    const side = following();
    side.accept(EPOCH, grant(1), undefined, MACHINE);
    side.accept(EPOCH, grant(2), undefined, { ...MACHINE, now: 500 });
    side.accept(EPOCH, grant(3), undefined, { ...MACHINE, now: 800 });
    side.accept(EPOCH, grant(4), 'node', MACHINE);
    assert.deepEqual(side.early(), [grant(1), grant(2), grant(3)]);
    assert.equal(side.earlyDeadline(), 500 + EARLY_GRANT_MS);
    assert.deepEqual(side.overdueEarly(499 + EARLY_GRANT_MS), []);
    assert.deepEqual(side.overdueEarly(500 + EARLY_GRANT_MS), [grant(2)]);
    assert.deepEqual(side.overdueEarly(1_000 + EARLY_GRANT_MS), [grant(1), grant(2), grant(3)]);
    side.postpone(300);
    assert.equal(side.earlyDeadline(), 800 + EARLY_GRANT_MS);
  });

  it('is as any other once its job is known', () => {
    const side = following();
    side.accept(EPOCH, grant(1), undefined, MACHINE);
    assert.deepEqual(
      side.listed(1).map(({ running }) => running),
      [false],
    );
    side.begin(grant(1).attempt, 'blender', MACHINE.capabilities);
    assert.deepEqual(side.early(), []);
    assert.equal(side.earlyDeadline(), undefined);
    assert.deepEqual(side.overdueEarly(1e9), []);
    assert.deepEqual(
      side.listed(1).map(({ running }) => running),
      [true],
    );
    side.begin(grant(2).attempt, 'blender', MACHINE.capabilities);
    assert.equal(side.size, 1, 'what was not granted does not begin');
  });
});

describe('what a worker lists', () => {
  it('R52: runs the first in the order of granting, and whatever has progressed', () => {
    const side = following();
    for (const sequence of [1, 2, 3, 4]) side.accept(EPOCH, grant(sequence), 'node', MACHINE);
    side.progress(grant(4).attempt, { fraction: 0.1 });
    side.progress(grant(9).attempt, { fraction: 0.1 });
    assert.deepEqual(
      side.listed(2).map(({ running }) => running),
      [true, true, false, true],
    );
  });

  it('tells of each attempt only what is known of it', () => {
    const side = following();
    side.accept(EPOCH, grant(1), 'node', MACHINE);
    side.accept(EPOCH, { ...grant(2), substitute: true }, 'node', MACHINE);
    side.progress(grant(2).attempt, { fraction: 0.5, remainingMs: 70, text: 'Sample 3' });
    const common = { job: JOB, redo: 0, retry: 0, running: true };
    assert.deepEqual(side.listed(2), [
      { ...common, attempt: grant(1).attempt, task: 1, fraction: 0 },
      {
        ...common,
        attempt: grant(2).attempt,
        task: 2,
        fraction: 0.5,
        substitute: true,
        remainingMs: 70,
        text: 'Sample 3',
      },
    ]);
  });
});

describe('the end of an attempt', () => {
  /** What is told of a result that this engine made. */
  function made(engine: string, can = capabilities()) {
    const side = following();
    side.accept(EPOCH, grant(1), engine, { ...MACHINE, capabilities: can });
    const message = side.end(grant(1).attempt, { kind: 'result', files: [], renderMs: 5, wallTime: 1 }, 0);
    assert.ok(message?.outcome.kind === 'result');
    return message.outcome.result;
  }

  it('R51: names the version of an engine whose version shows, and of no other', () => {
    assert.equal(made('blender').engineVersion, '3.4.1');
    assert.ok(!('engineVersion' in made('node')));
    assert.ok(!('engineVersion' in made('blender', capabilities({ engines: {} }))));
    assert.ok(!('engineVersion' in made('constructor')), 'a name that every object has is no engine');
  });

  it('R57: of a result is one copy, on this machine', () => {
    const { state, peer, holders } = made('node');
    assert.deepEqual(
      { state, peer, holders },
      { state: 'rendered', peer: SELF, holders: { [SELF]: { held: true, counter: 1 } } },
    );
  });

  it('R132: of a failure with a log names this machine as the holder of that', () => {
    const toldOf = (log?: string) => {
      const side = following();
      side.accept(EPOCH, grant(1), 'node', MACHINE);
      const told = side.end(grant(1).attempt, { ...failure, ...(log !== undefined && { log }) }, 0)?.outcome;
      assert.ok(told?.kind === 'failure');
      return told.failure;
    };
    assert.deepEqual(toldOf('a'.repeat(64)).holders, { [SELF]: { held: true, counter: 1 } });
    assert.equal(Object.hasOwn(toldOf(), 'holders'), false);
  });

  it('R3: of a failure is cut to what a record may hold: the first of each text, the last of the lines', () => {
    const side = following();
    side.accept(EPOCH, grant(1), 'node', MACHINE);
    const lines = Array.from(
      { length: LOG_LINES_MAX + 2 },
      (_, index) => `${index} ${'x'.repeat(LOG_LINE_LENGTH_MAX)}`,
    );
    const long = { ...failure, code: `c${'x'.repeat(900)}`, message: `m${'x'.repeat(9_000)}`, lines };
    const told = side.end(grant(1).attempt, long, 0)?.outcome;
    assert.ok(told?.kind === 'failure');
    const cut = told.failure;
    assert.deepEqual(cut.attempt, grant(1).attempt);
    assert.equal(cut.peer, SELF);
    assert.equal(cut.code, long.code.slice(0, FAILURE_CODE_LENGTH_MAX));
    assert.equal(cut.message, long.message.slice(0, SENTENCE_LENGTH_MAX));
    assert.deepEqual(
      cut.lines,
      lines.slice(2).map((line) => line.slice(0, LOG_LINE_LENGTH_MAX)),
    );
  });

  it('R53: is told once, and never of what was not granted', () => {
    const side = following();
    side.accept(EPOCH, grant(1), 'node', MACHINE);
    assert.equal(side.end(grant(2).attempt, failure, 0), undefined);
    assert.equal(side.end(grant(1).attempt, failure, 0)?.task, 1);
    assert.equal(side.end(grant(1).attempt, failure, 0), undefined);
    assert.equal(side.holds(grant(1).attempt), false);
  });

  it('is kept for the next coordinator, the latest of many', () => {
    const side = following();
    const endMany = (from: number, to: number): void => {
      for (let sequence = from; sequence <= to; sequence++) {
        side.accept(EPOCH, grant(sequence), 'node', MACHINE);
        side.end(grant(sequence).attempt, { kind: 'stopped', reason: 'stopped' }, sequence);
      }
    };
    endMany(1, 2 * ENDS_KEPT);
    assert.equal(side.ends.length, 2 * ENDS_KEPT);
    endMany(2 * ENDS_KEPT + 1, 2 * ENDS_KEPT + 1);
    assert.equal(side.ends.length, ENDS_KEPT);
    assert.equal(side.ends.at(-1)?.attempt.sequence, 2 * ENDS_KEPT + 1);
    const sequences = (since: number): number[] =>
      side.endsSince(since).map(({ attempt }) => attempt.sequence);
    assert.deepEqual(sequences(2 * ENDS_KEPT), [2 * ENDS_KEPT, 2 * ENDS_KEPT + 1]);
    side.postpone(1);
    assert.deepEqual(
      sequences(2 * ENDS_KEPT + 1),
      [2 * ENDS_KEPT, 2 * ENDS_KEPT + 1],
      'time that stood still',
    );
  });
});
