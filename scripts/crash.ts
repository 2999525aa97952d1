/**
 * `node scripts/crash.ts [ROUNDS] [SEED]`: kills a node, its Blender or both with SIGKILL at seeded random moments
 * while it renders, and checks that every frame arrives whole. The test of the same name runs fewer rounds.
 */
import { randomInt } from 'node:crypto';
import { crashRounds } from '../test/e2e/support/crashes.ts';
import { House } from '../test/e2e/support/house.ts';

const [rounds = 20, seed = randomInt(2 ** 31)] = process.argv.slice(2).map(Number);
console.log(`${rounds} rounds, seed ${seed} (again: node scripts/crash.ts ${rounds} ${seed})`);
// So that the nodes end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const house = await House.open();
try {
  const { jobs, frames } = await crashRounds(house, { rounds, seed, say: console.log });
  console.log(
    `All ${frames} frames of ${jobs} jobs arrived, whole; every film has its length; nothing is left.`,
  );
} finally {
  await house.close();
}
