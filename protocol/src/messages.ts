import { z } from 'zod';
import { checkedBy } from './checked-by.ts';
import { decode, encode, MalformedBytesError } from './codec.ts';
import {
  attemptIdSchema,
  blobHashSchema,
  epochSchema,
  jobIdSchema,
  peerIdSchema,
  taskIndexSchema,
} from './ids.ts';
import { PATH_LENGTH_MAX, TAGS_MAX } from './limits.ts';
import { failureSchema, taskResultSchema } from './record-schemas.ts';

/**
 * What nodes say to each other about work (SPEC R40 to R59). Records travel as canonical bytes beside these.
 */

/** What a machine can do (SPEC R51). */
export const capabilitiesSchema = z.looseObject({
  /** Engine → version: `blender`, `ffmpeg`, `command`, `node`. */
  engines: z.record(z.string().max(64), z.string().max(64)),
  renderEngines: z.array(z.string().max(64)).max(64),
  denoisers: z.array(z.string().max(64)).max(16),
  /** Names of the compute devices, such as `CPU` or `NVIDIA RTX 4090`. */
  devices: z.array(z.string().max(200)).max(32),
  programs: z.array(z.string().max(PATH_LENGTH_MAX)).max(256),
  scripts: z.boolean(),
  tags: z.array(z.string().max(200)).max(TAGS_MAX),
  cores: z.int().min(1),
  memoryBytes: z.number().min(0),
});
export type Capabilities = z.infer<typeof capabilitiesSchema>;

/** A worker's claim: it stands until the same peer replaces it by one of a higher sequence (SPEC R50). */
export const claimSchema = z.looseObject({
  kind: z.literal('claim'),
  peer: peerIdSchema,
  sequence: z.int().min(0),
  /** Tasks it wants to hold at once: its slots, plus one ahead for each. 0 while it takes none. */
  wants: z.int().min(0).max(1_024),
  /** Tasks that it runs at the same time. */
  slots: z.int().min(0).max(64),
  capabilities: capabilitiesSchema,
  bundles: z.array(blobHashSchema).max(256),
  /** One sentence on why it wants nothing. */
  idleReason: z.string().max(500).optional(),
});
export type Claim = z.infer<typeof claimSchema>;

/** A lease on one task (SPEC R52). */
export const grantSchema = z.looseObject({
  attempt: attemptIdSchema,
  job: jobIdSchema,
  task: taskIndexSchema,
  redo: z.int().min(0),
  retry: z.int().min(0),
  /** How long it lasts without a renewing beacon, in milliseconds. */
  leaseMs: z.int().min(1),
  /** The task has a result that nobody within reach holds: this is to stand in for it (SPEC R59). */
  substitute: z.boolean().optional(),
});
export type Grant = z.infer<typeof grantSchema>;

/** Grants of one message. */
export const GRANTS_MAX = 4_096;

export const grantsSchema = z.looseObject({
  kind: z.literal('grants'),
  epoch: epochSchema,
  grants: z.array(grantSchema).max(GRANTS_MAX),
});
export type Grants = z.infer<typeof grantsSchema>;

/** The coordinator takes attempts back: canceled, paused, lost the race, or its machine is to stop. */
export const stopSchema = z.looseObject({
  kind: z.literal('stop'),
  epoch: epochSchema,
  attempts: z.array(attemptIdSchema).max(4_096),
  reason: z.string().max(500),
});

/** One attempt that a worker holds, as its beacon and the pulse's rows tell it. */
export const heldAttemptSchema = z.looseObject({
  attempt: attemptIdSchema,
  job: jobIdSchema,
  task: taskIndexSchema,
  redo: z.int().min(0),
  retry: z.int().min(0),
  /** Whether it runs, or is only kept ahead. */
  running: z.boolean(),
  fraction: z.number().min(0).max(1),
  remainingMs: z.number().min(0).optional(),
  text: z.string().max(200).optional(),
  substitute: z.boolean().optional(),
});
export type HeldAttempt = z.infer<typeof heldAttemptSchema>;

/** Digest of all records that a node holds (SPEC R45): 32 lower-case hexadecimal characters. */
export const digestSchema = z.string().regex(/^[0-9a-f]{32}$/);

