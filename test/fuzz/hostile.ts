import type { Dice } from './dice.ts';
import { type Wild, wildCbor } from './wild-cbor.ts';

/** What nobody means well by: values, texts and bytes at the edges of what decoders can be told. */

export const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'kind',
  'peer',
  'id',
  'value',
  'counter',
  'signature',
  'length',
  '0',
  '',
  '/',
  'asCID',
  'then',
] as const;

const TEXTS = [
  ...NAMES,
  '\0',
  'a\0b',
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  'a/../b',
  'a//b',
  './a',
  'C:\\Windows\\system32',
  'c:a',
  '\\\\server\\share',
  'con',
  'NUL.txt',
  'com1',
  'lpt¹.png',
  'name.',
  'name ',
  '\ud800',
  'a\udfffb',
  '\ufeff',
  '\ufffd',
  '\u202e',
  'é',
  'e\u0301',
  '💃',
  '-0',
  '1e999',
  'NaN',
  '9007199254740993',
  '-1',
  '00',
  '1-1048575',
  '1-10:0',
  '%',
  '%00',
  '%2e%2e%2f',
  '%c0%af',
  '{}',
  '[]',
  'null',
  '\r\n',
  '\n\n',
  '"',
  "'",
  '$&',
  '${x}',
  '*',
  'kept:',
  'a'.repeat(16),
  'a'.repeat(64),
  '0'.repeat(64),
  'x'.repeat(300),
  'y'.repeat(2_000),
  '.'.repeat(260),
] as const;

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  23,
  24,
  255,
  256,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32 - 1,
  2 ** 32,
  2 ** 48,
  2 ** 48 + 1,
  Number.MAX_SAFE_INTEGER,
  Number.MAX_SAFE_INTEGER + 1,
  -Number.MAX_SAFE_INTEGER,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  Number.EPSILON,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
] as const;

const BIGINTS = [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n), -(2n ** 64n)] as const;

const BYTE_LENGTHS = [0, 1, 15, 16, 17, 32, 63, 64, 65, 256, 1_000];

export const hostileText = (dice: Dice): string => {
  if (!dice.once(3)) return dice.pick(TEXTS);
  let text = '';
  for (let left = dice.size(40); left > 0; left--) {
    text += dice.once(8)
      ? dice.pick(TEXTS)
      : String.fromCharCode(dice.once(4) ? dice.below(65_536) : dice.below(128));
  }
  return text;
};

export const hostileNumber = (dice: Dice): number =>
  dice.once(4) ? dice.next() * (dice.once(2) ? -1 : 1) : dice.pick(NUMBERS);

/** A value without parts. */
export function hostileAtom(dice: Dice): Wild {
  switch (dice.below(8)) {
    case 0:
      return null;
    case 1:
      return undefined;
    case 2:
      return dice.once(2);
    case 3:
      return dice.pick(BIGINTS);
    case 4:
      return dice.bytes(dice.pick(BYTE_LENGTHS));
    case 5:
      return hostileNumber(dice);
    default:
      return hostileText(dice);
  }
}

/** A value of any form; its names are those that decoders look for, or that mean something to objects. */
export function hostileValue(dice: Dice, depth = 3): Wild {
  if (depth === 0 || dice.once(3)) return hostileAtom(dice);
  const count = dice.size(6);
  if (dice.once(2)) return Array.from({ length: count }, () => hostileValue(dice, depth - 1));
  const map: Record<string, Wild> = {};
  for (let left = count; left > 0; left--) {
    const name = dice.once(4) ? hostileText(dice) : dice.pick(NAMES);
    Object.defineProperty(map, name, {
      value: hostileValue(dice, depth - 1),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return map;
}

/** Bytes that begin as something and go on as something else. */
export function hostileBytes(dice: Dice): Uint8Array {
  switch (dice.below(6)) {
    case 0:
      return dice.bytes(dice.size(600));
    case 1:
      // Nested as deep as it is long.
      return new Uint8Array(dice.size(20_000)).fill(
        dice.pick([0x81, 0xa1, 0x9f, 0xbf, 0xd8, 0xc2, 0x5b, 0x7b]),
      );
    case 2: {
      // A head that promises more than there is.
      const head = dice.pick([0x5a, 0x7a, 0x9a, 0xba, 0x5b, 0x7b, 0x9b, 0xbb, 0x1b, 0x3b, 0xfb, 0xdb]);
      return Uint8Array.from([head, ...dice.bytes(4 + dice.below(12))]);
    }
    default:
      return wildCbor(dice, hostileValue(dice, dice.between(1, 5)));
  }
}
