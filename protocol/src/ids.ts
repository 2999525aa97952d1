import { z } from 'zod';

/**
 * Names of things. All are opaque strings made once and never changed; only their form is checked here.
 */

/** A libp2p peer id in base58 (`12D3KooW…`): the machine's public key, and so its identity (SPEC R1). */
export type PeerId = string;
/** A job's id: 16 characters of lower-case base32, made at random by the submitting node. */
export type JobId = string;
/** A farm's id: 16 characters of lower-case base32, made at random by its founder. */
export type FarmId = string;
/** SHA-256 of a blob's bytes, 64 lower-case hexadecimal characters. */
export type BlobHash = string;
/** Place of a task in its job's plan, counted from 0. */
export type TaskIndex = number;

export const peerIdSchema = z.string().regex(/^[1-9A-HJ-NP-Za-km-z]{16,64}$/, 'not a peer id');
export const jobIdSchema = z.string().regex(/^[a-z2-7]{16}$/, 'not a job id');
export const farmIdSchema = z.string().regex(/^[a-z2-7]{16}$/, 'not a farm id');
export const blobHashSchema = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 in hexadecimal');
export const taskIndexSchema = z.int().min(0).max(4_294_967_295);

/** The reign of one coordinator (SPEC R40): totally ordered by term, then by peer. */
export interface Epoch {
  term: number;
  peer: PeerId;
}

/** An attempt's id (SPEC R41): two coordinators cannot clash, since an epoch belongs to one of them. */
export interface AttemptId {
  epoch: Epoch;
  /** Counted from 1 within the epoch. */
  sequence: number;
}

export const epochSchema = z.object({ term: z.int().min(0), peer: peerIdSchema });
export const attemptIdSchema = z.object({ epoch: epochSchema, sequence: z.int().min(0) });

/** Orders by UTF-16 code units, the same on every machine (`localeCompare` is not). */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Negative, zero or positive as `a` is older than, the same as, or newer than `b`. */
export function compareEpochs(a: Epoch, b: Epoch): number {
  return a.term - b.term || compareText(a.peer, b.peer);
}

/** Total order of attempts: by epoch, then by sequence. */
export function compareAttempts(a: AttemptId, b: AttemptId): number {
  return compareEpochs(a.epoch, b.epoch) || a.sequence - b.sequence;
}

/** The one text form of an attempt id, used as key and in addresses: `term.sequence.peer`. */
export function attemptKey(attempt: AttemptId): string {
  return `${attempt.epoch.term}.${attempt.sequence}.${attempt.epoch.peer}`;
}

/** Reads `attemptKey`'s form back; undefined where the text is not one. */
export function parseAttemptKey(text: string): AttemptId | undefined {
  const match = /^(\d{1,15})\.(\d{1,15})\.([1-9A-HJ-NP-Za-km-z]{16,64})$/.exec(text);
  if (match === null) return undefined;
  return { epoch: { term: Number(match[1]), peer: match[3] as string }, sequence: Number(match[2]) };
}
