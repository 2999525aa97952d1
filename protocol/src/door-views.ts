import { z } from 'zod';
import { farmIdSchema, peerIdSchema } from './ids.ts';

/** What the door's page and `cuadro door` show: who is in the farm, who asks to join, what else is around. */

const farmNamed = z.object({ id: farmIdSchema, name: z.string() });

/** A newcomer at this door, or a whole farm that wants to merge. */
export const newcomerViewSchema = z.object({
  peer: peerIdSchema,
  name: z.string(),
  /** The three words that its own screen shows, too. */
  words: z.string(),
  /** Where it was seen on the network; a hint. */
  addresses: z.array(z.string()),
  /** Its farm, where it has one: admitting it merges that farm into this one. */
  farm: farmNamed.extend({ members: z.int(), jobs: z.int() }).optional(),
});
export type NewcomerView = z.infer<typeof newcomerViewSchema>;

/** A farm that this node asked to be let into. */
export const askedViewSchema = z.object({
  farm: farmNamed,
  /** The member that was asked. */
  machine: z.string(),
  words: z.string(),
  /** `waiting` for a person over there; they said no (`refused`); this machine was `removed` from that farm. */
  state: z.enum(['waiting', 'refused', 'removed']),
});
export type AskedView = z.infer<typeof askedViewSchema>;

/** Another farm on the network. */
export const foundFarmViewSchema = z.object({
  farm: farmNamed,
  /** Members of it that were seen. */
  machines: z.array(z.string()),
  members: z.int(),
  jobs: z.int(),
  open: z.boolean(),
  /** Whether a person here, or over there, wants the two to merge. */
  wantedHere: z.boolean(),
  wantedThere: z.boolean(),
});
export type FoundFarmView = z.infer<typeof foundFarmViewSchema>;

export const memberViewSchema = z.object({
  peer: peerIdSchema,
  name: z.string(),
  here: z.boolean(),
  reachable: z.boolean(),
  founder: z.boolean(),
  role: z.enum(['artist', 'machine']),
  /** Name of the member that admitted it; absent for the founder. */
  admittedBy: z.string().optional(),
  /** By the admitter's clock. */
  admittedAt: z.number().optional(),
});
export type MemberView = z.infer<typeof memberViewSchema>;

export const removedViewSchema = z.object({
  peer: peerIdSchema,
  name: z.string(),
  by: z.string(),
  reason: z.string(),
  removedAt: z.number(),
});
export type RemovedView = z.infer<typeof removedViewSchema>;

export const doorViewSchema = z.object({
  /**
   * `looking`: no farm yet, listening for one. `waiting`: no farm yet, and a member of one is to admit this machine.
   * `member`: of `farm`. `moving`: its farm dissolves into another. `removed`: it was a member of `farm`.
   */
  state: z.enum(['looking', 'waiting', 'member', 'moving', 'removed']),
  /** One sentence on that, with what to do. */
  message: z.string(),
  farm: farmNamed.optional(),
  /** How long newcomers are let in without asking; absent while the door is closed. */
  open: z.object({ leftMs: z.number() }).optional(),
  newcomers: z.array(newcomerViewSchema),
  asked: z.array(askedViewSchema),
  found: z.array(foundFarmViewSchema),
  /** Present when no other node was seen for a while. */
  alone: z
    .object({
      message: z.string(),
      interfaces: z.array(
        z.object({ name: z.string(), address: z.string(), problem: z.string().optional() }),
      ),
    })
    .optional(),
  /** What others type after `cuadro join` to reach this machine. */
  addresses: z.array(z.string()),
  members: z.array(memberViewSchema),
  removed: z.array(removedViewSchema),
});
export type DoorView = z.infer<typeof doorViewSchema>;
