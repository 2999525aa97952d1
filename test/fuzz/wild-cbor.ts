import type { Dice } from './dice.ts';

/** Anything that CBOR can say, and more than our own encoder would write. */
export type Wild =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Wild[]
  | { readonly [name: string]: Wild };

const TEXT = new TextEncoder();

/**
 * Writes a value as CBOR (RFC 8949), mostly canonical, and now and then as no honest writer would: long heads, short
 * floats, indefinite lengths, names twice or out of order, tags (a link among them), numbers that no JSON has.
 */
export function wildCbor(dice: Dice, value: Wild): Uint8Array {
  const out: number[] = [];
  write(dice, out, value);
  return Uint8Array.from(out);
}

function write(dice: Dice, out: number[], value: Wild): void {
  if (dice.once(200)) out.push(0xd8, dice.pick([42, 0, 2, 255]));
  switch (typeof value) {
    case 'undefined':
      out.push(0xf7);
      return;
    case 'boolean':
      out.push(value ? 0xf5 : 0xf4);
      return;
    case 'number':
      return writeNumber(dice, out, value);
    case 'bigint':
      return value >= 0n ? bigHead(out, 0, value) : bigHead(out, 1, -1n - value);
    case 'string':
      return writeBytes(dice, out, 3, TEXT.encode(value));
    default:
      if (value === null) out.push(0xf6);
      else if (value instanceof Uint8Array) writeBytes(dice, out, 2, value);
      else if (Array.isArray(value)) writeArray(dice, out, value as readonly Wild[]);
      else writeMap(dice, out, value as { readonly [name: string]: Wild });
  }
}

function writeNumber(dice: Dice, out: number[], value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0) && !dice.once(100)) {
    return value >= 0 ? head(dice, out, 0, value) : head(dice, out, 1, -1 - value);
  }
  const view = new DataView(new ArrayBuffer(8));
  const isShort = dice.once(20);
  if (isShort) view.setFloat32(0, value);
  else view.setFloat64(0, value);
  out.push(isShort ? 0xfa : 0xfb, ...new Uint8Array(view.buffer, 0, isShort ? 4 : 8));
}

function writeBytes(dice: Dice, out: number[], major: number, bytes: Uint8Array): void {
  head(dice, out, major, bytes.length);
  for (const byte of bytes) out.push(byte);
}

function writeArray(dice: Dice, out: number[], items: readonly Wild[]): void {
  const isOpen = dice.once(100);
  if (isOpen) out.push(0x9f);
  else head(dice, out, 4, items.length);
  for (const item of items) write(dice, out, item);
  if (isOpen) out.push(0xff);
}

function writeMap(dice: Dice, out: number[], map: { readonly [name: string]: Wild }): void {
  const entries = Object.entries(map);
  // In the order of canonical bytes: by length, then by text.
  if (!dice.once(20)) entries.sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1));
  const [first] = entries;
  if (first !== undefined && dice.once(50)) entries.push(first);
  head(dice, out, 5, entries.length);
  for (const [name, value] of entries) {
    if (dice.once(200)) write(dice, out, 7);
    else writeBytes(dice, out, 3, TEXT.encode(name));
    write(dice, out, value);
  }
}

function head(dice: Dice, out: number[], major: number, argument: number): void {
  const type = major << 5;
  const isLong = dice.once(200);
  if (argument < 24 && !isLong) out.push(type | argument);
  else if (argument < 0x100 && !(isLong && dice.once(2))) out.push(type | 24, argument);
  else if (argument < 0x1_0000) out.push(type | 25, argument >> 8, argument & 255);
  else if (argument < 2 ** 32) {
    out.push(type | 26, argument >>> 24, (argument >>> 16) & 255, (argument >>> 8) & 255, argument & 255);
  } else bigHead(out, major, BigInt(argument));
}

function bigHead(out: number[], major: number, argument: bigint): void {
  out.push((major << 5) | 27);
  for (let shift = 56n; shift >= 0n; shift -= 8n) out.push(Number((argument >> shift) & 255n));
}
