import assert from 'node:assert/strict';
import { test } from 'node:test';
import { farmRounds } from './support/farm-rounds.ts';
import { House } from './support/house.ts';

/**
 * Ten rounds here, more by CUADRO_ROUNDS=100 or `node scripts/farm-rounds.ts 100 [SEED]`. The seed of a run is in the
 * test's name; CUADRO_SEED repeats it.
 */
const rounds = Number(process.env['CUADRO_ROUNDS'] ?? 10);
const seed = Number(process.env['CUADRO_SEED'] ?? 20_261);

test(`${rounds} rounds of SIGKILL in a farm of three, seed ${seed}: every frame arrives, once`, async (t) => {
  const house = await House.open();
  try {
    const report = await farmRounds(house, { rounds, seed, say: (line) => t.diagnostic(line) });
    assert.equal(report.rounds, rounds);
    assert.ok(report.frames > 0 && report.jobs > 0 && report.shownDone > 0);
    t.diagnostic(`results shown as done before a kill: ${report.shownDone}`);
    const told = (counts: Record<string, number>): string =>
      Object.entries(counts)
        .map(([what, count]) => `${what} ${count}`)
        .join(', ');
    t.diagnostic(`rounds by the moment they aimed at: ${told(report.aimed)}`);
    t.diagnostic(`those of them that interrupted it: ${told(report.struck)}`);
    t.diagnostic(`kills that interrupted: ${told(report.interrupted)}`);
    t.diagnostic(`leaderless for ${report.leaderlessMs.join(', ')} ms`);
  } finally {
    await house.close();
  }
});
