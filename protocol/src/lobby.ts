import { z } from 'zod';
import { signedFieldSchema } from './fields.ts';
import { farmIdSchema, peerIdSchema } from './ids.ts';
import { MEMBERS_MAX, NAME_LENGTH_MAX, TASKS_PER_JOB_MAX } from './limits.ts';
import { farmRecordSchema, memberRecordSchema } from './record-schemas.ts';
import type { FarmRecord, MemberRecord } from './records.ts';

/**
 * The lobby's one protocol (SPEC R67, R68): all that a stranger can reach. One request, one answer, both as
 * canonical bytes. Who asks is the peer that proved its key on the connection, so no request names its sender.
 */

/** A request or an answer: what the mesh carries in the lobby. */
export const LOBBY_BYTES_MAX = 65_536;
/** Records in one request or answer: about 600 bytes each, so these fit with room for the rest. */
export const LOBBY_RECORDS_MAX = 64;
/** Bytes of the records in one answer: what does not fit comes by sync. */
export const LOBBY_RECORDS_BYTES_MAX = 49_152;
/** The port of a people's farm's lobby; a taken one moves, and is announced. */
export const LOBBY_PORT_DEFAULT = 7_790;

const nameSchema = z.string().min(1).max(NAME_LENGTH_MAX);
/** Hints, authenticated by nobody: a machine has a few interfaces. */
const addressesSchema = z.array(z.string().min(1).max(200)).max(16);
const farmNamed = z.looseObject({ id: farmIdSchema, name: nameSchema });
const memberSchema = memberRecordSchema as unknown as z.ZodType<MemberRecord>;
const farmSchema = farmRecordSchema as unknown as z.ZodType<FarmRecord>;
const recordsSchema = z.array(memberSchema).max(LOBBY_RECORDS_MAX);

export const lobbyRequestSchema = z.discriminatedUnion('kind', [
  /** Who are you? `farm` is the asker's own, where it has one. */
  z.looseObject({ kind: z.literal('who'), farm: farmIdSchema.optional() }),
  /** May I join? The name is the newcomer's own, signed by itself. Asked again until there is an end to it. */
  z.looseObject({
    kind: z.literal('join'),
    name: signedFieldSchema(nameSchema),
    mesh: addressesSchema,
  }),
  /** I am a member, though you don't know me yet: my record, and those of my admitters. */
  z.looseObject({ kind: z.literal('present'), farm: farmIdSchema, members: recordsSchema }),
  /** My farm dissolves into yours: readmit these of its members (in parts, where they are many). */
  z.looseObject({
    kind: z.literal('dissolve'),
    into: farmIdSchema,
    farm: farmNamed,
    members: recordsSchema,
    /** Members of the whole farm. */
    total: z.int().min(1).max(MEMBERS_MAX),
    jobs: z.int().min(0).max(TASKS_PER_JOB_MAX),
    /** Whether a person over there wants it; else it is for fresh farms without jobs, both open. */
    confirmed: z.boolean(),
    mesh: addressesSchema,
  }),
]);
export type LobbyRequest = z.infer<typeof lobbyRequestSchema>;

export const lobbyAnswerSchema = z.discriminatedUnion('kind', [
  z.looseObject({
    kind: z.literal('who'),
    version: z.string().max(64),
    name: nameSchema,
    /** Absent while it has none. */
    farm: farmNamed.optional(),
    /** How long this node still lets newcomers in, milliseconds; 0 while it is closed. */
    openMs: z.number().min(0),
    jobs: z.int().min(0),
    members: z.int().min(0).max(MEMBERS_MAX),
    mesh: addressesSchema,
    /** What the asker is to this farm. */
    standing: z.enum(['stranger', 'member', 'removed']),
    /** Whether a person here wants the asker's farm to merge with this one. */
    confirmed: z.boolean(),
    /** Whether the asker's farm dissolved into this one. */
    absorbed: z.boolean(),
  }),
  z.looseObject({
    kind: z.literal('admitted'),
    farm: farmSchema,
    /** What proves it, and as many others as fit; the rest comes by sync. */
    members: recordsSchema,
    addresses: z.array(z.looseObject({ peer: peerIdSchema, mesh: addressesSchema })).max(LOBBY_RECORDS_MAX),
  }),
  /** A person is to say; both sides show the three words. */
  z.looseObject({ kind: z.literal('waiting'), farm: farmNamed, name: nameSchema }),
  /** It was removed: the signed removal, with what proves its author. */
  z.looseObject({ kind: z.literal('removed'), farm: farmSchema, members: recordsSchema }),
  z.looseObject({ kind: z.literal('known') }),
  z.looseObject({
    kind: z.literal('closed'),
    /**
     * `no-farm`: it has none. `other-farm`: it is of another one than was meant. `busy`: ask again soon. `crowded`:
     * too many wait. `refused`: a person said no. `unreadable`: the request is none that it knows. `unknown`: what
     * was shown proves no membership.
     */
    reason: z.enum(['no-farm', 'other-farm', 'busy', 'crowded', 'refused', 'unreadable', 'unknown']),
  }),
]);
export type LobbyAnswer = z.infer<typeof lobbyAnswerSchema>;
export type LobbyAnswerOf<K extends LobbyAnswer['kind']> = Extract<LobbyAnswer, { kind: K }>;

/**
 * The multiaddr of a lobby from what a person types: `192.168.1.5`, `192.168.1.5:7790`, `[fe80::1]:7790`, a host
 * name, or a multiaddr as it is. Undefined where it is none of these.
 */
export function lobbyAddress(text: string): string | undefined {
  const typed = text.trim();
  if (/^\/(ip4|ip6|dns|dns4|dns6)\/[^/\s]+\/tcp\/\d{1,5}(\/[^\s]*)?$/.test(typed)) return typed;
  const match =
    /^\[([0-9a-f:.]+)\](?::(\d{1,5}))?$/i.exec(typed) ??
    /^([^\s/:[\]]+)(?::(\d{1,5}))?$/.exec(typed) ??
    /^([0-9a-f]*:[0-9a-f:.]+)$/i.exec(typed);
  const host = match?.[1];
  if (host === undefined) return undefined;
  const port = match?.[2] === undefined ? LOBBY_PORT_DEFAULT : Number(match[2]);
  if (port < 1 || port > 65_535) return undefined;
  if (host.includes(':')) return `/ip6/${host}/tcp/${port}`;
  if (/^[\d.]+$/.test(host)) return isIpv4(host) ? `/ip4/${host}/tcp/${port}` : undefined;
  return /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host) ? `/dns/${host}/tcp/${port}` : undefined;
}

const isIpv4 = (host: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(host) && host.split('.').every((part) => Number(part) <= 255);

/** A multiaddr as people type it: `192.168.1.5:7790`; others stay as they are. */
export function typedAddress(multiaddr: string): string {
  const match = /^\/(ip4|ip6|dns)\/([^/]+)\/tcp\/(\d+)/.exec(multiaddr);
  if (match === null) return multiaddr;
  const host = match[1] === 'ip6' ? `[${match[2]}]` : match[2];
  return Number(match[3]) === LOBBY_PORT_DEFAULT ? `${host}` : `${host}:${match[3]}`;
}
