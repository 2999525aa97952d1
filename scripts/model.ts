/**
 * `npm run model`: spin checks the model of the succession in test/model exhaustively, and shows by models with a
 * planted fault that what it asks can be violated. Ends with code 1 on any other verdict.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** One search: the model, its switches, and the property that it is to violate, if any. */
export interface ModelRun {
  name: string;
  model: string;
  switches: string[];
  violates?: string;
}

export const MODEL_RUNS: readonly ModelRun[] = [
  { name: 'one coordinator after any faults', model: 'succession.pml', switches: [] },
  { name: 'a lone returner', model: 'succession.pml', switches: ['RETURNER'] },
  {
    name: 'planted: the lowest id wins a meeting',
    model: 'succession.pml',
    switches: ['RETURNER', 'LOWEST_ID_WINS'],
    violates: 'incumbent_stays',
  },
  {
    name: 'planted: of two with equal terms neither yields',
    model: 'succession.pml',
    switches: ['EQUAL_TERMS_STAY'],
    violates: 'one_coordinator_in_time',
  },
  {
    name: 'planted: a coordinator yields to lower terms',
    model: 'succession.pml',
    switches: ['YIELDS_TO_LOWER_TERMS'],
    violates: 'never_an_older_epoch',
  },
];

/** A search that takes longer on a busy core is a model that grew: it is to be made smaller. */
const SEARCH_LIMIT_MS = 150_000;
const MEMORY_LIMIT_MB = 1_500;
const DEPTH_LIMIT = 200_000;

export interface ModelVerdict {
  /** The property that was violated; undefined where the search was complete and found nothing. */
  violated: string | undefined;
  /** The search saw every state, or stopped at a violation. */
  complete: boolean;
  states: number;
  depth: number;
  output: string;
}

/** What is missing on this machine, as a sentence; undefined where the models can be checked. */
export function missingForModels(): string | undefined {
  for (const [command, argument] of [
    ['spin', '-V'],
    ['cc', '--version'],
  ] as const) {
    if (spawnSync(command, [argument]).status !== 0) return `${command} is not there`;
  }
  return undefined;
}

function run(command: string, args: string[], cwd: string): string {
  const { status, stdout, stderr, signal } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: SEARCH_LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  if (signal !== null) throw new Error(`${command} took longer than ${SEARCH_LIMIT_MS / 1_000} s.`);
  if (status !== 0) throw new Error(`${command} ended with code ${status}: ${stdout}${stderr}`);
  return stdout;
}

/** `bounds` makes the model smaller than its own bounds do, as `TERMS=1`. */
export function checkModel(root: string, { model, switches }: ModelRun, bounds: string[] = []): ModelVerdict {
  const folder = mkdtempSync(join(tmpdir(), 'cuadro-model-'));
  try {
    run(
      'spin',
      ['-a', ...[...switches, ...bounds].map((name) => `-D${name}`), join(root, 'test/model', model)],
      folder,
    );
    const defines = ['SAFETY', 'NOREDUCE', 'COLLAPSE', `MEMLIM=${MEMORY_LIMIT_MB}`].map(
      (name) => `-D${name}`,
    );
    run('cc', ['-O1', '-w', ...defines, '-o', 'pan', 'pan.c'], folder);
    return verdictOf(run('./pan', ['-n', `-m${DEPTH_LIMIT}`], folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads what spin's search prints at its end. */
export function verdictOf(output: string): ModelVerdict {
  const [, assertion] = /assertion violated (\S+)/.exec(output) ?? [];
  const errors = Number(/errors: (\d+)/.exec(output)?.[1] ?? 1);
  const violated = assertion ?? (errors > 0 ? 'an end that is none' : undefined);
  return {
    violated,
    complete: violated !== undefined || !/not completed|too small|out of memory/i.test(output),
    states: Number(/(\d+) states, stored/.exec(output)?.[1] ?? 0),
    depth: Number(/depth reached (\d+)/.exec(output)?.[1] ?? 0),
    output,
  };
}

/** Whether a search ended as it is to end. */
export function isAsExpected({ violates }: ModelRun, { violated, complete }: ModelVerdict): boolean {
  return complete && violated === violates;
}

function main(root: string): number {
  const missing = missingForModels();
  if (missing !== undefined) {
    console.error(`The models cannot be checked: ${missing}.`);
    return 1;
  }
  let failed = false;
  for (const one of MODEL_RUNS) {
    const verdict = checkModel(root, one);
    const { violated, states, depth } = verdict;
    const isGood = isAsExpected(one, verdict);
    failed ||= !isGood;
    const said = violated === undefined ? 'nothing is violated' : `${violated} is violated`;
    console.log(`${isGood ? '✔' : '✖'} ${one.name}: ${said} (${states} states, depth ${depth})`);
    if (!isGood) console.log(verdict.output);
  }
  return failed ? 1 : 0;
}

if (import.meta.main) process.exitCode = main(resolve(import.meta.dirname, '..'));
