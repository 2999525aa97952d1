import type { Dice } from './dice.ts';

export type Input = Uint8Array | string;

/** What a decoder made of an input: a value, or the refusal that it documents. */
export type Verdict = 'taken' | 'refused';

/** One decoder under test, ready to read. `read` throws for whatever it may not do. */
export interface Reader<I extends Input> {
  read(input: I): Verdict | Promise<Verdict>;
  close?(): Promise<void>;
}

export interface Decoder<I extends Input = Input> {
  readonly name: string;
  /** Exports and doors of the product that it covers, as `listed.ts` names them. */
  readonly covers: readonly string[];
  /** Source files whose lines count for the coverage; with names of functions where only these decode. */
  readonly sources: readonly (string | { readonly file: string; readonly functions: readonly string[] })[];
  readonly input: (dice: Dice) => I;
  readonly open: () => Reader<I> | Promise<Reader<I>>;
}

/** The types of inputs differ, and only a decoder's own parts meet them. */
export const decoder = <I extends Input>(definition: Decoder<I>): Decoder => definition;

/** The decoder did what it may never do. */
export class Misconduct extends Error {
  override readonly name = 'Misconduct';
}

export function demand(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new Misconduct(sentence);
}

type ErrorClass = abstract new (...args: never[]) => Error;

/** Runs a decoder that throws what it documents; any other error is the caller's to see. */
export function refusing(documented: readonly ErrorClass[], read: () => unknown): Verdict {
  try {
    return read() === undefined ? 'refused' : 'taken';
  } catch (error) {
    if (documented.some((known) => error instanceof known)) return 'refused';
    throw error;
  }
}

export async function refusingLater(
  documented: readonly ErrorClass[],
  read: () => Promise<unknown>,
): Promise<Verdict> {
  try {
    return (await read()) === undefined ? 'refused' : 'taken';
  } catch (error) {
    if (documented.some((known) => error instanceof known)) return 'refused';
    throw error;
  }
}
