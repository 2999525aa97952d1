import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCopy, removeCopy } from './copies.ts';
import { type MutatedFile, mutate, type Mutant } from './mutate.ts';
import { confirm, observe, type Observed, type Workload } from './observe.ts';
import { Store } from './store.ts';
import { Bench, type Verdict } from './verdicts.ts';

/** What decides in a farm: its brain, and what makes one state of many records. */
const DECIDING = ['protocol/src/fields.ts', 'protocol/src/merge.ts', 'protocol/src/derive.ts'];
const BRAIN = 'node/src/core';
const TESTS = ['test/unit/core', 'test/unit/protocol'];

export interface RunInit {
  readonly root: string;
  readonly files: readonly string[];
  /** Test files; those of core and protocol where left out. */
  readonly tests?: readonly string[];
  readonly seeds: number;
  readonly lanes: number;
  /** Whether what was killed before tests were added counts as killed. */
  readonly again: boolean;
  /** Whether nothing of earlier runs counts, and nothing is kept for later ones. */
  readonly isFresh?: boolean;
  readonly choose?: (mutants: readonly Mutant[]) => readonly Mutant[];
  readonly tell?: (judged: Judged, done: number, of: number) => void;
}

export interface Judged {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
}

/** Every file that is mutated, by its path from the root. */
export function mutatedPaths(root: string): string[] {
  return [...typescriptIn(root, BRAIN), ...DECIDING];
}

function typescriptIn(root: string, folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => `${folder}/${name}`);
}

/** All mutants of these files, numbered from 0. */
export function mutateFiles(root: string, paths: readonly string[]): Map<string, MutatedFile> {
  const runtimeUrl = new URL('./choice.ts', import.meta.url).href;
  const files = new Map<string, MutatedFile>();
  let next = 0;
  for (const path of paths) {
    const file = mutate({ path, text: readFileSync(join(root, path), 'utf8') }, next, runtimeUrl);
    files.set(path, file);
    next += file.mutants.length;
  }
  return files;
}

/** Judges the mutants of these files, those of `choose` or all. In the order of the files and their text. */
export async function judgeFiles(init: RunInit): Promise<Judged[]> {
  const files = mutateFiles(init.root, init.files);
  const all = [...files.values()].flatMap(({ mutants }) => mutants);
  const tests = init.tests ?? TESTS.flatMap((folder) => testsIn(init.root, folder));
  const load: Workload = { root: init.root, tests, seeds: init.seeds, files, mutants: all.length };
  const store = init.isFresh === true ? undefined : new Store(load);
  const texts = new Map(init.files.map((path) => [path, readFileSync(join(init.root, path), 'utf8')]));
  const textOf = (mutant: Mutant): string => texts.get(mutant.file) ?? '';
  const verdicts = new Map<Mutant, Verdict>();
  const chosen = init.choose?.(all) ?? all;
  for (const mutant of chosen) {
    const known = store?.verdictOf(mutant, textOf(mutant), init.again);
    if (known !== undefined) verdicts.set(mutant, known);
  }
  const waiting = chosen.filter((mutant) => !verdicts.has(mutant));
  if (waiting.length > 0) {
    const copy = makeCopy(init.root, files, 'choose');
    try {
      const observed = store?.observed() ?? (await observeAnew(load, copy, store));
      let done = verdicts.size;
      await inLanes(
        init.lanes,
        waiting,
        () => new Bench(load, copy, observed),
        (mutant, verdict) => {
          verdicts.set(mutant, verdict);
          store?.keep(mutant, textOf(mutant), verdict);
          done += 1;
          init.tell?.({ mutant, verdict }, done, chosen.length);
        },
      );
    } finally {
      removeCopy(copy);
    }
  }
  return chosen.map((mutant) => ({ mutant, verdict: verdicts.get(mutant) as Verdict }));
}

function testsIn(root: string, folder: string): string[] {
  return typescriptIn(root, folder).filter((path) => path.endsWith('.test.ts'));
}

async function observeAnew(load: Workload, copy: string, store: Store | undefined): Promise<Observed> {
  const observed = await observe(load);
  await confirm(load, copy, observed);
  store?.keepObserved(observed);
  return observed;
}

async function inLanes(
  lanes: number,
  waiting: Mutant[],
  makeBench: () => Bench,
  take: (mutant: Mutant, verdict: Verdict) => void,
): Promise<void> {
  await Promise.all(
    Array.from({ length: Math.min(lanes, waiting.length) }, async () => {
      const bench = makeBench();
      try {
        for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift())
          take(mutant, await bench.judge(mutant));
      } finally {
        bench.end();
      }
    }),
  );
}
