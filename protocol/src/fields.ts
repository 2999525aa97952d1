import { z } from 'zod';
import { compareCanonical } from './codec.ts';
import { compareText, peerIdSchema, type PeerId } from './ids.ts';
import { COUNTER_MAX } from './limits.ts';

/**
 * The small join-semilattices that records are made of (SPEC R20 to R24). Every merge here is commutative,
 * associative and idempotent, and returns its first argument unchanged where the second adds nothing, so
 * that callers can tell by identity whether anything changed.
 */

export const counterSchema = z.int().min(0).max(COUNTER_MAX);

/** A last-writer-wins field: ordered by (counter, peer), never by a clock (SPEC R21). */
export interface Field<T> {
  value: T;
  counter: number;
  peer: PeerId;
}

/** A field that its writer signed, since it steers the farm (SPEC R30). */
export interface SignedField<T> extends Field<T> {
  signature: Uint8Array;
}

export const fieldSchema = <T extends z.ZodType>(value: T) =>
  z.looseObject({ value, counter: counterSchema, peer: peerIdSchema });
export const signatureSchema = z
  .instanceof(Uint8Array)
  .refine((bytes) => bytes.length === 64, 'not 64 bytes');
export const signedFieldSchema = <T extends z.ZodType>(value: T) =>
  z.looseObject({ value, counter: counterSchema, peer: peerIdSchema, signature: signatureSchema });

/** The greater of two by (counter, peer); where a faulty peer wrote two values under one counter, by bytes. */
export function mergeField<F extends Field<unknown>>(a: F, b: F): F {
  if (a === b) return a;
  const order = a.counter - b.counter || compareText(a.peer, b.peer) || compareCanonical(a, b);
  return order >= 0 ? a : b;
}

/** The counter of the next write to a field: the highest seen plus one (SPEC R21). */
export function nextCounter(field: Field<unknown> | undefined): number {
  return (field?.counter ?? 0) + 1;
}

/** What one peer says of a copy it holds; only that peer writes it, with a higher counter each time (SPEC R24). */
export interface HolderEntry {
  held: boolean;
  counter: number;
}

/** Holders of a blob by peer. */
export type Holders = Record<PeerId, HolderEntry>;

export const holdersSchema = z.record(
  peerIdSchema,
  z.looseObject({ held: z.boolean(), counter: counterSchema }),
);

function mergeHolderEntry(a: HolderEntry, b: HolderEntry): HolderEntry {
  return (a.counter - b.counter || Number(a.held) - Number(b.held) || compareCanonical(a, b)) >= 0 ? a : b;
}

export function mergeHolders(a: Holders, b: Holders): Holders {
  return mergeMaps(a, b, mergeHolderEntry);
}

/** The peers that hold a copy, in a fixed order. */
export function heldBy(holders: Holders): PeerId[] {
  return Object.keys(holders)
    .filter((peer) => holders[peer]?.held === true)
    .sort(compareText);
}

/** Union of two maps; a key in both is merged by `mergeValue`. */
export function mergeMaps<V>(
  a: Record<string, V>,
  b: Record<string, V>,
  mergeValue: (a: V, b: V, key: string) => V,
): Record<string, V> {
  if (isEmpty(a)) return isEmpty(b) ? a : b;
  let merged = a;
  for (const key of Object.keys(b)) {
    const value = b[key] as V;
    const known = Object.hasOwn(a, key) ? (a[key] as V) : undefined;
    const result = known === undefined ? value : mergeValue(known, value, key);
    if (result === known) continue;
    if (merged === a) merged = { ...a };
    merged[key] = result;
  }
  return merged;
}

function isEmpty(map: Record<string, unknown>): boolean {
  for (const key in map) if (Object.hasOwn(map, key)) return false;
  return true;
}

export function looksLikeField(value: unknown): value is Field<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'counter' in value &&
    'peer' in value &&
    'value' in value &&
    typeof value.counter === 'number' &&
    typeof value.peer === 'string'
  );
}

/**
 * Merges two values that this version does not know: fields as fields, maps key by key, anything else by the
 * greater canonical bytes (SPEC R26). Newer nodes merge them by their own rule; older ones pass them on.
 */
export function mergeUnknown(a: unknown, b: unknown): unknown {
  if (a === b) return a;
  const [fieldA, fieldB] = [looksLikeField(a), looksLikeField(b)];
  if (fieldA && fieldB) return mergeField(a as Field<unknown>, b as Field<unknown>);
  // A field beats what is none: only one order of all values makes the merge associative.
  if (fieldA !== fieldB) return fieldA ? a : b;
  return compareCanonical(a, b) >= 0 ? a : b;
}
