/**
 * `npm run fuzz [-- --decoder NAME] [--inputs N] [--seed S]`: every decoder reads that many inputs, 1,000,000 by
 * default, in two processes. What fails is printed with its seed and the smallest input that still fails, to become
 * a named test. `npm run fuzz -- --list` names the decoders, and `--coverage` tells
 * which of their lines are reached.
 */
import { parseArgs } from 'node:util';
import { measureCoverage } from './coverage.ts';
import type { Decoder } from './decoder.ts';
import { runShare } from './pool.ts';
import type { Report } from './run.ts';

const PROCESSES = 2;
const INPUTS = 1_000_000;
const COVERAGE_INPUTS = 20_000;

const { values } = parseArgs({
  options: {
    decoder: { type: 'string', multiple: true },
    inputs: { type: 'string' },
    seed: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
    coverage: { type: 'boolean', default: false },
  },
});

async function runOne({ name }: Decoder, inputs: number, seed: number): Promise<Report> {
  const shares = Math.min(PROCESSES, Math.ceil(inputs / 10_000));
  const orders = Array.from({ length: shares }, (_, share) => ({
    decoder: name,
    seed,
    inputs,
    share,
    shares,
  }));
  const reports = await Promise.all(orders.map((order) => runShare(order, order.share)));
  return reports.reduce((sum, report) => ({
    decoder: name,
    inputs: sum.inputs + report.inputs,
    taken: sum.taken + report.taken,
    seconds: sum.seconds + report.seconds,
    slowestMs: Math.max(sum.slowestMs, report.slowestMs),
    largestBytes: Math.max(sum.largestBytes, report.largestBytes),
    growthBytes: Math.max(sum.growthBytes ?? 0, report.growthBytes ?? 0),
    failures: [...sum.failures, ...report.failures],
  }));
}

function line({ decoder, inputs, taken, seconds, slowestMs, largestBytes, growthBytes }: Report): string {
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  const rate = Math.round(inputs / Math.max(seconds, 1e-3)).toLocaleString('en-US');
  const share = ((100 * taken) / Math.max(1, inputs)).toFixed(1);
  const held = `largest ${mebibytes(largestBytes)} MiB  kept ${mebibytes(growthBytes ?? 0)} MiB`;
  return `${decoder.padEnd(18)} ${inputs.toLocaleString('en-US').padStart(10)} inputs  ${share.padStart(5)} % taken  ${rate.padStart(8)}/s  slowest ${slowestMs.toFixed(0)} ms  ${held}`;
}

async function main(): Promise<number> {
  const inputs = Number(values.inputs ?? (values.coverage ? COVERAGE_INPUTS : INPUTS));
  const seed = Number(values.seed);
  if (!(inputs > 0) || !Number.isSafeInteger(seed))
    throw new RangeError('--inputs and --seed are whole numbers.');
  if (values.coverage) return measureCoverage(inputs, seed);
  const { DECODERS, decoderNamed } = await import('./decoders.ts');
  if (values.list) {
    for (const { name } of DECODERS) console.log(name);
    return 0;
  }
  const chosen = values.decoder?.map(decoderNamed) ?? DECODERS;
  const all: Report[] = [];
  for (const decoder of chosen) {
    const report = await runOne(decoder, inputs, seed);
    all.push(report);
    console.log(line(report));
    for (const { chunk, input, why } of report.failures) {
      console.log(`  fails (seed ${seed}, chunk ${chunk}): ${why}\n  input: ${input.slice(0, 20_000)}`);
    }
  }
  const total = all.reduce((sum, report) => sum + report.inputs, 0);
  const failed = all.filter(({ failures }) => failures.length > 0);
  const seconds = all.reduce((sum, report) => sum + report.seconds, 0);
  console.log(
    `${all.length} decoders, ${total.toLocaleString('en-US')} inputs in ${seconds.toFixed(0)} s of processor time; ${failed.length} failed.`,
  );
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main();
