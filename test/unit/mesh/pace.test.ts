import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deadline } from '../../../node/src/mesh/deadline.ts';
import { pauseMs } from '../../../node/src/mesh/pauses.ts';
import { RateLimit } from '../../../node/src/mesh/rate-limit.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';

describe('pauses between attempts', () => {
  const limits = { pauseMs: 250, pauseMaxMs: 5_000 };
  const random = createSeededRandom(1);

  it('double up to their bound, jittered, twice as long for the higher peer id', () => {
    for (const [failures, wholeMs] of [
      [0, 250],
      [1, 250],
      [2, 500],
      [3, 1_000],
      [5, 4_000],
      [6, 5_000],
      [1_000, 5_000],
    ] as const) {
      for (let round = 0; round < 50; round += 1) {
        const lower = pauseMs(failures, true, random, limits);
        assert.ok(lower >= wholeMs / 2 && lower <= wholeMs, `${failures}: ${lower}`);
        const higher = pauseMs(failures, false, random, limits);
        assert.ok(higher >= wholeMs && higher <= 2 * wholeMs, `${failures}: ${higher}`);
      }
    }
  });
});

describe('a rate limit', () => {
  it('lets a burst through and then as many as come back', () => {
    const clock = new ManualClock();
    const rate = new RateLimit(clock, { burst: 3, perSecond: 2, keysMax: 100 });
    const takes = (): boolean[] => Array.from({ length: 4 }, () => rate.take('a'));
    assert.deepEqual(takes(), [true, true, true, false]);
    assert.equal(rate.take('b'), true, 'each for itself');
    clock.advance(499);
    assert.equal(rate.take('a'), false);
    clock.advance(1);
    assert.equal(rate.take('a'), true);
    assert.equal(rate.take('a'), false);
    clock.advance(60_000);
    assert.deepEqual(takes(), [true, true, true, false]);
  });

  it('forgets the longest unheard', () => {
    const rate = new RateLimit(new ManualClock(), { burst: 1, perSecond: 1, keysMax: 2 });
    assert.deepEqual(
      ['a', 'b', 'a', 'c', 'a', 'b'].map((key) => rate.take(key)),
      [true, true, false, true, false, true],
    );
  });
});

describe('a deadline', () => {
  it('fires by the clock, can be extended, and is released', () => {
    const clock = new ManualClock();
    const late = new Error('late');
    const bound = deadline(clock, 100, {}, () => late);
    clock.advance(99);
    bound.extend(100);
    clock.advance(99);
    assert.equal(bound.signal.aborted, false);
    clock.advance(1);
    assert.equal(bound.signal.reason, late);
    const other = deadline(clock, 100, {}, () => late);
    other.release();
    assert.equal(clock.pendingTimers, 0);
  });

  it('fires with the caller’s own signal, for its reason', () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const bound = deadline(clock, 100, controller, () => new Error('late'));
    const reason = new Error('enough');
    controller.abort(reason);
    assert.equal(bound.signal.reason, reason);
    bound.release();
    assert.equal(deadline(clock, 100, controller, () => new Error('late')).signal.reason, reason);
  });
});
