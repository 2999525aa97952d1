import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { simulate } from './run.ts';
import { spread } from './spread.ts';
import { Tally } from './tally.ts';

/** Where the seeds of this run begin; another place is given by the environment, and printed so that it can be again. */
const FIRST = BigInt(process.env['CUADRO_SIM_FIRST'] ?? 1);
const SEEDS = Number(process.env['CUADRO_SIM_SEEDS'] ?? 300);
const GROUP = 100;

/** So many runs meet all that can happen; fewer may miss what happens once in ten. */
const ENOUGH = 100;
const RARE: ReadonlySet<string> = new Set([
  'fault: disk destroyed',
  'fault: further disk destroyed',
  'fault: member removed',
  'fault: member joined',
  'deed: open the door',
  'deed: have a machine leave',
  'deed: have it stay after all',
  'deed: merge two farms',
  'outcome: rendered in one copy',
  'outcome: farms merged',
  'outcome: farms with jobs merged',
  'outcome: old gossip heard once more',
  'outcome: member left in order',
  'outcome: leave refused',
  'outcome: job refused by a machine that leaves',
]);

describe(`whole farms, simulated from seed ${FIRST}`, () => {
  for (const [what, isExact] of [
    ['with messages handed on', false],
    ['with messages as bytes and real signatures', true],
  ] as const) {
    it(`a run is the same each time, ${what}`, async () => {
      const init = { isTraced: true, profile: { isExact, faultyMs: 60_000 } };
      const [first, second] = [await simulate(FIRST, init), await simulate(FIRST, init)];
      assert.equal(first.sum, second.sum);
      assert.ok(first.events > 1_000, 'much happened');
      const untraced = await simulate(FIRST, { profile: init.profile });
      const told = ({ virtualMs, events, tally: { counts } }: typeof first): unknown => [
        virtualMs,
        events,
        counts,
      ];
      assert.deepEqual(told(untraced), told(first), 'it is the same run where nobody traces it');
      const other = await simulate(FIRST + 1n, init);
      assert.notEqual(other.sum, first.sum, 'another seed is another run');
    });
  }

  const tally = new Tally();

  for (let at = 0; at < SEEDS; at += GROUP) {
    const from = FIRST + BigInt(at);
    const count = Math.min(GROUP, SEEDS - at);
    it(`R20, R38, R40, R52, R57: nothing accepted is lost and all ends, seeds ${from} to ${from + BigInt(count - 1)}`, async () => {
      const seen = new Set<bigint>();
      const failed: string[] = [];
      await spread({ from, count }, (run) => {
        seen.add(run.seed);
        tally.add(run);
        if (run.hasFailed) failed.push(run.text);
      });
      assert.deepEqual(failed, []);
      assert.equal(seen.size, count, 'every seed ran');
    });
  }

  it('every kind of fault, deed and outcome happened', () => {
    const missing = tally.missing().filter((kind) => SEEDS >= ENOUGH || !RARE.has(kind));
    assert.deepEqual(missing, []);
  });
});
