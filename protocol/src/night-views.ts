import { z } from 'zod';
import { jobIdSchema, peerIdSchema } from './ids.ts';
import { jobStateSchema } from './views.ts';

/** What the night did, as the morning page, the command line and the API tell it (SPEC R127). */

export const nightKindSchema = z.enum([
  'submitted',
  'job-ended',
  'task-failed',
  'failed-elsewhere',
  'attempts-lost',
  'rendered-again',
  'copied',
  'misfit',
  'joined',
  'coordinator',
  'power-cut',
  'rebooted',
  'switched-off',
  'asleep',
  'lost',
  'cut-off',
  'disk-full',
  'off-hours',
  'paused',
  'held-back',
  'fault',
]);
export type NightKind = z.infer<typeof nightKindSchema>;

/** How an event reads: as good news, as a remark, as something odd, or as something bad. */
export const nightToneSchema = z.enum(['good', 'note', 'odd', 'bad']);
export type NightTone = z.infer<typeof nightToneSchema>;

export const nightEventSchema = z.object({
  /** The same each time that it is told. */
  id: z.string(),
  kind: nightKindSchema,
  /** Milliseconds since 1970: when it began and, where it lasted, when it was over; what still lasts has no end. */
  at: z.number(),
  until: z.number().optional(),
  lasts: z.boolean(),
  sentence: z.string(),
  tone: nightToneSchema,
  /** The machines, the job and the task that it is about. */
  machines: z.array(peerIdSchema),
  job: jobIdSchema.optional(),
  task: z.int().optional(),
});
export type NightEvent = z.infer<typeof nightEventSchema>;

export const nightStateSchema = z.enum([
  'idle',
  'rendering',
  'resting',
  'paused',
  'faulty',
  'full',
  'asleep',
  'off',
  'lost',
]);
export type NightState = z.infer<typeof nightStateSchema>;

export const nightMachineSchema = z.object({
  peer: peerIdSchema,
  name: z.string(),
  results: z.int(),
  failures: z.int(),
  sentence: z.string(),
  /** Without gaps from the begin of the view to its end. */
  spans: z.array(z.object({ state: nightStateSchema, from: z.number(), to: z.number() })),
});
export type NightMachine = z.infer<typeof nightMachineSchema>;

export const nightJobSchema = z.object({
  job: jobIdSchema,
  order: z.int(),
  name: z.string(),
  state: jobStateSchema,
  sentence: z.string(),
  tone: nightToneSchema,
});
export type NightJobView = z.infer<typeof nightJobSchema>;

/** Something that waits for a person's hand. */
export const nightNeedSchema = z.object({
  id: z.string(),
  sentence: z.string(),
  machine: peerIdSchema.optional(),
  job: jobIdSchema.optional(),
});
export type NightNeed = z.infer<typeof nightNeedSchema>;

export const nightViewSchema = z.object({
  from: z.number(),
  to: z.number(),
  summary: z.string(),
  needs: z.array(nightNeedSchema),
  jobs: z.array(nightJobSchema),
  machines: z.array(nightMachineSchema),
  /** Oldest first; at most `NIGHT_EVENTS_MAX`, the newest. */
  events: z.array(nightEventSchema),
  /** Older events that were left out. */
  leftOut: z.int(),
});
export type NightView = z.infer<typeof nightViewSchema>;

/** Events of one view: a night of a hundred machines has some hundreds. */
export const NIGHT_EVENTS_MAX = 1_000;
