/**
 * `npm run sim:power -- --seeds 1000 [--from 1]`: so many histories of a content store on a disk that loses power, and
 * every seed that failed (`--until-failure` ends with the first). `--seed S`: one, with all that happened in it.
 * `--profile '{"kills":6}'` fixes what a seed else decides by itself.
 */
import { parseArgs } from 'node:util';
import type { PowerProfile } from './profile.ts';
import { losePower, type PowerReport } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    profile: { type: 'string', default: '{}' },
    'until-failure': { type: 'boolean', default: false },
  },
});

const profile = JSON.parse(values.profile) as Partial<PowerProfile>;

const lineOf = ({ seed, cuts, failure }: PowerReport): string =>
  failure === undefined
    ? `seed ${seed}: ${cuts} cuts, and all that was promised held.`
    : `seed ${seed}: after ${cuts} cuts: ${failure.rule}: ${failure.sentence}`;

async function many(from: bigint, count: number): Promise<number> {
  const sums = { cuts: 0, cutsAtStart: 0, kills: 0, stops: 0, actions: 0, refusals: 0 };
  const begun = process.cpuUsage();
  let runs = 0;
  const failed: bigint[] = [];
  for (let seed = from; seed < from + BigInt(count); seed += 1n) {
    const report = await losePower(seed, { profile });
    runs += 1;
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += report[key];
    if (report.failure === undefined) continue;
    failed.push(seed);
    console.log(lineOf(report));
    if (values['until-failure']) break;
  }
  const { user, system } = process.cpuUsage(begun);
  console.log(
    `${runs} seeds from ${from}: ${sums.cuts} power cuts (${sums.cutsAtStart} at a start), ${sums.kills} kills, ${sums.stops} stops, ` +
      `${sums.refusals} refused calls and ${sums.actions} actions in ${((user + system) / 1e6).toFixed(1)} s of processor time; ${failed.length} failed.`,
  );
  return failed.length === 0 ? 0 : 1;
}

async function one(seed: bigint): Promise<number> {
  const report = await losePower(seed, { profile, trace: (line) => console.log(line) });
  console.log(lineOf(report));
  if (report.failure !== undefined) console.log(report.failure.error);
  return report.failure === undefined ? 0 : 1;
}

process.exitCode =
  values.seed === undefined
    ? await many(BigInt(values.from), Number(values.seeds))
    : await one(BigInt(values.seed));
