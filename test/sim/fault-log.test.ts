import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FaultLog } from './fault-log.ts';
import { simulate } from './run.ts';

const logOf = (beganAt: number, ...at: readonly number[]): FaultLog => {
  const log = new FaultLog({ fault: () => undefined });
  log.begin(beganAt);
  for (const ms of at) log.add('stall', ms);
  return log;
};

describe('the longest time without a fault', () => {
  it('is that from the begin of the time of faults, between two of them, or to its end', () => {
    assert.equal(logOf(1_000, 8_000, 9_000).longestPauseMs(10_000), 7_000);
    assert.equal(logOf(1_000, 2_000, 8_000).longestPauseMs(10_000), 6_000);
    assert.equal(logOf(1_000, 2_000, 3_000).longestPauseMs(10_000), 7_000);
    assert.equal(logOf(1_000).longestPauseMs(10_000), 9_000, 'all of it where none came');
    assert.equal(
      logOf(1_000, 500, 9_000).longestPauseMs(10_000),
      8_000,
      'what came before counts for nothing',
    );
  });
});

describe('a simulated run', () => {
  const profile = { isFounded: true, isSplit: false, machines: 3, faultyMs: 40_000 };

  it('has a fault at least every 10 virtual seconds, however seldom the seed wants one', async () => {
    const { failure, faults } = await simulate(1n, { profile: { ...profile, faultEveryMs: 1e9 } });
    assert.equal(failure, undefined);
    assert.ok(faults >= 3, `${faults} faults in 38 s`);
  });
});
