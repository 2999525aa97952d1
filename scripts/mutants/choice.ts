import { COMPARISONS } from './comparisons.ts';

/** More rounds than a test may take: its mutant never ends, or not in useful time. */
export class TooManyRounds extends Error {
  constructor() {
    super('The mutant runs on and on.');
    this.name = 'TooManyRounds';
  }
}

/** Which mutant is awake in a copy that chooses, and how many rounds its loops and functions have made. */
export const choice = {
  id: -1,
  ticks: 0,
  ticksMax: Number.POSITIVE_INFINITY,
  isOver: false,
  over(): never {
    choice.isOver = true;
    throw new TooManyRounds();
  },
};

const OPERATORS: Readonly<Record<string, (a: never, b: never) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '===': (a, b) => a === b,
  '!==': (a, b) => a !== b,
};

/** What a recording copy tells: the mutants that would have made a difference where they stand. */
export const record = {
  seen: new Uint8Array(0),

  hit(first: number, count: number): void {
    for (let id = first; id < first + count; id++) record.seen[id] = 1;
  },

  compare(first: number, operator: string, a: never, b: never): boolean {
    const result = OPERATORS[operator]?.(a, b) ?? false;
    for (const [index, other] of (COMPARISONS[operator] ?? []).entries())
      if (OPERATORS[other]?.(a, b) !== result) record.seen[first + index] = 1;
    return result;
  },

  and(id: number, isTest: boolean, a: unknown, right: () => unknown): unknown {
    if (!a) {
      record.seen[id] = 1;
      return a;
    }
    const b = right();
    if (isTest ? !b : a !== b) record.seen[id] = 1;
    return b;
  },

  or(id: number, isTest: boolean, a: unknown, right: () => unknown): unknown {
    if (a) {
      record.seen[id] = 1;
      return a;
    }
    const b = right();
    if (isTest ? b : a !== b) record.seen[id] = 1;
    return b;
  },

  fallback(first: number, value: unknown): unknown {
    record.seen[value === null || value === undefined ? first : first + 1] = 1;
    return value;
  },
};
