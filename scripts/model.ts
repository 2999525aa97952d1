/**
 * `npm run model`: spin checks the models of succession and leases in test/model exhaustively, and shows by models with
 * a planted fault that what they ask can be violated. Ends with code 1 on any other verdict.
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
  /** Bounds that `npm test` searches instead of the model's own, as `TERMS=1`; undefined where it leaves the search out. */
  bounds: string[] | undefined;
}

/** One term and one attempt at a time, as long as there are faults. */
const SMALL = ['TERMS=1', 'GRANTS=1'];

/** The same, and among the faults somebody else stands, or the coordinator rises. */
const CHANGE = ['TERMS=2', 'GRANTS=1', 'ONE_CHANGE'];

/** What of a change among faults is searched in seconds. */
const CALMER = ['NO_FAILURES', 'NO_CRASHES'];

/** Faults in the models of leases, which are found with and without a change of coordinator among other faults. */
const LEASE_PLANTS = [
  { name: 'leases never end', plant: 'LEASE_NEVER_ENDS', violates: 'no_task_stuck' },
  {
    name: 'what beacons leave out stays a lease',
    plant: 'UNLISTED_STAYS',
    violates: 'no_task_stuck',
    isInTests: true,
  },
  {
    name: 'a grant of any epoch is obeyed',
    plant: 'GRANT_OF_ANY_EPOCH',
    violates: 'no_grant_of_an_older_epoch',
    isInTests: true,
  },
  {
    name: 'records are written after they are told',
    plant: 'WRITTEN_LATER',
    violates: 'ended_task_is_not_granted',
  },
  { name: 'what ended is granted', plant: 'GRANTS_WHAT_ENDED', violates: 'ended_task_is_not_granted' },
  { name: 'a second attempt is adopted', plant: 'ADOPTS_A_SECOND', violates: 'one_lease' },
  {
    name: 'what a machine runs is stopped for a newer grant to it',
    plant: 'NEWER_GRANT_STANDS',
    violates: 'newer_grant_ends_nothing',
  },
  {
    name: 'a machine does not say what it has before it gives a grant back',
    plant: 'GIVEN_BACK_UNSAID',
    violates: 'given_back_once',
  },
  { name: 'a stop that was lost is not told again', plant: 'STOP_TOLD_ONCE', violates: 'given_back_once' },
  {
    name: 'what is told to stop holds up a new grant',
    plant: 'STOPPED_HOLDS_UP',
    violates: 'given_back_once',
  },
  { name: 'no further attempt has a name', plant: 'NO_FURTHER_ATTEMPTS', violates: 'attempts_suffice' },
] as const;

const LEASE_PLANT_RUNS: readonly ModelRun[] = LEASE_PLANTS.flatMap(({ name, plant, violates, ...rest }) => [
  {
    name: `planted: ${name}`,
    model: 'leases.pml',
    switches: [plant, ...SMALL],
    violates,
    bounds: [],
  },
  {
    name: `planted, with a change of coordinator: ${name}`,
    model: 'leases.pml',
    switches: [plant, ...CHANGE],
    violates,
    // Each compilation takes a second: the tests try two, so that their short search is known to find something.
    bounds: 'isInTests' in rest ? CALMER : undefined,
  },
]);

