import type { KnownRecord } from '@cuadro/protocol';

/**
 * What a newer version may say in records: a property that this one doesn't know, in any place that has properties.
 */

/** Of the places of a value that have properties: keys and indices from the outermost one, itself first. */
export function placesIn(value: unknown, path: readonly string[] = []): string[][] {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return [];
  const own = Array.isArray(value) ? [] : [[...path]];
  return [...own, ...Object.entries(value).flatMap(([key, item]) => placesIn(item, [...path, key]))];
}

/** A copy in which the value at a place is another one. */
export function changedAt(
  value: unknown,
  path: readonly string[],
  change: (old: unknown) => unknown,
): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return change(value);
  const copy: unknown = Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) };
  (copy as Record<string, unknown>)[key] = changedAt((value as Record<string, unknown>)[key], rest, change);
  return copy;
}

export function withNews(record: KnownRecord, path: readonly string[], news: unknown): KnownRecord {
  return changedAt(record, path, (old) => ({ ...(old as object), news })) as KnownRecord;
}
