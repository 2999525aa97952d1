import { crc32 } from 'node:zlib';

/**
 * The stored form of a node's own values (SPEC R172): a mark, the CRC-32 of what follows in eight digits, and JSON.
 * The first two versions stored the JSON alone; it begins with no such mark, so the two forms can't be taken for each
 * other.
 */
const MARK = '\x01';
const SUM_DIGITS = 8;
const HEAD_LENGTH = 1 + SUM_DIGITS;

const sumOf = (json: string): string => crc32(json).toString(16).padStart(SUM_DIGITS, '0');

export function localToText(value: unknown): string {
  const json = JSON.stringify(value);
  return `${MARK}${sumOf(json)}${json}`;
}

/** The JSON of a stored value; undefined where it is damaged. */
export function jsonOfLocal(text: string): string | undefined {
  if (text[0] === MARK) {
    const json = text.slice(HEAD_LENGTH);
    return text.slice(1, HEAD_LENGTH) === sumOf(json) ? json : undefined;
  }
  return isJson(text) ? text : undefined;
}

/** The value; undefined where it is damaged. */
export function localFromText(text: string): unknown {
  const json = jsonOfLocal(text);
  return json === undefined ? undefined : (JSON.parse(json) as unknown);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
