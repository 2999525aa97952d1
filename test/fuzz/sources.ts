import { encode } from '@cuadro/protocol';
import type { z } from 'zod';
import type { Dice } from './dice.ts';
import { hostileBytes, hostileText, hostileValue } from './hostile.ts';
import { mutateBytes, mutateText, mutateValue } from './mutate.ts';
import { type Maker, validOf } from './valid.ts';
import { type Wild, wildCbor } from './wild-cbor.ts';

/** Where inputs come from: half of them hostile, half valid ones that were changed; one in sixteen is left valid. */

const VALID_EACH = 16;

/** Valid bytes with something changed in them, or what nobody would send. */
export function bytesLike(valid: (dice: Dice) => Uint8Array): (dice: Dice) => Uint8Array {
  return (dice) => {
    if (dice.once(VALID_EACH)) return valid(dice);
    return dice.once(2) ? hostileBytes(dice) : mutateBytes(dice, valid(dice), () => valid(dice));
  };
}

/** CBOR of what a schema takes: changed before or after it was encoded, or of another world. */
export function cborOf(...schemas: readonly z.ZodType[]): (dice: Dice) => Uint8Array {
  return cborLike(oneOf(schemas));
}

export function cborLike(valid: Maker): (dice: Dice) => Uint8Array {
  return (dice) => {
    const donor = (): Wild => valid(dice);
    switch (dice.below(VALID_EACH)) {
      case 0:
        return encode(valid(dice));
      case 1:
      case 2:
        return mutateBytes(dice, encode(valid(dice)), () => encode(valid(dice)));
      case 3:
      case 4:
      case 5:
      case 6:
      case 7:
        return wildCbor(dice, mutateValue(dice, valid(dice), donor));
      default:
        return hostileBytes(dice);
    }
  };
}

/** The same as JSON text. */
export function jsonOf(...schemas: readonly z.ZodType[]): (dice: Dice) => string {
  return jsonLike(oneOf(schemas));
}

export function jsonLike(valid: Maker): (dice: Dice) => string {
  return (dice) => {
    switch (dice.below(VALID_EACH)) {
      case 0:
        return json(valid(dice));
      case 1:
      case 2:
        return mutateText(dice, json(valid(dice)), () => json(valid(dice)));
      case 3:
      case 4:
      case 5:
      case 6:
      case 7:
        return json(mutateValue(dice, valid(dice), () => valid(dice)));
      case 8:
      case 9:
      case 10:
        return hostileText(dice);
      case 11:
        return dice.pick(['[', '{"a":', '"', '-']).repeat(1 + dice.size(10_000));
      default:
        return json(hostileValue(dice, dice.between(1, 5)));
    }
  };
}

/** Texts of a small language: the ones given are changed, or others come. */
export function textLike(valid: (dice: Dice) => string): (dice: Dice) => string {
  return (dice) => {
    if (dice.once(VALID_EACH)) return valid(dice);
    if (dice.once(2)) return mutateText(dice, valid(dice), () => valid(dice));
    return dice.once(50) ? hostileText(dice).repeat(1 + dice.size(500)) : hostileText(dice);
  };
}

export const textsOf = (...texts: readonly string[]): ((dice: Dice) => string) =>
  textLike((dice) => dice.pick(texts));

/** As JSON has it: what it has no words for is left out or becomes null. */
export function json(value: Wild): string {
  return (
    JSON.stringify(value, (_, part: unknown) => {
      if (typeof part === 'bigint') return Number(part);
      return part instanceof Uint8Array ? [...part] : part;
    }) ?? 'null'
  );
}

function oneOf(schemas: readonly z.ZodType[]): Maker {
  const makers = schemas.map(validOf);
  return (dice) => dice.pick(makers)(dice);
}
