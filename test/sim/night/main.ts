/** `npm run night -- [--seed S] [--nights N] [--trace]`: whole nights, and what the morning says of them. */
import { parseArgs } from 'node:util';
import { simulateNight, type NightReport } from './night.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    nights: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
});

function print({ view, unexplained, invented, failure }: NightReport): void {
  if (view !== undefined) {
    const time = (at: number): string => new Date(at).toISOString().slice(11, 16);
    console.log(`${view.summary}\n`);
    for (const { sentence } of view.needs) console.log(`! ${sentence}`);
    for (const { order, name, sentence } of view.jobs) console.log(`#${order} ${name}: ${sentence}`);
    for (const { name, sentence } of view.machines) console.log(`${name}: ${sentence}`);
    console.log('');
    for (const { at, sentence } of view.events) console.log(`${time(at)}  ${sentence}`);
  }
  for (const what of unexplained) console.log(`NOT EXPLAINED: ${what}`);
  for (const what of invented) console.log(`NEVER HAPPENED: ${what}`);
  if (failure !== undefined) console.log(failure.rule === 'error' ? failure.error : failure.sentence);
}

const first = BigInt(values.seed);
const nights = BigInt(values.nights);
let failed = 0;
for (let seed = first; seed < first + nights; seed += 1n) {
  const cpu = process.cpuUsage();
  const trace = values.trace ? { trace: (line: string) => process.stdout.write(`${line}\n`) } : {};
  const report = await simulateNight(seed, trace);
  const { user, system } = process.cpuUsage(cpu);
  const { unexplained, invented, failure, scripted, events, results, virtualMs } = report;
  const isClean = failure === undefined && unexplained.length + invented.length === 0;
  if (!isClean) failed += 1;
  if (nights === 1n || !isClean) print(report);
  console.log(
    `night ${seed}: ${(virtualMs / 3_600_000).toFixed(1)} virtual hours, ${events} events, ${results} done frames, ` +
      `${scripted} deeds, ${unexplained.length} not explained, in ${((user + system) / 1e6).toFixed(1)} s of processor time: ` +
      (isClean ? 'clean' : 'NOT CLEAN'),
  );
}
process.exitCode = failed === 0 ? 0 : 1;
