import { z } from 'zod';
import { blobHashSchema, jobIdSchema, peerIdSchema } from './ids.ts';

/**
 * How scenes and frames travel (SPEC R184): what machines told of themselves a moment ago, and from the records who is
 * to hold what. All of it is sums: no file is named.
 */

const machine = { peer: peerIdSchema, name: z.string() };
const job = { job: jobIdSchema, order: z.int(), name: z.string() };

export const swarmComingSchema = z.object({
  ...machine,
  /** Zero, as are its files, until it is known what the scene is made of. */
  sizeBytes: z.number(),
  doneBytes: z.number(),
  files: z.int(),
  doneFiles: z.int(),
  bytesPerSecond: z.number(),
  /** The fastest first. */
  from: z.array(z.object({ ...machine, bytesPerSecond: z.number() })),
  /** One sentence on what it waits for. */
  why: z.string().optional(),
});
export type SwarmComing = z.infer<typeof swarmComingSchema>;

export const swarmViewSchema = z.object({
  machines: z.array(
    z.object({
      ...machine,
      here: z.boolean(),
      /** Whether it told of itself; one out of reach or of an older version does not. */
      told: z.boolean(),
      receivesPerSecond: z.number(),
      sendsPerSecond: z.number(),
      /** What it alone holds and has still to give away, and how much of that others are taking over now. */
      copies: z.object({ results: z.int(), jobs: z.int(), logs: z.int(), asked: z.int() }),
      /** Sentences on what stands in its way. */
      notes: z.array(z.string()),
    }),
  ),
  /** What goes from one machine to another in bytes a second, the fastest first. */
  flows: z.array(
    z.object({
      from: peerIdSchema,
      fromName: z.string(),
      to: peerIdSchema,
      toName: z.string(),
      bytesPerSecond: z.number(),
    }),
  ),
  /** How many slower ones are left out. */
  flowsLeftOut: z.int(),
  /** The scenes of jobs that have not ended, and whatever else is fetched, each with all its files. */
  bundles: z.array(
    z.object({
      bundle: blobHashSchema,
      jobs: z.array(z.object(job)),
      /** Machines that have all of it; some are named. */
      whole: z.object({ machines: z.int(), names: z.array(z.string()) }),
      /** Machines to which it is on its way. */
      coming: z.array(swarmComingSchema),
    }),
  ),
  /** Jobs of which something is on one machine only. */
  single: z.array(
    z.object({
      ...job,
      /** Results that only one machine holds. */
      results: z.int(),
      /** Whether the scene or the plan is on one machine only. */
      scene: z.boolean(),
      /** Machines that alone hold something. */
      on: z.array(z.string()),
    }),
  ),
});
export type SwarmView = z.infer<typeof swarmViewSchema>;
