import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashRounds } from './support/crashes.ts';
import { House } from './support/house.ts';

/**
 * Ten rounds here, more by CUADRO_ROUNDS=20 or `node scripts/crash.ts 20 [SEED]`. The seed of a run is in the
 * test's name; CUADRO_SEED repeats it.
 */

const rounds = Number(process.env['CUADRO_ROUNDS'] ?? 10);
const seed = Number(process.env['CUADRO_SEED'] ?? 20_260);

test(`${rounds} rounds of SIGKILL, seed ${seed}: all frames arrive, whole, and nothing is left`, async (t) => {
  const house = await House.open();
  try {
    const report = await crashRounds(house, { rounds, seed, say: (line) => t.diagnostic(line) });
    assert.equal(report.rounds.length, rounds);
    assert.ok(report.frames > 0 && report.jobs > 0);
  } finally {
    await house.close();
  }
});
