import { z } from 'zod';
import { encode } from './codec.ts';
import { compareText, jobIdSchema, type JobId } from './ids.ts';
import {
  GOSSIPED_BATCH_BYTES_MAX,
  GOSSIPED_RECORDS_MAX,
  RECORD_BYTES_MAX,
  SYNC_BUCKETS_ASKED_MAX,
  SYNC_GROUPS_ASKED_MAX,
  SYNC_KEY_LENGTH_MAX,
  SYNC_LIST_ITEMS_MAX,
} from './limits.ts';
import { taskKey } from './records.ts';

/**
 * How replicas compare and exchange their records (SPEC R45 to R49): digests, the grouping of keys, and the
 * messages of the exchange. Pure: the hash function is the caller's.
 */

export const DIGEST_BYTES = 16;
/** Tasks of one bucket; their indices follow each other. */
export const TASKS_PER_BUCKET = 256;

/** A job's id, or `other` for everything that belongs to no job. */
export type GroupName = string;
/** `job` (the job's record), `other`, or a number: the tasks from 256 times it on. */
export type BucketName = number | 'job' | 'other';

/** Where a record stands among the groups and buckets; `slot` for tasks: the place in their bucket. */
export interface RecordPlace {
  readonly group: GroupName;
  readonly bucket: BucketName;
  readonly slot: number | undefined;
}

const JOB_KEY = /^job\/([a-z2-7]{16})$/;
const TASK_KEY = /^task\/([a-z2-7]{16})\/(\d{10})$/;
const OTHER: RecordPlace = { group: 'other', bucket: 'other', slot: undefined };

/** The place of any key, also of kinds that this version does not know: those are `other` (SPEC R45). */
export function placeOf(key: string): RecordPlace {
  const task = TASK_KEY.exec(key);
  if (task !== null) {
    const index = Number(task[2]);
    return {
      group: task[1] as JobId,
      bucket: Math.floor(index / TASKS_PER_BUCKET),
      slot: index % TASKS_PER_BUCKET,
    };
  }
  const job = JOB_KEY.exec(key);
  return job === null ? OTHER : { group: job[1] as JobId, bucket: 'job', slot: undefined };
}

/** The key of the task in a slot of a bucket. */
export const taskKeyAt = (job: JobId, bucket: number, slot: number): string =>
  taskKey(job, bucket * TASKS_PER_BUCKET + slot);

/** The order of groups in an exchange: `other` first, since members come before what they sign. */
export function compareGroups(a: GroupName, b: GroupName): number {
  if (a === b) return 0;
  if (a === 'other') return -1;
  return b === 'other' ? 1 : compareText(a, b);
}

/** The order of buckets: the job's record, which may be a tombstone, before its tasks. */
export function compareBuckets(a: BucketName, b: BucketName): number {
  return (typeof a === 'number' ? a : -1) - (typeof b === 'number' ? b : -1);
}

/** What a record's digest is made over: key, a zero byte, canonical bytes (SPEC R45). Keys are ASCII or refused. */
export function digestInput(key: string, bytes: Uint8Array): Uint8Array {
  const input = new Uint8Array(key.length + 1 + bytes.length);
  for (let i = 0; i < key.length; i++) input[i] = key.charCodeAt(i);
  input.set(bytes, key.length + 1);
  return input;
}

/** The digest of a record (SPEC R45). `sha256` gives 32 bytes. */
export function recordDigest(
  sha256: (bytes: Uint8Array) => Uint8Array,
  key: string,
  bytes: Uint8Array,
): Uint8Array {
  return sha256(digestInput(key, bytes)).subarray(0, DIGEST_BYTES);
}

/** Exclusive or into `target`: adds a record's digest to a set's, or takes it out again. */
export function toggleDigest(target: Uint8Array, digest: Uint8Array): void {
  for (let i = 0; i < DIGEST_BYTES; i++) target[i] = (target[i] as number) ^ (digest[i] as number);
}

const bytesOf = (min: number, max: number) =>
  z.instanceof(Uint8Array).refine((bytes) => bytes.length >= min && bytes.length <= max, 'wrong length');
const digest = bytesOf(DIGEST_BYTES, DIGEST_BYTES);
const digests = bytesOf(0, DIGEST_BYTES * SYNC_LIST_ITEMS_MAX);
/** Canonical bytes of one record. */
const recordBytes = bytesOf(1, RECORD_BYTES_MAX);
/** Printable ASCII: what digests are made over. */
const recordKeyText = z
  .string()
  .max(SYNC_KEY_LENGTH_MAX)
  .regex(/^[!-~]+$/);
