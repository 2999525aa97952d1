import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSeededRandom, createSystemRandom } from '../../../node/src/system/random.ts';

describe('the system clock', () => {
  const clock = createSystemClock();

  it('goes on, sleeps at least as long as asked, and cancels', async () => {
    const before = clock.now();
    let fired = false;
    const cancel = clock.after(5, () => {
      fired = true;
    });
    cancel();
    await clock.sleep(20);
    assert.ok(clock.now() - before >= 20);
    assert.equal(fired, false);
    assert.ok(Math.abs(clock.wallTime() - Date.now()) < 1_000);
  });

  it('rejects a sleep with the reason of the abort', async () => {
    const reason = new Error('enough');
    await assert.rejects(clock.sleep(60_000, { signal: AbortSignal.abort(reason) }), reason);
    const controller = new AbortController();
    const sleeping = clock.sleep(60_000, { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(sleeping, reason);
  });

  it('fires and wakes nobody before the time', async () => {
    const early: number[] = [];
    for (let i = 0; i < 100; i++) {
      const delayMs = 0.5 + (i % 7) * 0.9;
      const due = clock.now() + delayMs;
      const look = (): void => {
        if (clock.now() < due) early.push(due - clock.now());
      };
      const fired = Promise.withResolvers<void>();
      clock.after(delayMs, () => {
        look();
        fired.resolve();
      });
      await clock.sleep(delayMs).then(look);
      await Promise.all([fired.promise, clock.sleep(1)]);
    }
    assert.deepEqual(early, []);
  });

  it('does not fire at once what lies beyond the longest timer', async () => {
    let fired = false;
    const cancel = clock.after(2 ** 31 + 5, () => {
      fired = true;
    });
    await clock.sleep(20);
    cancel();
    assert.equal(fired, false);
  });
});

describe('the manual clock', () => {
  it('fires in order of time, then of setting, timers set on the way included', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { maxLength: 30 }), (delays) => {
        const clock = new ManualClock();
        const fired: [number, number][] = [];
        delays.forEach((delay, index) => {
          clock.after(delay, () => fired.push([clock.now(), index]));
        });
        clock.advance(50);
        const expected = delays.map((delay, index): [number, number] => [delay, index]);
        assert.deepEqual(
          fired,
          expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]),
        );
        assert.equal(clock.now(), 50);
      }),
    );
    const clock = new ManualClock();
    const seen: number[] = [];
    const tick = (): void => {
      seen.push(clock.now());
      clock.after(10, tick);
    };
    clock.after(10, tick);
    clock.advance(35);
    assert.deepEqual(seen, [10, 20, 30]);
  });

  it('lets sleeping loops go round', async () => {
    const clock = new ManualClock();
    const seen: number[] = [];
    const loop = (async () => {
      for (let round = 0; round < 3; round += 1) {
        await clock.sleep(10);
        seen.push(clock.now());
      }
    })();
    await clock.advanceSettled(100);
    await loop;
    assert.deepEqual(seen, [10, 20, 30]);
    const reason = new Error('enough');
    await assert.rejects(clock.sleep(5, { signal: AbortSignal.abort(reason) }), reason);
    const controller = new AbortController();
    const sleeping = clock.sleep(5, { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(sleeping, reason);
    assert.equal(clock.pendingTimers, 0);
  });
});

describe('random sources', () => {
  it('give names, bytes and floats as promised', () => {
    for (const random of [createSystemRandom(), createSeededRandom(7)]) {
      assert.match(random.name(), /^[0-9a-z]{16}$/);
      assert.equal(random.name(5).length, 5);
      assert.equal(random.bytes(33).length, 33);
      const floats = Array.from({ length: 2_000 }, () => random.float());
      assert.ok(floats.every((value) => value >= 0 && value < 1));
      const mean = floats.reduce((sum, value) => sum + value) / floats.length;
      assert.ok(Math.abs(mean - 0.5) < 0.05, `mean ${mean}`);
    }
    assert.equal(createSeededRandom(1).name(), createSeededRandom(1).name());
    assert.notEqual(createSeededRandom(1).name(), createSeededRandom(2).name());
  });
});
