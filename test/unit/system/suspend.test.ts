import assert from 'node:assert/strict';
import { uptime } from 'node:os';
import { describe, it } from 'node:test';
import { createSystemClock } from '../../../node/src/system/clock.ts';

/** A machine that can be sent to sleep: its uptime goes on, and is told in whole seconds. */
function machine() {
  const times = { awakeMs: 400, uptimeMs: 90_300 };
  const sources = {
    awakeMs: () => times.awakeMs,
    uptime: () => Math.floor(times.uptimeMs / 1_000),
  };
  const pass = (ms: number): void => {
    times.awakeMs += ms;
    times.uptimeMs += ms;
  };
  return { times, sources, pass };
}

describe('a clock', () => {
  it('counts the time that its machine slept', () => {
    const { times, sources, pass } = machine();
    const clock = createSystemClock(sources);
    const before = clock.now();
    pass(1_500);
    times.uptimeMs += 3_600_000;
    pass(1_000);
    const passed = clock.now() - before;
    assert.ok(Math.abs(passed - 3_602_500) <= 1_000, `${passed} ms`);
  });

  it('is as exact as the monotonic clock while the machine is awake, however long', () => {
    const { sources, pass } = machine();
    const clock = createSystemClock(sources);
    const before = clock.now();
    for (let i = 0; i < 10_000; i++) {
      pass(737);
      clock.now();
    }
    assert.equal(clock.now() - before, 7_370_000);
  });

  it('never goes back, though the uptime follows a wall clock that does', () => {
    const { times, sources, pass } = machine();
    const clock = createSystemClock(sources);
    let last = clock.now();
    for (const step of [-80_000, 5_000, -3_000, 40_000]) {
      pass(1_100);
      times.uptimeMs += step;
      const now = clock.now();
      assert.ok(now > last, `${now} after ${last}`);
      last = now;
    }
  });

  it('reads an uptime that this system does tell', () => {
    const clock = createSystemClock();
    const [before, upBefore] = [clock.now(), uptime()];
    while (clock.now() - before < 1_200);
    assert.ok(Math.abs((uptime() - upBefore) * 1_000 - (clock.now() - before)) < 1_100);
  });
});
