import { z } from 'zod';
import { HOLD_ITEMS_MAX, HOLD_RECORDS_MAX, RECORD_BYTES_MAX } from './limits.ts';

/**
 * How one machine asks another to hold something as well, before it counts as safe (SPEC R57). Messages travel as
 * frames without a body (R63); records in them are canonical bytes, so that one that is refused spoils no other.
 */

const record: z.ZodType<Uint8Array> = z
  .instanceof(Uint8Array)
  .refine((bytes) => bytes.length <= RECORD_BYTES_MAX, 'too large');
/** Named by the asker; once per stream. */
const id = z.int().min(0);

export const holdItemSchema = z.discriminatedUnion('kind', [
  /** A task record with one result, and the files that the result names. */
  z.looseObject({ kind: z.literal('result'), id, record }),
  /** A job record, its plan, and its bundle with all files. */
  z.looseObject({ kind: z.literal('job'), id, record }),
  /** Records alone: a change that a person made. */
  z.looseObject({ kind: z.literal('records'), id, records: z.array(record).min(1).max(HOLD_RECORDS_MAX) }),
  /** A task record with one failure, and its log. */
  z.looseObject({ kind: z.literal('failure'), id, record }),
]);
export type HoldItem = z.infer<typeof holdItemSchema>;

export const holdRequestSchema = z.looseObject({
  kind: z.literal('hold'),
  items: z.array(holdItemSchema).min(1).max(HOLD_ITEMS_MAX),
});

/**
 * Why something isn't held. `no-room`: its store takes nothing now. `unreachable`: the files could not be fetched.
 * `unknown-job`: the job's record is missing here, and comes first. `outdated`: the job is deleted, or the result was
 * discarded. `invalid`: it is no such record, or one that the asker may not ask for.
 */
export const HOLD_REFUSALS = ['no-room', 'unreachable', 'unknown-job', 'outdated', 'invalid'] as const;
export type HoldRefusal = (typeof HOLD_REFUSALS)[number];

const counter = z.int().min(0);
export const holdOutcomeSchema = z.discriminatedUnion('kind', [
  z.looseObject({
    kind: z.literal('held'),
    id,
    /** Counters of the holder's own entries (R24), which are durable there: of a result's files, a failure's log, or a job's plan. */
    counter: counter.optional(),
    bundleCounter: counter.optional(),
  }),
  z.looseObject({ kind: z.literal('refused'), id, reason: z.enum(HOLD_REFUSALS) }),
]);
export type HoldOutcome = z.infer<typeof holdOutcomeSchema>;

export const holdAnswerSchema = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('outcomes'), outcomes: z.array(holdOutcomeSchema).max(HOLD_ITEMS_MAX) }),
  /** Something is still being fetched: it lives. */
  z.looseObject({ kind: z.literal('working') }),
]);
export type HoldAnswer = z.infer<typeof holdAnswerSchema>;
