import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { losePower } from './run.ts';

/** Some thousand cuts; more by `npm run sim:power -- --seeds 10000`. */
const SEEDS = 300;
const CUTS_MIN = 1_000;
const CUTS_AT_START_MIN = 200;

describe('the content store on a disk that loses power', () => {
  it('keeps what it acknowledged, serves nothing else, and sweeps what was on its way', async (test) => {
    const sums = { cuts: 0, cutsAtStart: 0, kills: 0, stops: 0, actions: 0 };
    const failures: string[] = [];
    for (let seed = 1n; seed <= BigInt(SEEDS); seed += 1n) {
      const report = await losePower(seed);
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += report[key];
      if (report.failure !== undefined)
        failures.push(`seed ${seed}: ${report.failure.rule}: ${report.failure.sentence}`);
    }
    test.diagnostic(JSON.stringify(sums));
    assert.deepEqual(failures, []);
    assert.ok(sums.cuts >= CUTS_MIN && sums.cutsAtStart >= CUTS_AT_START_MIN);
  });

  it('a seed is the same history each time', async () => {
    const histories = [1, 2].map(async () => {
      const lines: string[] = [];
      const report = await losePower(7n, { trace: (line) => lines.push(line) });
      return { lines, report };
    });
    const [first, second] = await Promise.all(histories);
    assert.deepEqual(first, second);
    assert.ok((first?.lines.length ?? 0) > 10);
  });
});
