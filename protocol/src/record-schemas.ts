import { z } from 'zod';
import { diaryRecordSchema } from './diary.ts';
import { counterSchema, fieldSchema, holdersSchema, signatureSchema, signedFieldSchema } from './fields.ts';
import {
  attemptIdSchema,
  blobHashSchema,
  farmIdSchema,
  jobIdSchema,
  peerIdSchema,
  taskIndexSchema,
} from './ids.ts';
import {
  ADMISSION_KEY_LENGTH_MAX,
  COUNTER_MAX,
  FAILURES_PER_TASK_MAX,
  FAILURE_CODE_LENGTH_MAX,
  SENTENCE_LENGTH_MAX,
  TASKS_PER_JOB_MAX,
  JOB_DEPENDENCIES_MAX,
  LOG_LINES_MAX,
  LOG_LINE_LENGTH_MAX,
  MEMBERS_MAX,
  REMOVAL_JOBS_MAX,
  NAME_LENGTH_MAX,
  NOTES_LENGTH_MAX,
  OUTPUT_FILES_MAX,
  PRIORITY_MAX,
  REQUEST_RANGES_MAX,
  TAGS_MAX,
} from './limits.ts';
import { frameRangeSchema, outputFileSchema } from './plan.ts';
import type { Failure, TaskResult } from './records.ts';
import { JOB_MARK_BYTES } from './standing.ts';

/** The form of records as they arrive and are stored; loose, so that what newer versions say is kept (SPEC R26). */

/** `wallTime` in records is milliseconds since 1970 by the writer's clock, for display only (SPEC R25). */
const wallTimeSchema = z.number();
const jobMarkSchema = z.instanceof(Uint8Array).refine(({ length }) => length === JOB_MARK_BYTES);
const nameSchema = z.string().min(1).max(NAME_LENGTH_MAX);
const tagsSchema = z.array(z.string().min(1).max(NAME_LENGTH_MAX)).max(TAGS_MAX);
const signedShape = { author: peerIdSchema, signature: signatureSchema };

const desiredSchema = z.enum(['active', 'draining', 'paused']);
const telling = z.array(z.string().max(LOG_LINE_LENGTH_MAX)).max(LOG_LINES_MAX);
const sentence = z.string().max(SENTENCE_LENGTH_MAX);
const failureCode = z.string().max(FAILURE_CODE_LENGTH_MAX);

export const farmRecordSchema = z.looseObject({
  kind: z.literal('farm'),
  id: farmIdSchema,
  founder: peerIdSchema,
  name: fieldSchema(nameSchema),
  mergedInto: fieldSchema(farmIdSchema).optional(),
});

export const memberRecordSchema = z.looseObject({
  kind: z.literal('member'),
  peer: peerIdSchema,
  name: signedFieldSchema(nameSchema),
  admissions: z.record(
    z.string().max(ADMISSION_KEY_LENGTH_MAX),
    z.looseObject({
      ...signedShape,
      role: z.enum(['artist', 'machine']),
      farm: farmIdSchema.optional(),
      wallTime: wallTimeSchema,
    }),
  ),
  removals: z.record(
    peerIdSchema,
    z.looseObject({
      ...signedShape,
      reason: sentence,
      wallTime: wallTimeSchema,
      stands: z.array(peerIdSchema).max(MEMBERS_MAX).optional(),
      jobs: z.array(jobMarkSchema).max(REMOVAL_JOBS_MAX).optional(),
    }),
  ),
});

export const leavingSchema = z.object({ wanted: z.boolean(), reason: sentence });
const minuteOfWeek = z.int().min(0).max(10_080);
export const workingHoursSchema = z.object({
  spans: z.array(z.object({ start: minuteOfWeek, end: minuteOfWeek })).max(64),
});

export const nodeRecordSchema = z.looseObject({
  kind: z.literal('node'),
  peer: peerIdSchema,
  fields: z.looseObject({
    desired: signedFieldSchema(desiredSchema).optional(),
    ownerDesired: signedFieldSchema(desiredSchema).optional(),
    tags: signedFieldSchema(tagsSchema).optional(),
    hours: signedFieldSchema(workingHoursSchema).optional(),
    slots: signedFieldSchema(z.int().min(0).max(64)).optional(),
    leaving: signedFieldSchema(leavingSchema).optional(),
  }),
});

