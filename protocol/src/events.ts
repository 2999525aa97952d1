import { z } from 'zod';
import { doorViewSchema } from './door-views.ts';
import { jobIdSchema } from './ids.ts';
import { farmViewSchema, jobViewSchema, nodeViewSchema, taskViewSchema } from './views.ts';

/**
 * Live events of the local node, one SSE stream (SPEC R92). Each carries whole views, so an event replaces what
 * the client had; ids rise by one. After `reset` the client reads everything anew: the server no longer has what
 * it missed.
 */
export const liveEventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('reset') }),
  z.object({ kind: z.literal('farm'), farm: farmViewSchema }),
  z.object({ kind: z.literal('job'), job: jobViewSchema }),
  z.object({ kind: z.literal('job-removed'), job: jobIdSchema }),
  z.object({ kind: z.literal('tasks'), job: jobIdSchema, tasks: z.array(taskViewSchema) }),
  z.object({ kind: z.literal('node'), node: nodeViewSchema }),
  z.object({ kind: z.literal('door'), door: doorViewSchema }),
  /** A machine wrote into its diary: whoever shows the night reads it anew. */
  z.object({ kind: z.literal('night'), at: z.number() }),
  /** Something travels, or rests again: whoever shows how reads it anew (SPEC R183). */
  z.object({ kind: z.literal('swarm'), at: z.number() }),
  /** Progress of a submission that this node is working on. */
  z.object({
    kind: z.literal('submission'),
    submission: z.string(),
    step: z.enum(['tracing', 'sound', 'storing', 'acknowledged', 'refused']),
    fraction: z.number(),
    text: z.string(),
  }),
  /** Progress of a job's files into a folder of this machine: how many of them are done with, and how much came. */
  z.object({
    kind: z.literal('fetch'),
    fetch: z.string(),
    files: z.int(),
    done: z.int(),
    sizeBytes: z.number(),
    doneBytes: z.number(),
  }),
]);
export type LiveEvent = z.infer<typeof liveEventSchema>;
