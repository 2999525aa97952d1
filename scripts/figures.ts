import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BARS, BENCH_NAMES, barText } from './bench/bars.ts';

/**
 * `node scripts/figures.ts [BENCH…]`: runs the benches one after the other and prints the README's table of
 * figures, with machine and date.
 */
const main = fileURLToPath(new URL('bench/main.ts', import.meta.url));
const named = process.argv.slice(2);
const today = new Date().toISOString().slice(0, 10);
console.log(
  `Measured on ${today} on ${cpus()[0]?.model.trim() ?? 'an unknown processor'}, ${cpus().length} cores.\n`,
);
console.log('| bench | figure | value | bar |\n|---|---|---|---|');
for (const name of BENCH_NAMES.filter((bench) => named.length === 0 || named.includes(bench))) {
  const { stdout } = await promisify(execFile)(process.execPath, [main, name, '--json'], {
    maxBuffer: 2 ** 24,
  });
  const line = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, number | string>;
  for (const bar of BARS[name]) {
    const unit = bar.figure === 'value' ? ` ${line['unit'] ?? ''}` : '';
    console.log(`| ${name} | ${bar.figure} | ${String(line[bar.figure])}${unit} | ${barText(bar)} |`);
  }
}
