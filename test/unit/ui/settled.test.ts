import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { ALARM_AFTER_MS } from '../../../ui/src/data/limits.ts';
import { Settled } from '../../../ui/src/data/settled.ts';

describe('what flickers is shown when it lasts', () => {
  let updates = 0;
  const host = {
    addController: () => undefined,
    removeController: () => undefined,
    requestUpdate: () => updates++,
    updateComplete: Promise.resolve(true),
  };
  const make = (): Settled<number> => new Settled<number>(host, (value) => value === 0);
  beforeEach(() => {
    updates = 0;
    mock.timers.enable({ apis: ['setTimeout'] });
  });
  afterEach(() => mock.timers.reset());

  test('bad news that passes is never shown, nor is the page drawn for it', () => {
    const settled = make();
    assert.equal(settled.show('a', 0), 0);
    for (let time = 0; time < 5; time++) {
      assert.equal(settled.show('a', 1), 0);
      mock.timers.tick(ALARM_AFTER_MS - 1);
      assert.equal(settled.show('a', 0), 0);
    }
    mock.timers.tick(ALARM_AFTER_MS);
    assert.equal(updates, 0);
  });

  test('bad news that lasts is shown, and then follows at once', () => {
    const settled = make();
    settled.show('a', 0);
    assert.equal(settled.show('a', 1), 0);
    mock.timers.tick(ALARM_AFTER_MS);
    assert.equal(updates, 1);
    assert.equal(settled.show('a', 2), 2);
    assert.equal(settled.show('a', 3), 3);
    assert.equal(settled.show('a', 0), 0);
    assert.equal(settled.show('a', 4), 0);
  });

  test('what is bad when the page opens, or turns to something else, is shown at once', () => {
    const settled = make();
    assert.equal(settled.show('a', 7), 7);
    settled.show('a', 0);
    assert.equal(settled.show('b', 8), 8);
  });
});
