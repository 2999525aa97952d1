/**
 * `node scripts/farm-rounds.ts [ROUNDS] [SEED]`: kills nodes of a farm of three with SIGKILL at seeded random moments
 * while they submit, fetch a scene, render, give copies away and collect, has each one's store checked before it comes
 * back, and checks that every frame of what was acknowledged arrives, once, and that what was shown as done stays. It
 * prints what each kill interrupted, and ends with code 1 where anything is not as it must be, or where of so many rounds
 * none struck one of the stages. The test of the same name runs fewer rounds.
 */
import { randomInt } from 'node:crypto';
import { emptyReport, farmRounds } from '../test/e2e/support/farm-rounds.ts';
import { House } from '../test/e2e/support/house.ts';
import { STAGES } from '../test/e2e/support/strikes.ts';

/** In so many rounds each stage is struck; fewer may miss a collection, which lasts for milliseconds. */
const ENOUGH = 200;

const [rounds = 100, seed = randomInt(2 ** 31)] = process.argv.slice(2).map(Number);
console.log(`${rounds} rounds, seed ${seed} (again: node scripts/farm-rounds.ts ${rounds} ${seed})`);
// So that the nodes end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const report = emptyReport();
const house = await House.open();
try {
  await farmRounds(house, { rounds, seed, say: console.log, report });
  console.log(
    `All ${report.frames} frames of ${report.jobs} jobs arrived, whole, and every film has its length.`,
  );
  console.log(
    `Results that were shown as done before a kill, all of which still count: ${report.shownDone}.`,
  );
  console.log(`Tasks that five kills gave up, rendered when asked for again: ${report.givenUp}.`);
  console.log(`Nobody led for ${Math.max(0, ...report.leaderlessMs)} ms at the longest.`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await house.close();
}
const told = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
console.log(`Rounds by the moment they aimed at: ${told(report.aimed)}.`);
console.log(`Those of them that interrupted what they aimed at: ${told(report.struck)}.`);
console.log(`Rounds by what they interrupted, some of them several: ${told(report.interrupted)}.`);
const missed = STAGES.filter((stage) => report.struck[stage] === 0);
if (rounds >= ENOUGH && missed.length > 0) {
  console.error(`No kill interrupted what it aimed at: ${missed.join(', ')}.`);
  process.exitCode = 1;
}
const verdict = process.exitCode === 1 ? 'FAILED' : 'passed';
console.log(
  `${verdict}: ${report.rounds} of ${rounds} rounds, ${report.kills} kills, seed ${seed}, ${new Date().toISOString()}.`,
);