/** Once a second, worker → coordinator: renews the leases of the attempts it lists (SPEC R52). */
export const beaconSchema = z.looseObject({
  kind: z.literal('beacon'),
  peer: peerIdSchema,
  /** The reign that its sender follows: who answers a collection may follow another (SPEC R43). */
  follows: epochSchema.optional(),
  /** Everything that it was granted and that hasn't ended. */
  held: z.array(heldAttemptSchema).max(1_024),
  load: z.number().min(0),
  freeDiskBytes: z.number().min(0),
  /** Counts the beacons of this run of its node: they come on two ways, and not always in order (SPEC R117). */
  sequence: z.int().min(0).optional(),
  /** Absent until the node has one. */
  root: digestSchema.optional(),
});
export type Beacon = z.infer<typeof beaconSchema>;

/** How an attempt ended, worker → coordinator, with the freed place as the next want (SPEC R53). */
export const resultSchema = z.looseObject({
  kind: z.literal('result'),
  job: jobIdSchema,
  task: taskIndexSchema,
  redo: z.int().min(0),
  retry: z.int().min(0),
  attempt: attemptIdSchema,
  outcome: z.discriminatedUnion('kind', [
    z.looseObject({ kind: z.literal('result'), result: taskResultSchema }),
    z.looseObject({ kind: z.literal('failure'), failure: failureSchema }),
    /** Stopped by an owner, a cancel or a losing copy, or for want of its `scene` (SPEC R116): no failure. */
    z.looseObject({
      kind: z.literal('stopped'),
      reason: z.string().max(500),
      lacks: z.string().max(20).optional(),
    }),
  ]),
});
export type ResultMessage = z.infer<typeof resultSchema>;

/** What the coordinator knows of one machine now: live, never a record. */
export const pulseRowSchema = z.looseObject({
  peer: peerIdSchema,
  /** Whether its beacons arrive. */
  reachable: z.boolean(),
  load: z.number().min(0),
  freeDiskBytes: z.number().min(0),
  /** What it holds: the mirror of the grants. */
  held: z.array(heldAttemptSchema).max(1_024),
});
export type PulseRow = z.infer<typeof pulseRowSchema>;

/** The coordinator's pulse, every 500 ms, down the streams and by gossip (SPEC R42). */
export const pulseSchema = z.looseObject({
  kind: z.literal('pulse'),
  epoch: epochSchema,
  /** Counts the pulses of this reign: the longer of two reigns has the higher number. */
  sequence: z.int().min(0),
  /** Who follows the coordinator if it is lost, first to last. */
  successors: z.array(peerIdSchema).max(5),
  /** Members whose beacons arrive, without the coordinator itself. */
  followers: z.int().min(0),
  stale: z.array(peerIdSchema).max(1_024),
  /** Rows that changed since the pulse before, and a few others in turn. */
  rows: z.array(pulseRowSchema).max(1_024),
  /** Its rows come by gossip only (SPEC R121). */
  rowsApart: z.boolean().optional(),
  root: digestSchema.optional(),
});
export type Pulse = z.infer<typeof pulseSchema>;

/** A new coordinator asks every member at once what it holds; the answer is its claim and its beacon (SPEC R43). */
export const collectSchema = z.looseObject({ kind: z.literal('collect'), epoch: epochSchema });

/** A successor asks others whether they, too, have lost the coordinator of this epoch (SPEC R44). */
export const doubtSchema = z.looseObject({ kind: z.literal('doubt'), epoch: epochSchema });
export const doubtAnswerSchema = z.looseObject({
  kind: z.literal('doubt-answer'),
  epoch: epochSchema,
  /** Whether the one who answers has lost it. */
  lost: z.boolean(),
});

/** A coordinator gives way to another and sends its followers there (SPEC R44). */
export const yieldSchema = z.looseObject({
  kind: z.literal('yield'),
  /** The reign that ends. */
  epoch: epochSchema,
  /** Whom to follow from now on. */
  to: epochSchema,
});

export const messageSchema = z.discriminatedUnion('kind', [
  claimSchema,
  grantsSchema,
  stopSchema,
  beaconSchema,
  resultSchema,
  pulseSchema,
  collectSchema,
  doubtSchema,
  doubtAnswerSchema,
  yieldSchema,
]);
export type Message = z.infer<typeof messageSchema>;

/** Largest message of a member: a beacon or a set of grants of the bounds above fits many times. */
export const MESSAGE_BYTES_MAX = 262_144;

export const encodeMessage = (message: Message): Uint8Array => encode(message);

/** A member's message, or undefined for bytes that are none: the caller counts them and names the sender. */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  try {
    const parsed = checkedBy(messageSchema, decode(bytes, MESSAGE_BYTES_MAX));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof MalformedBytesError) return undefined;
    throw error;
  }
}
