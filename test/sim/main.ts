/**
 * `npm run sim -- --seeds 100 [--from 1] [--threads 2]`: that many runs, spread over the cores, and every seed that
 * failed (`--until-failure` takes them one by one and ends with the first). `npm run sim -- --seed S [--trace]`: one
 * run, with everything that happened in it. `--profile '{"machines":7}'` fixes what a seed else decides by itself.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { Profile } from './profile.ts';
import { simulate } from './run.ts';
import { spread, summaryOf, type RunSummary, type Stretch } from './spread.ts';
import { Tally } from './tally.ts';

const HOUR_MS = 3_600_000;

async function one(seed: bigint, isTraced: boolean, profile: Partial<Profile>): Promise<number> {
  const report = await simulate(seed, {
    profile,
    ...(isTraced && { trace: (line) => process.stdout.write(`${line}\n`) }),
  });
  console.log(summaryOf(report).text);
  if (report.failure !== undefined && report.failure.rule === 'error') console.log(report.failure.error);
  return report.failure === undefined ? 0 : 1;
}

async function untilFailure(
  { from, count, profile = {} }: Stretch,
  onRun: (run: RunSummary) => void,
): Promise<void> {
  for (let seed = from; seed < from + BigInt(count); seed += 1n) {
    const run = summaryOf(await simulate(seed, { profile }));
    onRun(run);
    if (run.hasFailed) return;
  }
}

async function many(
  { from, count, profile = {} }: Stretch,
  run: (seeds: Stretch, onRun: (run: RunSummary) => void) => Promise<void>,
): Promise<number> {
  const begun = performance.now();
  const cpu = process.cpuUsage();
  const failed: bigint[] = [];
  let [runs, virtualMs, events, usedShare] = [0, 0, 0, 0];
  const tally = new Tally();
  await run({ from, count, profile }, (ended) => {
    runs += 1;
    virtualMs += ended.virtualMs;
    events += ended.events;
    usedShare = Math.max(usedShare, ended.usedShare);
    tally.add(ended);
    if (!ended.hasFailed) return;
    failed.push(ended.seed);
    console.log(ended.text);
  });
  for (const line of tally.lines()) console.log(line);
  const missing = tally.missing();
  if (missing.length > 0) console.log(`never: ${missing.join(', ')}`);
  console.log(
    `Of the time that the work left at the healing may take, at most ${(usedShare * 100).toFixed(0)} % was used.`,
  );
  // Of all threads, those that compile and collect garbage included.
  const { user, system } = process.cpuUsage(cpu);
  const cpuMs = (user + system) / 1_000;
  console.log(
    `${runs} seeds from ${from}: ${(virtualMs / HOUR_MS).toFixed(1)} virtual hours and ${events} events in ${((performance.now() - begun) / 1_000).toFixed(1)} s ` +
      `(${(cpuMs / 1_000).toFixed(1)} s of processor time, so ${Math.round(virtualMs / cpuMs)} times real time on one core); ${failed.length} failed${failed.length > 0 ? `: ${failed.join(' ')}` : ''}.`,
  );
  return failed.length === 0 ? 0 : 1;
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    profile: { type: 'string', default: '{}' },
    trace: { type: 'boolean', default: false },
    'until-failure': { type: 'boolean', default: false },
  },
});

const profile = JSON.parse(values.profile) as Partial<Profile>;
const seeds: Stretch = { from: BigInt(values.from), count: Number(values.seeds), profile };
const onThreads = (asked: Stretch, onRun: (run: RunSummary) => void): Promise<void> =>
  spread(asked, onRun, Number(values.threads));

process.exitCode =
  values.seed === undefined
    ? await many(seeds, values['until-failure'] ? untilFailure : onThreads)
    : await one(BigInt(values.seed), values.trace, profile);
