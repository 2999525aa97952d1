/**
 * `npm test`: the checks, then all tests. `npm test -- unit/core e2e/kill` runs only test files whose path holds
 * one of the words, without the checks. Ends with code 1 on any failure, and when no test ran.
 */
import { resolve } from 'node:path';
import { check } from './check.ts';
import { projectFiles } from './check/sources.ts';
import { type FileResult, type FileRunLimits, runFile } from './test/file-run.ts';
import { countTests, describeFile, describeRun } from './test/summary.ts';

/**
 * Files that run at a time. The machine that the bar of 15 minutes names has two cores; a third file uses what the
 * others leave while they wait.
 */
const AT_ONCE = 3;

/** Quick files. */
const LIGHT: Phase = {
  folders: ['unit', 'contract', 'fuzz'],
  limits: { fileMs: 180_000, lingerMs: 15_000 },
};

/** Hours of whole farms, and searches of models: nothing in them waits for real time, so that they keep the cores busy. */
const SIMULATED: Phase = { folders: ['sim', 'model'], limits: { fileMs: 900_000, lingerMs: 15_000 } };

/**
 * Files that start nodes, Blender or Chromium, and wait much. Each has networks, folders and ports of its own, and waits
 * for conditions, so that none minds the others.
 */
const HEAVY: Phase = { folders: ['e2e', 'browser'], limits: { fileMs: 420_000, lingerMs: 20_000 } };

/** Of all files those that wait longest, the longest first: begun last they would have the machine for themselves at the end. */
export const LONGEST = [
  'test/e2e/bad-machine.test.ts',
  'test/e2e/farm.test.ts',
  'test/e2e/crash.test.ts',
  'test/e2e/store-faults.test.ts',
  'test/e2e/control.test.ts',
  'test/e2e/restart.test.ts',
];

/** Folders that need a prepared machine or much time: run only when named, one file at a time. */
const ON_REQUEST: Phase = { folders: ['lan'], limits: { fileMs: 900_000, lingerMs: 20_000 } };

interface Phase {
  folders: string[];
  limits: FileRunLimits;
}

/** The test files of `paths` that stand in one of a phase's folders and match one of the words, if any. */
export function chooseFiles(paths: string[], folders: string[], words: string[]): string[] {
  return paths.filter((path) => {
    const folder = /^test\/([^/]+)\/.*\.test\.ts$/.exec(path)?.[1];
    if (folder === undefined || !folders.includes(folder)) return false;
    return words.length === 0 || words.some((word) => path.includes(word));
  });
}

/** The files in the order in which they are begun, of those of one phase. */
export function inOrder(files: readonly string[]): string[] {
  const long = LONGEST.filter((file) => files.includes(file));
  return [...long, ...files.filter((file) => !long.includes(file))];
}

interface Waiting {
  file: string;
  limits: FileRunLimits;
}

/**
 * Runs the files of both lists. One file at a time is of those that compute, the others are of those that wait, for as
 * long as there are such: so the cores are busy all the time, and the last files are short ones.
 */
async function runFiles(
  root: string,
  { computing, waiting }: { computing: Waiting[]; waiting: Waiting[] },
  atOnce: number,
): Promise<FileResult[]> {
  const results: FileResult[] = [];
  const runAll = async (first: Waiting[], then: Waiting[]): Promise<void> => {
    for (;;) {
      const next = first.shift() ?? then.shift();
      if (next === undefined) return;
      const result = await runFile(root, next.file, next.limits);
      results.push(result);
      console.log(describeFile(result));
    }
  };
  await Promise.all(
    Array.from({ length: atOnce }, (_, lane) =>
      lane === 0 ? runAll(computing, waiting) : runAll(waiting, computing),
    ),
  );
  return results;
}

async function main(root: string, words: string[]): Promise<number> {
  const started = performance.now();
  const checksPass = words.length > 0 || (await check(root));
  const paths = projectFiles(root);
  const filesOf = ({ folders, limits }: Phase): Waiting[] =>
    inOrder(chooseFiles(paths, folders, words)).map((file) => ({ file, limits }));
  const lists = { computing: [SIMULATED, LIGHT].flatMap(filesOf), waiting: filesOf(HEAVY) };
  const results = await runFiles(root, lists, AT_ONCE);
  if (words.length > 0)
    results.push(...(await runFiles(root, { computing: [], waiting: filesOf(ON_REQUEST) }, 1)));
  const counts = countTests(results);
  if (counts.tests === 0) {
    console.error(
      words.length > 0 ? `No test file's path holds ${words.join(' or ')}.` : 'No tests were found.',
    );
    return 1;
  }
  console.log(describeRun(results, counts, performance.now() - started));
  // Said before node's closing lines would be read alone: the checks above belong to the verdict.
  if (!checksPass) console.error('The checks found what stands above, so this run has failed.');
  return checksPass && counts.fail === 0 && counts.cancelled === 0 ? 0 : 1;
}

if (import.meta.main) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
  const words = process.argv.slice(2).map((word) => word.replace(/^(\.\/)?test\//, ''));
  process.exitCode = await main(resolve(import.meta.dirname, '..'), words);
}
