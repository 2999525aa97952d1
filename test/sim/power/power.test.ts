import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { losePower } from './run.ts';

/** Some thousand cuts; more by `npm run sim:power -- --seeds 10000`. */
const SEEDS = 300;
const CUTS_MIN = 1_000;
const CUTS_AT_START_MIN = 200;
const REFUSALS_MIN = 1_000;

describe('the content store on a disk that loses power', () => {
  it('keeps what it acknowledged, serves nothing else, and sweeps what was on its way', async (test) => {
    const sums = { cuts: 0, cutsAtStart: 0, kills: 0, stops: 0, actions: 0, refusals: 0 };
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
    assert.ok(sums.refusals >= REFUSALS_MIN);
  });

  for (const [seed, what] of [
    [51n, 'a folder that the disk could not be asked about passed for another thing of its name'],
    [441n, 'a collected file that could not be read passed for a foreign one, and was given up'],
    [1938n, 'a pin was said to be given up that stood in what a failed write had left, and came back'],
  ] as const) {
    it(`seed ${seed}: ${what}`, async () => assert.equal((await losePower(seed)).failure, undefined));
  }

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
