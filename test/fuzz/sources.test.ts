import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@cuadro/protocol';
import { Dice } from './dice.ts';
import type { Input } from './decoder.ts';
import { bytesLike, cborLike, jsonLike, textLike } from './sources.ts';

/** Half of all inputs were valid before something was changed in them; few are left as they were. */

const INPUTS = 20_000;
const HALF = [0.47, 0.56] as const;
const UNCHANGED_MAX = 0.12;

const value = { kind: 'beacon', peer: 'belen', sequence: 7, held: [1, 2, 3], load: 0.5 };
let made = 0;
/** The first time one of them, and the other for a donor. */
const valid = <T>(one: T, donor: T = one) => {
  return (): T => (++made % 2 === 1 ? one : donor);
};
const [text, other] = ['bytes=5-99999', 'bytes=-7'];
const sources: Record<string, { source: (dice: Dice) => Input; unchanged: Input }> = {
  bytesLike: { source: bytesLike(valid(encode(value))), unchanged: encode(value) },
  cborLike: { source: cborLike(valid(value)), unchanged: encode(value) },
  jsonLike: { source: jsonLike(valid(value)), unchanged: JSON.stringify(value) },
  textLike: { source: textLike(valid(text, other)), unchanged: text },
};

for (const [name, { source, unchanged }] of Object.entries(sources)) {
  test(`half of what ${name} makes comes of a valid input, and little of that is left as it was`, () => {
    let [ofValid, asItWas] = [0, 0];
    for (let i = 0; i < INPUTS; i++) {
      made = 0;
      const input = source(new Dice(i, ~i));
      if (made > 0) ofValid += 1;
      if (Buffer.from(input as string).equals(Buffer.from(unchanged as string))) asItWas += 1;
    }
    const [least, most] = HALF;
    const share = ofValid / INPUTS;
    assert.ok(share >= least && share <= most, `${share} of them`);
    assert.ok(asItWas > 0 && asItWas / INPUTS <= UNCHANGED_MAX, `${asItWas} are unchanged`);
  });
}
