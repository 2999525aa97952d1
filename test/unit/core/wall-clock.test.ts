import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, Farm, framesPlan, grantsTo, SELF, withDesired, withRequest } from './farm.ts';

/** The wall clock as this and other machines have it, by the monotonic time. */
const CLOCKS: Record<string, (now: number) => number> = {
  'right at first, then set back by a day': (now) => (now < 5_000 ? now : now - 86_400_000),
  'years ahead': (now) => now + 1e11,
  backwards: (now) => 1e12 - now,
  'standing still': () => 0,
  jumping: (now) => (now * 7_919) % 100_003,
};

/** What was decided, without the times that are for display. */
const decided = (effects: readonly CoreEffect[]): string =>
  JSON.stringify(effects, (key, value: unknown) => (key === 'wallTime' ? undefined : value));

/** A farm at work: results, failures, a lost machine, pauses, a retry, a redo, a verdict, an order of the listed. */
function play(clock: (now: number) => number): { effects: string; views: string } {
  const farm = new Farm();
  const tick = (ms: number): void => {
    farm.now += ms;
    farm.step({ kind: 'wake', wallTime: clock(farm.now) });
  };
  farm.step({ kind: 'start' });
  farm.work();
  for (const peer of [BELEN, CARMEN]) farm.claim(peer);
  const plan = framesPlan('1-12', { film: true, order: 'coarse-to-fine' });
  let record = farm.submit(plan);
  const end = (how: 'result' | 'failure'): void => {
    const [run] = farm.held();
    assert.ok(run);
    const { attempt } = run.grant;
    farm.running.clear();
    const wallTime = clock(farm.now);
    const failure = { cause: 'failed' as const, code: 'a', message: 'It broke.', lines: [] };
    const outcome =
      how === 'result'
        ? { kind: how, files: [], renderMs: 5, wallTime }
        : { kind: how, ...failure, wallTime };
    farm.step({ kind: 'ended', attempt, outcome, wallTime });
  };
  end('failure');
  tick(900);
  const [belens] = grantsTo(BELEN, farm.effects);
  assert.ok(belens);
  farm.ended(BELEN, belens, 'failure');
  tick(1_100);
  farm.step({ kind: 'peer', peer: CARMEN, state: 'refused' });
  tick(2_000);
  record = withRequest(withRequest(record, 'retry', [0], 1), 'redo', [11], 2);
  farm.records(record);
  tick(4_000);
  farm.records(withDesired(record, 'paused'));
  farm.records(withDesired(withDesired(record, 'paused'), 'active'));
  for (let time = 0; time < 12 && farm.held().length > 0; time++) {
    end('result');
    tick(300);
  }
  const views = [
    farm.core.tasks(record.id, { offset: 0, limit: 20 }),
    farm.core.nodes(),
    farm.core.job(record.id),
  ];
  return {
    effects: decided(farm.effects),
    views: JSON.stringify(views, (key, value: unknown) => (key.endsWith('At') ? undefined : value)),
  };
}

/** A machine alone with a task that fails: pauses, and a verdict that tells of the last of the most frequent code. */
function playAlone(clock: (now: number) => number): string {
  const farm = new Farm().start();
  farm.submit(framesPlan('1'));
  for (const code of ['a', 'b', 'a']) {
    const [run] = farm.held();
    assert.ok(run, `it is tried with ${code}`);
    farm.running.clear();
    const outcome = {
      kind: 'failure' as const,
      cause: 'failed' as const,
      code,
      message: `${code}.`,
      lines: [],
    };
    const wallTime = clock(farm.now);
    farm.step({ kind: 'ended', attempt: run.grant.attempt, outcome: { ...outcome, wallTime }, wallTime });
    for (let second = 0; second < 5; second++) {
      farm.now += 1_000;
      farm.step({ kind: 'wake', wallTime: clock(farm.now) });
    }
  }
  return decided(farm.effects);
}

describe('a farm', () => {
  const expected = play((now) => now);
  const alone = playAlone((now) => now);

  for (const [what, clock] of Object.entries(CLOCKS)) {
    it(`R25: decides the same whatever the wall clock says: ${what}`, () => {
      assert.deepEqual(play(clock), expected);
      assert.equal(playAlone(clock), alone);
    });
  }

  it('R25: decides something at all', () => {
    assert.ok(expected.effects.includes('machine-lost') && expected.effects.includes(SELF));
    assert.ok(expected.effects.length > 20_000);
    assert.ok(alone.includes('"failed":{"attempt"'));
  });
});
