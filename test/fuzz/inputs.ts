import fc from 'fast-check';
import type { Input } from './decoder.ts';
import { Dice } from './dice.ts';

/** How many smaller inputs are tried for one that failed: enough for any of some kilobytes, and soon over. */
const SHRINKS_MAX = 20_000;

/** A decoder's inputs as fast-check's: made from its random source, and shrunk by taking parts away. */
export class Inputs<I extends Input> extends fc.Arbitrary<I> {
  readonly #make: (dice: Dice) => I;
  #shrinksLeft = SHRINKS_MAX;

  constructor(make: (dice: Dice) => I) {
    super();
    this.#make = make;
  }

  override generate(random: fc.Random): fc.Value<I> {
    return new fc.Value(this.#make(new Dice(random.nextInt(), random.nextInt())), undefined);
  }

  override canShrinkWithoutContext(value: unknown): value is I {
    return typeof value === 'string' || value instanceof Uint8Array;
  }

  override shrink(value: I): fc.Stream<fc.Value<I>> {
    return fc.stream(this.#smaller(value));
  }

  *#smaller(value: I): IterableIterator<fc.Value<I>> {
    for (let part = value.length; part >= 1; part = part >> 1) {
      for (let at = 0; at < value.length; at += part) {
        if (this.#shrinksLeft-- <= 0) return;
        yield new fc.Value(without(value, at, Math.min(value.length, at + part)), undefined);
      }
    }
  }
}

function without<I extends Input>(value: I, from: number, to: number): I {
  if (typeof value === 'string') return (value.slice(0, from) + value.slice(to)) as I;
  const result = new Uint8Array(value.length - (to - from));
  result.set(value.subarray(0, from));
  result.set(value.subarray(to), from);
  return result as Input as I;
}

/** An input as a person can put it into a test: hexadecimal digits, or a text in JSON's quotes. */
export function inputText(input: Input): string {
  return typeof input === 'string' ? JSON.stringify(input) : Buffer.from(input).toString('hex');
}
