import { attemptKey, type Grant, type JobRecord, type PlannedTask } from '@cuadro/protocol';
import type { Dice } from './dice.ts';
import type { Tally } from './tally.ts';
import type { Engine, Fate } from './worker.ts';

/** What the tasks of a job are like. */
export interface Nature {
  /** The file of the job's plan. */
  readonly plan: string;
  /** What a task takes on average, and what each takes, in milliseconds. */
  readonly meanMs: number;
  readonly taskMs: readonly number[];
  readonly files: number;
  /** Tasks that fail wherever they are tried, and such that take their machine down. */
  readonly poison: ReadonlySet<number>;
  readonly killers: ReadonlySet<number>;
  /** Share of attempts that fail by chance. */
  readonly flaky: number;
  /** Whether machines make different bytes of it. */
  readonly differs: boolean;
}

/** So many times the usual time of its job's tasks makes one a long tail. */
const LONG_TAIL = 3;

/** Knows how each attempt of the run goes: the engines below the simulated workers. */
export class Workshop implements Engine {
  readonly natures = new Map<string, Nature>();
  /** Machines on which everything fails for now. */
  readonly bad = new Set<string>();
  readonly #dice: Dice;
  readonly #tally: Pick<Tally, 'outcome'>;
  readonly #takeDown: (machine: string) => void;
  /** While the run is to end, nothing fails by chance, and machines survive what they render. */
  isCalm = false;

  constructor(dice: Dice, tally: Pick<Tally, 'outcome'>, takeDown: (machine: string) => void) {
    this.#dice = dice;
    this.#tally = tally;
    this.#takeDown = takeDown;
  }

  fate(machine: string, job: JobRecord, { index }: PlannedTask): Fate {
    const nature = this.natures.get(job.id);
    if (nature === undefined) throw new Error(`Nobody submitted the job ${job.id}.`);
    const ms = (nature.taskMs[index] ?? 1_000) * this.#dice.between(0.8, 1.2);
    if (this.bad.has(machine)) return { kind: 'fails', ms: ms / 4, code: 'machine-bad' };
    if (nature.poison.has(index)) return { kind: 'fails', ms, code: 'frame-poisoned' };
    if (nature.killers.has(index) && !this.isCalm) return { kind: 'kills', ms };
    if (ms > LONG_TAIL * nature.meanMs) this.#tally.outcome('long tail');
    if (!this.isCalm && this.#dice.chance(nature.flaky)) return { kind: 'fails', ms: ms / 2, code: 'flaky' };
    return { kind: 'renders', ms, files: nature.files, differs: nature.differs };
  }

  kill(machine: string): void {
    this.#takeDown(machine);
  }

  content(machine: string, grant: Grant, differs: boolean, file: number): string {
    const by = differs ? `${machine} ${attemptKey(grant.attempt)}` : 'anybody';
    return `${grant.job} ${grant.task} at redo ${grant.redo}, file ${file}, by ${by}`;
  }
}