export const MODEL_RUNS: readonly ModelRun[] = [
  { name: 'one coordinator after any faults', model: 'succession.pml', switches: [], bounds: ['TERMS=1'] },
  {
    name: 'one coordinator, with one term and messages in any order',
    model: 'succession.pml',
    switches: ['ANY_ORDER', 'TERMS=1'],
    bounds: undefined,
  },
  { name: 'a lone returner', model: 'succession.pml', switches: ['RETURNER'], bounds: [] },
  {
    name: 'a lone returner, with messages in any order',
    model: 'succession.pml',
    switches: ['RETURNER', 'ANY_ORDER'],
    bounds: [],
  },
  {
    name: 'planted: the lowest id wins a meeting',
    model: 'succession.pml',
    switches: ['RETURNER', 'LOWEST_ID_WINS'],
    violates: 'incumbent_stays',
    bounds: [],
  },
  {
    name: 'planted: who answers a collection counts as a follower',
    model: 'succession.pml',
    switches: ['RETURNER', 'ANSWERS_COUNT'],
    violates: 'incumbent_stays',
    bounds: [],
  },
  {
    name: 'planted: of two with equal terms neither yields',
    model: 'succession.pml',
    switches: ['EQUAL_TERMS_STAY'],
    violates: 'one_coordinator_in_time',
    bounds: ['TERMS=1'],
  },
  {
    name: 'planted: a coordinator yields to lower terms',
    model: 'succession.pml',
    switches: ['YIELDS_TO_LOWER_TERMS'],
    violates: 'never_an_older_epoch',
    bounds: ['TERMS=1'],
  },
  {
    name: 'planted: who stays answers each pulse with a higher term',
    model: 'succession.pml',
    switches: ['RETURNER', 'RISES_AT_EACH_PULSE'],
    violates: 'terms_settle',
    bounds: [],
  },
  { name: 'no task stuck after any faults', model: 'leases.pml', switches: SMALL, bounds: ['NO_FAILURES'] },
  {
    name: 'no task stuck after any faults and a change of coordinator among them',
    model: 'leases.pml',
    switches: CHANGE,
    bounds: CALMER,
  },
  {
    name: 'done is held twice',
    model: 'leases.pml',
    switches: ['COPIES', ...SMALL],
    bounds: undefined,
  },
  { name: 'a coordinator goes, and nothing is lost', model: 'leases.pml', switches: ['CALM'], bounds: [] },
  ...LEASE_PLANT_RUNS,
  {
    name: 'planted: a result is done before it is held twice',
    model: 'leases.pml',
    switches: ['COPIES', 'DONE_BEFORE_IT_IS_HELD', ...SMALL],
    violates: 'done_is_held_twice',
    bounds: [],
  },
  {
    name: 'planted: a successor ignores the mirrored grants',
    model: 'leases.pml',
    switches: ['CALM', 'MIRROR_IGNORED'],
    violates: 'second_copy_has_a_cause',
    bounds: [],
  },
];

/** A search that takes longer on a busy core is a model that grew: it is to be made smaller. */
const SEARCH_LIMIT_MS = 600_000;
const MEMORY_LIMIT_MB = 3_000;
const DEPTH_LIMIT = 500_000;

/** Where the search is short, compiling it well would take longer than the search itself. */
const QUICK = '-O0';
const THOROUGH = '-O2';

export interface ModelVerdict {
  /** The property that was violated; undefined where the search was complete and found nothing. */
  violated: string | undefined;
  /** The search saw every state, or stopped at a violation. */
  complete: boolean;
  states: number;
  depth: number;
  memoryMb: number;
  /** Of the search, with the compilation. */
  seconds: number;
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

/** `bounds` makes the model smaller than its own bounds do, as `TERMS=1`, so that the search is short. */
export function checkModel(root: string, { model, switches }: ModelRun, bounds?: string[]): ModelVerdict {
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'cuadro-model-'));
  try {
    run(
      'spin',
      ['-a', ...[...switches, ...(bounds ?? [])].map((name) => `-D${name}`), join(root, 'test/model', model)],
      folder,
    );
    const defines = ['SAFETY', 'NOREDUCE', 'COLLAPSE', `MEMLIM=${MEMORY_LIMIT_MB}`].map(
      (name) => `-D${name}`,
    );
    run('cc', [bounds === undefined ? THOROUGH : QUICK, '-w', ...defines, '-o', 'pan', 'pan.c'], folder);
    const output = run('./pan', ['-n', `-m${DEPTH_LIMIT}`], folder);
    return { ...verdictOf(output), seconds: (performance.now() - started) / 1_000 };
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
    memoryMb: Math.round(Number(/([\d.]+)\s+total actual memory/.exec(output)?.[1] ?? 0)),
    seconds: 0,
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
    const { violated, states, depth, seconds, memoryMb } = verdict;
    const isGood = isAsExpected(one, verdict);
    failed ||= !isGood;
    const said = violated === undefined ? 'nothing is violated' : `${violated} is violated`;
    const figures = `${states} states, depth ${depth}, ${seconds.toFixed(1)} s, ${memoryMb} MB`;
    console.log(`${isGood ? '✔' : '✖'} ${one.model}, ${one.name}: ${said} (${figures})`);
    if (!isGood) console.log(verdict.output);
  }
  return failed ? 1 : 0;
}

if (import.meta.main) process.exitCode = main(resolve(import.meta.dirname, '..'));
