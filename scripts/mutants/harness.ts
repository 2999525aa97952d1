/**
 * Stands in for `node:test` in a copy: keeps what the test files say, so that each test can be run alone and again,
 * with whatever mutant is awake.
 */
export interface KeptTest {
  readonly file: string;
  /** The file, its groups and its own name; the second of equal ones has a number. */
  readonly name: string;
  readonly run: () => unknown;
}

export const kept: KeptTest[] = [];
const names = new Map<string, number>();
let file = '';
let path: string[] = [];

export function beginFile(name: string): void {
  file = name;
  path = [];
}

type Body = () => unknown;

/** As `node:test` has it: a name, perhaps options, and the body. */
export function describe(name: string, ...rest: unknown[]): void {
  path.push(name);
  (rest.at(-1) as Body)();
  path.pop();
}

export function it(name: string, ...rest: unknown[]): void {
  const body = rest.at(-1) as Body;
  const whole = [file, ...path, name].join(' › ');
  const count = (names.get(whole) ?? 0) + 1;
  names.set(whole, count);
  kept.push({ file, name: count === 1 ? whole : `${whole} (${count})`, run: body });
}

export const test = it;
export const suite = describe;
