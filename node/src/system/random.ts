import { randomBytes } from 'node:crypto';
import type { Random } from './interface.ts';

/** The alphabet of RFC 4648, lower case: ids of jobs and farms are such names (SPEC R2). */
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const defaultNameLength = 16;

function nameOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => alphabet[byte & 31]).join('');
}

/** The machine's cryptographic random source. */
export function createSystemRandom(): Random {
  return {
    bytes: (count) => new Uint8Array(randomBytes(count)),
    // 48 bits are exact in a double and finer than any use here.
    float: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
    name: (length = defaultNameLength) => nameOf(randomBytes(length)),
  };
}

/**
 * A repeatable source for tests and simulation, never for keys: mulberry32 (Tommy Ettinger, public domain),
 * which passes gjrand and has a period of 2^32.
 */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => next() & 255);
  return {
    bytes,
    float: () => next() / 2 ** 32,
    name: (length = defaultNameLength) => nameOf(bytes(length)),
  };
}
