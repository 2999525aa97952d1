import { Judge } from './bench.ts';
import { makeCopy, removeCopy } from './copies.ts';
import type { JudgeInit } from './messages.ts';
import type { MutatedFile } from './mutate.ts';

/** A test or a seed, and what it can notice. */
export interface Witness {
  readonly name: string;
  readonly ms: number;
  readonly ticks: number;
  /** The mutants that would make a difference where they stand when this runs. */
  readonly sees: readonly number[];
}

export interface Observed {
  readonly witnesses: readonly Witness[];
  /** Mutants that decide while the sources are loaded: each needs a process of its own. */
  readonly statics: readonly number[];
}

/** No unmutated test and no seed takes as long, on however busy a machine. */
const LIMIT_MS = 300_000;

export interface Workload {
  readonly root: string;
  readonly tests: readonly string[];
  readonly seeds: number;
  readonly files: ReadonlyMap<string, MutatedFile>;
  readonly mutants: number;
}

/** Runs every test and seed once on a copy that records, and once on one that chooses, with no mutant awake. */
export async function observe(load: Workload): Promise<Observed> {
  const copy = makeCopy(load.root, load.files, 'record');
  try {
    const judge = await Judge.start(initOf(load, copy, -1));
    const witnesses: Witness[] = [];
    const seenLater = new Set<number>();
    for (const name of [...judge.tests, ...seedNames(load.seeds)]) {
      const { error, ms, ticks, seen } = await judge.try({ id: -1, name, isRecorded: true }, LIMIT_MS);
      if (error !== undefined) throw new Error(`Without any mutant "${name}" fails: ${error}`);
      witnesses.push({ name, ms, ticks, sees: seen });
      for (const id of seen) seenLater.add(id);
    }
    judge.end();
    const statics = new Set(judge.seenBySources);
    for (const id of judge.seenByTests) if (!seenLater.has(id)) statics.add(id);
    return { witnesses: witnesses.sort((a, b) => a.ms - b.ms), statics: [...statics].sort((a, b) => a - b) };
  } finally {
    removeCopy(copy);
  }
}

/** How a judge of this workload begins. */
export function initOf({ tests, files, mutants }: Workload, copy: string, id: number): JudgeInit {
  return { copy, tests, sources: [...files.keys()], mutants, id };
}

function seedNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `seed ${index + 1}`);
}

/**
 * Runs all of it in another order on the copy that chooses: a test that then fails depends on others, or on chance,
 * and would be taken for a mutant's judge.
 */
export async function confirm(load: Workload, copy: string, { witnesses }: Observed): Promise<void> {
  const judge = await Judge.start(initOf(load, copy, -1));
  try {
    for (const { name, ticks } of witnesses) {
      const outcome = await judge.try({ id: -1, name, ticksMax: ticksMaxFor(ticks) }, LIMIT_MS);
      if (outcome.error !== undefined)
        throw new Error(`"${name}" fails without any mutant when it comes after others: ${outcome.error}`);
    }
  } finally {
    judge.end();
  }
}

/** What a mutant may make of a test's rounds before it counts as endless. */
export function ticksMaxFor(ticks: number): number {
  return 10 * ticks + 10_000;
}