const group = z.union([z.literal('other'), jobIdSchema]);
/** The highest task index is 2^32 - 1. */
const bucket = z.union([
  z.literal('job'),
  z.literal('other'),
  z
    .int()
    .min(0)
    .max(2 ** 32 / TASKS_PER_BUCKET - 1),
]);
/** Records of one bucket: slots in ascending order for tasks, whole keys for others. */
const names = z.union([bytesOf(0, TASKS_PER_BUCKET), z.array(recordKeyText).max(SYNC_LIST_ITEMS_MAX)]);
/** Records with the digests that go with them, one after the other. */
const listing = z.looseObject({ group, bucket, names, digests });

/** Gossip of a node's own changes (SPEC R46). */
export const gossipedRecordsSchema = z.looseObject({
  kind: z.literal('records'),
  records: z.array(recordBytes).max(GOSSIPED_RECORDS_MAX),
});

/** What the opener of an exchange asks (SPEC R48). Each request is answered before the next. */
export const syncRequestSchema = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('hello'), root: digest }),
  z.looseObject({ kind: z.literal('ask-buckets'), groups: z.array(group).max(SYNC_GROUPS_ASKED_MAX) }),
  z.looseObject({
    kind: z.literal('ask-keys'),
    buckets: z.array(z.looseObject({ group, bucket })).max(SYNC_BUCKETS_ASKED_MAX),
  }),
  /** The digests are those that the listing announced: what has changed since is not sent. */
  z.looseObject({ kind: z.literal('pull'), wants: z.array(listing).max(SYNC_BUCKETS_ASKED_MAX) }),
  z.looseObject({
    kind: z.literal('push'),
    records: z.array(recordBytes).max(SYNC_LIST_ITEMS_MAX),
    last: z.boolean(),
  }),
]);
export type SyncRequest = z.infer<typeof syncRequestSchema>;

/** What is answered. Lists come in pages, in strictly ascending order over all pages; `last` ends the answer. */
export const syncAnswerSchema = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('busy') }),
  z.looseObject({
    kind: z.literal('groups'),
    root: digest,
    groups: z.array(group).max(SYNC_LIST_ITEMS_MAX),
    digests,
    last: z.boolean(),
  }),
  z.looseObject({
    kind: z.literal('buckets'),
    lists: z
      .array(
        z.looseObject({
          group,
          buckets: z.array(bucket).max(SYNC_LIST_ITEMS_MAX),
          /** Records of each bucket. */
          counts: z.array(z.int().min(1)).max(SYNC_LIST_ITEMS_MAX),
          digests,
        }),
      )
      .max(SYNC_GROUPS_ASKED_MAX),
    last: z.boolean(),
  }),
  z.looseObject({
    kind: z.literal('keys'),
    lists: z.array(listing).max(SYNC_BUCKETS_ASKED_MAX),
    last: z.boolean(),
  }),
  z.looseObject({
    kind: z.literal('records'),
    records: z.array(recordBytes).max(SYNC_LIST_ITEMS_MAX),
    /** How many of those asked for have changed since they were listed, or are gone. */
    moved: z.int().min(0),
    last: z.boolean(),
  }),
  /** All that was pushed is durable here; of all that this exchange brought so far, `refused` were of no use. */
  z.looseObject({ kind: z.literal('taken'), refused: z.int().min(0) }),
]);
export type SyncAnswer = z.infer<typeof syncAnswerSchema>;
export type SyncListing = z.infer<typeof listing>;

/** Bytes of a gossiped batch around its records: the map, its keys, and an array's head. */
const GOSSIP_ENVELOPE_BYTES = encode({ kind: 'records', records: [] }).length + 4;
/** Head of a byte string in CBOR (RFC 8949, section 3). */
const headBytes = (length: number): number =>
  length < 24 ? 1 : length < 0x100 ? 2 : length < 0x1_0000 ? 3 : 5;

/** What a record of so many bytes takes in a message. */
export const carriedBytes = (recordBytes: number): number => headBytes(recordBytes) + recordBytes;

/** The most that a gossiped batch may hold of what `carriedBytes` counts. */
export const GOSSIPED_ROOM_BYTES = GOSSIPED_BATCH_BYTES_MAX - GOSSIP_ENVELOPE_BYTES;
