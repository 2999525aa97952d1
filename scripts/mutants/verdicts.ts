import { basename } from 'node:path';
import { Judge, JudgeLost } from './bench.ts';
import type { Mutant } from './mutate.ts';
import { initOf, type Observed, ticksMaxFor, type Witness, type Workload } from './observe.ts';
import type { Outcome } from './messages.ts';

export type Verdict =
  | { readonly state: 'killed'; readonly by: string; readonly error: string }
  | { readonly state: 'survived'; readonly tests: number; readonly seeds: number };

/** Of a test on a busy machine; rounds are counted, so that only what loops elsewhere waits for this. */
const LIMIT_FLOOR_MS = 60_000;
const LIMIT_FACTOR = 30;

/** Judges mutants one after the other, in processes that it starts as they are needed. */
export class Bench {
  readonly #load: Workload;
  readonly #copy: string;
  readonly #observed: Observed;
  readonly #statics: ReadonlySet<number>;
  #judge: Judge | undefined;

  constructor(load: Workload, copy: string, observed: Observed) {
    this.#load = load;
    this.#copy = copy;
    this.#observed = observed;
    this.#statics = new Set(observed.statics);
  }

  async judge(mutant: Mutant): Promise<Verdict> {
    if (this.#statics.has(mutant.id)) return this.#judgeStatic(mutant);
    const witnesses = nearestFirst(
      this.#observed.witnesses.filter(({ sees }) => sees.includes(mutant.id)),
      mutant.file,
    );
    for (const witness of witnesses) {
      const error = await this.#killedBy(mutant.id, witness);
      if (error !== undefined) return { state: 'killed', by: witness.name, error };
    }
    return survived(witnesses);
  }

  end(): void {
    this.#judge?.end();
    this.#judge = undefined;
  }

  /** Awake from the start, so that nobody can tell which tests it concerns: all are asked, also what runs no function. */
  async #judgeStatic({ id, file }: Mutant): Promise<Verdict> {
    const witnesses = nearestFirst(this.#observed.witnesses, file);
    let judge: Judge | undefined;
    try {
      judge = await Judge.start(initOf(this.#load, this.#copy, id));
      for (const witness of witnesses) {
        const { error } = await tryOn(judge, id, witness);
        if (error !== undefined) return { state: 'killed', by: witness.name, error };
      }
    } catch (error) {
      if (error instanceof JudgeLost) return { state: 'killed', by: 'loading', error: error.message };
      throw error;
    } finally {
      judge?.end();
    }
    return survived(witnesses);
  }

  /**
   * Why a test fails with a mutant. What it left behind could make others fail, so the test must pass again without
   * it; else a new process says whether the mutant was to blame.
   */
  async #killedBy(id: number, witness: Witness): Promise<string | undefined> {
    const first = await this.#try(id, witness);
    if (first === undefined) return undefined;
    if (this.#judge !== undefined && (await this.#try(-1, witness)) === undefined) return first;
    this.end();
    const second = await this.#try(id, witness);
    if (second !== undefined) this.end();
    return second;
  }

  async #try(id: number, witness: Witness): Promise<string | undefined> {
    // Outside of what a mutant can be blamed for: none is awake yet.
    this.#judge ??= await Judge.start(initOf(this.#load, this.#copy, -1));
    try {
      return (await tryOn(this.#judge, id, witness)).error;
    } catch (error) {
      if (!(error instanceof JudgeLost)) throw error;
      this.end();
      return error.message;
    }
  }
}

/** A room's own test is likeliest to notice; the rest stays in its order, the quickest first. */
function nearestFirst(witnesses: readonly Witness[], file: string): Witness[] {
  const own = `/${basename(file, '.ts')}.test.ts`;
  const isOwn = ({ name }: Witness): boolean => name.includes(own);
  return [...witnesses.filter(isOwn), ...witnesses.filter((witness) => !isOwn(witness))];
}

function tryOn(judge: Judge, id: number, { name, ms, ticks }: Witness): Promise<Outcome> {
  return judge.try({ id, name, ticksMax: ticksMaxFor(ticks) }, LIMIT_FLOOR_MS + LIMIT_FACTOR * ms);
}

function survived(witnesses: readonly Witness[]): Verdict {
  const seeds = witnesses.filter(({ name }) => name.startsWith('seed ')).length;
  return { state: 'survived', tests: witnesses.length - seeds, seeds };
}
