import type { TestContext } from 'node:test';

/** What a test measured: told with its result, and put into a table by `scripts/lan-figures.ts`. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  /** `ms`, `s`, or empty for a count. */
  readonly unit: string;
}

/** Tells a figure of a test. */
export function tellFigure(
  t: Pick<TestContext, 'diagnostic'>,
  what: string,
  value: number,
  unit = 'ms',
): void {
  t.diagnostic(`${what}: ${Math.round(value)}${unit === '' ? '' : ` ${unit}`}`);
}

/** The figure that a diagnostic tells; undefined where it is another sentence. */
export function figureIn(diagnostic: string): Figure | undefined {
  const [, what, value, unit = ''] = /^(.+): (\d+)(?: (ms|s))?$/.exec(diagnostic) ?? [];
  return what === undefined ? undefined : { what, value: Number(value), unit };
}
