import type { Dice } from './dice.ts';
import { hostileAtom, hostileNumber, hostileText, hostileValue, NAMES } from './hostile.ts';
import type { Wild } from './wild-cbor.ts';

/** Changes to what was valid: the nearer to a valid message, the deeper it gets. */

/** Lengths, counts and kinds stand in the first byte of what they head; these are the edges. */
const BYTES = [
  0, 1, 0x18, 0x1b, 0x20, 0x2f, 0x40, 0x5b, 0x60, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xf6, 0xfb, 0xff,
];

export function mutateBytes(dice: Dice, bytes: Uint8Array, donor: () => Uint8Array): Uint8Array {
  // A copy, since a slice of one of Node's buffers is none.
  let result: Uint8Array = Uint8Array.from(bytes);
  for (let left = 1 + dice.size(3); left > 0; left--) result = mutateBytesOnce(dice, result, donor);
  return result;
}

function mutateBytesOnce(dice: Dice, bytes: Uint8Array, donor: () => Uint8Array): Uint8Array {
  const at = dice.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + dice.size(32));
  switch (dice.below(9)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return bytes.slice(at);
    case 2:
      return joined(bytes.subarray(0, at), bytes.subarray(end));
    case 3:
      return joined(bytes.subarray(0, end), bytes.subarray(at));
    case 4:
      return joined(bytes.subarray(0, at), dice.bytes(dice.size(16)), bytes.subarray(at));
    case 5: {
      const other = donor();
      return joined(bytes.subarray(0, at), other.subarray(dice.below(other.length + 1)));
    }
    default: {
      const result = bytes.slice();
      if (at >= result.length) return result;
      const old = result[at] as number;
      const steps = [old ^ (1 << dice.below(8)), old + 1, old - 1, dice.pick(BYTES), dice.next()];
      result[at] = dice.pick(steps);
      return result;
    }
  }
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

export function mutateText(dice: Dice, text: string, donor: () => string): string {
  let result = text;
  for (let left = 1 + dice.size(2); left > 0; left--) {
    const at = dice.below(result.length + 1);
    const end = Math.min(result.length, at + dice.size(12));
    const [before, after] = [result.slice(0, at), result.slice(end)];
    switch (dice.below(6)) {
      case 0:
        result = before;
        break;
      case 1:
        result = before + after;
        break;
      case 2:
        result = before + result.slice(at, end).repeat(1 + dice.size(8)) + after;
        break;
      case 3:
        result = before + donor().slice(at);
        break;
      case 4:
        result = before + hostileText(dice) + result.slice(at);
        break;
      default:
        result = before + String.fromCharCode(dice.below(dice.once(6) ? 65_536 : 128)) + after;
    }
  }
  return result;
}

/** Changes one place of a value, or a few. */
export function mutateValue(dice: Dice, value: Wild, donor: () => Wild): Wild {
  let result = value;
  for (let left = 1 + dice.size(2); left > 0; left--) result = mutateAt(dice, result, donor);
  return result;
}

function mutateAt(dice: Dice, value: Wild, donor: () => Wild): Wild {
  if (Array.isArray(value) && value.length > 0 && !dice.once(4)) return inArray(dice, value as Wild[], donor);
  if (isMap(value) && !dice.once(6)) return inMap(dice, value, donor);
  return changed(dice, value, donor);
}

function inArray(dice: Dice, items: readonly Wild[], donor: () => Wild): Wild {
  const copy = [...items];
  const at = dice.below(copy.length);
  switch (dice.below(6)) {
    case 0:
      copy.splice(at, 1);
      break;
    case 1:
      copy.splice(at, 0, ...Array.from({ length: 1 + dice.size(4) }, () => copy[at]));
      break;
    case 2:
      copy.reverse();
      break;
    default:
      copy[at] = mutateAt(dice, copy[at], donor);
  }
  return copy;
}

function inMap(dice: Dice, map: { readonly [name: string]: Wild }, donor: () => Wild): Wild {
  const entries = Object.entries(map);
  const at = dice.below(entries.length);
  const [name, value] = entries[at] ?? [dice.pick(NAMES), hostileAtom(dice)];
  switch (dice.below(9)) {
    case 0:
      entries.splice(at, 1);
      break;
    case 1:
      entries.push([dice.once(2) ? hostileText(dice) : dice.pick(NAMES), hostileValue(dice, 2)]);
      break;
    case 2:
      entries[at] = [dice.once(2) ? hostileText(dice) : dice.pick(NAMES), value];
      break;
    case 3: {
      // Another property's value in this one's place.
      entries[at] = [name, dice.pick(entries)?.[1]];
      break;
    }
    case 4: {
      const other = donor();
      if (isMap(other)) entries.push(...Object.entries(other).slice(0, 1 + dice.below(3)));
      break;
    }
    default:
      entries[at] = [name, mutateAt(dice, value, donor)];
  }
  // Unlike by an assignment, `__proto__` is a property as any other so.
  return Object.fromEntries(entries);
}

function changed(dice: Dice, value: Wild, donor: () => Wild): Wild {
  switch (dice.below(5)) {
    case 0:
      return hostileAtom(dice);
    case 1:
      return dice.once(3) ? donor() : [value];
    case 2:
      if (typeof value === 'number')
        return dice.pick([value + 1, value - 1, -value, value * 2, value / 2, hostileNumber(dice)]);
      if (typeof value === 'string') return mutateText(dice, value, () => hostileText(dice));
      if (value instanceof Uint8Array) return mutateBytes(dice, value, () => dice.bytes(16));
      return hostileAtom(dice);
    case 3:
      return typeof value === 'string' ? hostileText(dice) : hostileValue(dice, 2);
    default:
      return { [dice.pick(NAMES)]: value };
  }
}

const isMap = (value: Wild): value is { readonly [name: string]: Wild } =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
