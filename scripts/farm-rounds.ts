/**
 * `node scripts/farm-rounds.ts [ROUNDS] [SEED]`: kills nodes of a farm of three with SIGKILL at seeded random moments
 * while they submit, fetch a scene, render, give copies away and collect, has each one's store checked before it comes
 * back, and checks that every frame of what was acknowledged arrives, once. It prints what each kill interrupted. The
 * test of the same name runs fewer rounds.
 */
import { randomInt } from 'node:crypto';
import { farmRounds } from '../test/e2e/support/farm-rounds.ts';
import { House } from '../test/e2e/support/house.ts';

const [rounds = 100, seed = randomInt(2 ** 31)] = process.argv.slice(2).map(Number);
console.log(`${rounds} rounds, seed ${seed} (again: node scripts/farm-rounds.ts ${rounds} ${seed})`);
// So that the nodes end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const house = await House.open();
try {
  const { jobs, frames, givenUp, leaderlessMs, interrupted } = await farmRounds(house, {
    rounds,
    seed,
    say: console.log,
  });
  console.log(`All ${frames} frames of ${jobs} jobs arrived, whole, and every film has its length.`);
  console.log(`Tasks that five kills gave up, rendered when asked for again: ${givenUp}.`);
  const told = Object.entries(interrupted).map(([what, count]) => `${what} ${count}`);
  console.log(`Kills that interrupted: ${told.join(', ')}.`);
  console.log(`Nobody led for ${Math.max(...leaderlessMs)} ms at the longest.`);
} finally {
  await house.close();
}
