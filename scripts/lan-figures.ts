import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { projectFiles } from './check/sources.ts';
import { figureIn } from './test/figures.ts';
import { runFile } from './test/file-run.ts';
import { describeFile } from './test/summary.ts';
import { chooseFiles } from './test.ts';

/**
 * `node scripts/lan-figures.ts [MINUTES] [WORD…]`: runs the tests on networks made of namespaces (those whose path
 * holds one of the words, or all), with all cores pegged for so many minutes (10 by default), and prints what they
 * measured as one table, with machine and date.
 */

const MINUTES = 10;
/** Beside the minutes that are asked for. */
const FILE_MS = 900_000;

export interface Request {
  readonly minutes: number;
  readonly words: readonly string[];
}

/** Undefined where the first argument is a number that is no length of time. */
export function readRequest([first = '', ...rest]: readonly string[]): Request | undefined {
  const minutes = Number(first);
  if (first === '' || Number.isNaN(minutes))
    return { minutes: MINUTES, words: first === '' ? rest : [first, ...rest] };
  return minutes > 0 ? { minutes, words: rest } : undefined;
}

/** Rows of the table for what the tests of a file told: its figures alone, each once for each time it was taken. */
export function rowsOf(file: string, told: readonly string[]): string[] {
  const name = /([^/]+)\.test\.ts$/.exec(file)?.[1] ?? file;
  return told.flatMap((text) => {
    const figure = figureIn(text);
    return figure === undefined
      ? []
      : [`| ${name} | ${figure.what} | ${`${figure.value} ${figure.unit}`.trim()} |`];
  });
}

async function main(root: string, request: Request): Promise<number> {
  const files = chooseFiles(projectFiles(root), ['lan'], [...request.words]);
  process.env['CUADRO_PEGGED_MINUTES'] = String(request.minutes);
  const rows: string[] = [];
  let isGood = files.length > 0;
  for (const file of files) {
    const result = await runFile(root, file, {
      fileMs: FILE_MS + request.minutes * 60_000,
      lingerMs: 20_000,
    });
    console.log(describeFile(result));
    const failed = result.tests.some(({ outcome }) => outcome === 'fail' || outcome === 'cancelled');
    isGood &&= result.trouble === undefined && !failed;
    rows.push(...rowsOf(file, result.told));
  }
  const today = new Date().toISOString().slice(0, 10);
  const processor = cpus()[0]?.model.trim() ?? 'an unknown processor';
  console.log(`\nMeasured on ${today} on ${processor}, ${cpus().length} cores.\n`);
  console.log(['| test | what | measured |', '|---|---|---|', ...rows].join('\n'));
  return isGood ? 0 : 1;
}

if (import.meta.main) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
  const request = readRequest(process.argv.slice(2));
  if (request === undefined) {
    console.error('How many minutes? Usage: node scripts/lan-figures.ts [MINUTES] [WORD…]');
    process.exitCode = 2;
  } else process.exitCode = await main(resolve(import.meta.dirname, '..'), request);
}
