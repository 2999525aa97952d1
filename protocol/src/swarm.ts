import { z } from 'zod';
import { blobHashSchema, peerIdSchema } from './ids.ts';
import { SWARM_AWAITED_MAX, SWARM_BUNDLES_MAX, SWARM_PEERS_MAX } from './limits.ts';

/**
 * What a machine tells another one, whose dashboard somebody looks at, of what comes to it (SPEC R182). It travels as
 * frames without a body (R55), and holds sums alone.
 */

const sum = z.int().min(0);

/** How much comes of one machine. */
export const swarmFlowSchema = z.looseObject({ peer: peerIdSchema, bytesPerSecond: sum });
export type SwarmFlow = z.infer<typeof swarmFlowSchema>;

const flows = z.array(swarmFlowSchema).max(SWARM_PEERS_MAX);

/**
 * Why a bundle isn't here though it is wanted. `unreachable`: nobody who holds what is missing answers. `no-room`: the
 * store takes nothing now. `failed`: something else, which the log of that machine tells.
 */
export const SWARM_LACKS = ['unreachable', 'no-room', 'failed'] as const;
export type SwarmLack = (typeof SWARM_LACKS)[number];

export const swarmReportSchema = z.looseObject({
  kind: z.literal('report'),
  /** Bundles that are fetched and not here. */
  fetching: z
    .array(
      z.looseObject({
        bundle: blobHashSchema,
        /** Zero, as are its files, until the bundle's own file is here. */
        sizeBytes: sum,
        doneBytes: sum,
        files: sum,
        doneFiles: sum,
        from: flows,
        lack: z.enum(SWARM_LACKS).optional(),
        /** Who should hold what is missing. */
        awaited: z.array(peerIdSchema).max(SWARM_AWAITED_MAX),
      }),
    )
    .max(SWARM_BUNDLES_MAX),
  /** All that comes: of bundles, results and logs. */
  from: flows,
  /** What it alone holds and has still to give away; of all these, `asked` are being taken over by others. */
  copies: z.looseObject({ results: sum, jobs: sum, logs: sum, asked: sum }),
  /** Machines that it asks for nothing for a while, since they sent what did not fit (R56). */
  shunned: z.array(peerIdSchema).max(SWARM_PEERS_MAX),
  /** Its store takes nothing more. */
  full: z.boolean(),
});
export type SwarmReport = z.infer<typeof swarmReportSchema>;