export const jobSpecSchema = z.looseObject({
  ...signedShape,
  id: jobIdSchema,
  name: nameSchema,
  type: z.string().min(1).max(NAME_LENGTH_MAX),
  settings: z.record(z.string(), z.unknown()),
  bundle: blobHashSchema.optional(),
  plan: blobHashSchema,
  tasks: z.int().min(0).max(TASKS_PER_JOB_MAX),
  order: counterSchema,
  after: z.array(jobIdSchema).max(JOB_DEPENDENCIES_MAX),
  outputFolder: z.string().max(4_096),
  wallTime: wallTimeSchema,
});

export const taskRequestSchema = z.looseObject({
  ...signedShape,
  kind: z.enum(['redo', 'retry']),
  level: z.int().min(1).max(COUNTER_MAX),
  tasks: z.array(frameRangeSchema).max(REQUEST_RANGES_MAX),
  newest: attemptIdSchema.optional(),
  wallTime: wallTimeSchema,
});

export const jobRecordSchema = z.looseObject({
  kind: z.literal('job'),
  id: jobIdSchema,
  spec: jobSpecSchema,
  control: z.looseObject({
    desired: signedFieldSchema(z.enum(['active', 'paused', 'canceled'])).optional(),
    priority: signedFieldSchema(z.int().min(0).max(PRIORITY_MAX)).optional(),
    name: signedFieldSchema(nameSchema).optional(),
    notes: signedFieldSchema(z.string().max(NOTES_LENGTH_MAX)).optional(),
    machineLimit: signedFieldSchema(z.int().min(0)).optional(),
    failureShare: signedFieldSchema(z.number().min(0).max(1)).optional(),
  }),
  requests: z.record(z.string(), taskRequestSchema),
  holders: z.looseObject({ bundle: holdersSchema, plan: holdersSchema }),
  acknowledged: z.boolean(),
  deleted: z
    .looseObject({ ...signedShape, wallTime: wallTimeSchema, done: z.boolean().optional() })
    .optional(),
});

export const failureSchema: z.ZodType<Failure> = z.looseObject({
  attempt: attemptIdSchema,
  peer: peerIdSchema,
  cause: z.enum(['failed', 'lost']),
  code: failureCode,
  message: sentence,
  lines: telling,
  log: blobHashSchema.optional(),
  holders: holdersSchema.optional(),
  wallTime: wallTimeSchema,
}) as unknown as z.ZodType<Failure>;

export const taskResultSchema: z.ZodType<TaskResult> = z.looseObject({
  attempt: attemptIdSchema,
  peer: peerIdSchema,
  state: z.enum(['rendered', 'done']),
  files: z.array(outputFileSchema).max(OUTPUT_FILES_MAX),
  holders: holdersSchema,
  renderMs: z.number().min(0),
  thumbnail: blobHashSchema.optional(),
  inputRedo: z.int().min(0).optional(),
  engineVersion: z.string().max(64).optional(),
  log: blobHashSchema.optional(),
  wallTime: wallTimeSchema,
}) as unknown as z.ZodType<TaskResult>;

export const failedOutcomeSchema = z.looseObject({
  attempt: attemptIdSchema,
  peer: peerIdSchema,
  code: failureCode,
  message: sentence,
  wallTime: wallTimeSchema,
});

const fewEntries = (map: Record<string, unknown>) => Object.keys(map).length <= FAILURES_PER_TASK_MAX;
export const taskRecordSchema = z.looseObject({
  kind: z.literal('task'),
  job: jobIdSchema,
  index: taskIndexSchema,
  redo: z.int().min(0),
  retry: z.int().min(0),
  results: z.record(z.string(), taskResultSchema).refine(fewEntries, 'too many results'),
  failed: failedOutcomeSchema.optional(),
  failures: z.record(z.string(), failureSchema),
});

/** A record of any kind this version knows. */
export const knownRecordSchema = z.discriminatedUnion('kind', [
  farmRecordSchema,
  memberRecordSchema,
  nodeRecordSchema,
  jobRecordSchema,
  taskRecordSchema,
  diaryRecordSchema,
]);
