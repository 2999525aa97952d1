/**
 * `npm run sim:plants [-- WORD…]`: puts each planted mistake, or those whose name holds a word, into a copy of the
 * sources and simulates farms with it until one of them shows it; two at a time. Ends with code 1 where one is not
 * found within its stated number of seeds.
 */
import { brokenBy, row, tryAll } from './planting.ts';
import { PLANTS } from './plants.ts';

const BEDS = 2;

const words = process.argv.slice(2);
const chosen = PLANTS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
const begun = performance.now();
const findings = await tryAll(chosen, { beds: BEDS, tell: (finding) => console.log(row(finding)) });
const missed = findings.filter(({ found }) => found === undefined);

console.log('\n| planted mistake | breaks | found at seed | within | by the rule |\n|---|---|---|---|---|');
for (const { plant, found } of findings) {
  const seed = found?.seed ?? 'not found';
  console.log(`| ${plant.name} | ${brokenBy(plant)} | ${seed} | ${plant.within} | ${found?.rule ?? '–'} |`);
}
console.log(
  `\n${chosen.length - missed.length} of ${chosen.length} planted mistakes found in ${((performance.now() - begun) / 1_000).toFixed(0)} s.`,
);
process.exitCode = missed.length === 0 && chosen.length > 0 ? 0 : 1;
