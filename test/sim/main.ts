/**
 * `npm run sim -- --seeds 100 [--from 1]`: that many runs, and every seed that failed (`--until-failure` ends with
 * the first). `npm run sim -- --seed S
 * [--trace]`: one run, with everything that happened in it.
 */
import { parseArgs } from 'node:util';
import { simulate, type RunReport } from './run.ts';

const HOUR_MS = 3_600_000;

function describe({ seed, profile, virtualMs, faults, jobs, failure }: RunReport): string {
  const how = failure === undefined ? 'clean' : `${failure.rule}: ${failure.sentence}`;
  return `seed ${seed}: ${profile.machines} machines, ${(virtualMs / 1_000).toFixed(0)} s, ${faults} faults, ${jobs} jobs: ${how}`;
}

async function one(seed: bigint, isTraced: boolean): Promise<number> {
  const report = await simulate(seed, isTraced ? { trace: (line) => process.stdout.write(`${line}\n`) } : {});
  console.log(describe(report));
  if (report.failure !== undefined && report.failure.rule === 'error') console.log(report.failure.error);
  return report.failure === undefined ? 0 : 1;
}

async function many(count: number, from: bigint, untilFailure: boolean): Promise<number> {
  const begun = performance.now();
  const cpu = process.cpuUsage();
  const failed: bigint[] = [];
  let virtualMs = 0;
  let events = 0;
  for (let seed = from; seed < from + BigInt(count); seed += 1n) {
    const report = await simulate(seed);
    virtualMs += report.virtualMs;
    events += report.events;
    if (report.failure === undefined) continue;
    failed.push(seed);
    console.log(describe(report));
    if (untilFailure) break;
  }
  const { user, system } = process.cpuUsage(cpu);
  const cpuMs = (user + system) / 1_000;
  console.log(
    `${count} seeds from ${from}: ${(virtualMs / HOUR_MS).toFixed(1)} virtual hours and ${events} events in ${((performance.now() - begun) / 1_000).toFixed(1)} s ` +
      `(${(cpuMs / 1_000).toFixed(1)} s of processor time, ${Math.round(virtualMs / cpuMs)} times real time); ${failed.length} failed${failed.length > 0 ? `: ${failed.join(' ')}` : ''}.`,
  );
  return failed.length === 0 ? 0 : 1;
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
    'until-failure': { type: 'boolean', default: false },
  },
});

process.exitCode =
  values.seed === undefined
    ? await many(Number(values.seeds), BigInt(values.from), values['until-failure'])
    : await one(BigInt(values.seed), values.trace);
