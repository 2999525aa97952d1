import { farmIdSchema, type FarmId, type PeerId, peerIdSchema } from '@cuadro/protocol';

/**
 * What a node says on the local network, as DNS-SD over multicast DNS (RFC 6762, 6763). It holds ports only: the
 * address is the one that the packet comes from, so nobody can point others at a third machine by it.
 */
export interface Announcement {
  readonly peer: PeerId;
  readonly farm: FarmId | undefined;
  readonly lobbyPort: number;
  /** Absent while the node has no farm. */
  readonly meshPort: number | undefined;
}

export interface TextRecord {
  readonly name: string;
  readonly type: 'TXT';
  readonly ttl: number;
  readonly data: string[];
}

export interface PointerRecord {
  readonly name: string;
  readonly type: 'PTR';
  readonly ttl: number;
  readonly data: string;
}

/** How long others may believe an announcement; it is repeated in less than half of that. */
export const ANNOUNCEMENT_TTL_S = 75;
const NAME_LENGTH_MAX = 40;

export const serviceNameOf = (service: string): string => `_${service}._tcp.local`;

/** The records of an announcement; with `isGoodbye` they take it back. */
export function recordsOf(
  service: string,
  announcement: Announcement,
  isGoodbye = false,
): [PointerRecord, TextRecord] {
  const { peer, farm, lobbyPort, meshPort } = announcement;
  const ttl = isGoodbye ? 0 : ANNOUNCEMENT_TTL_S;
  const name = `${peer}.${serviceNameOf(service)}`;
  const data = [`lobby=${lobbyPort}`];
  if (farm !== undefined) data.push(`farm=${farm}`);
  if (meshPort !== undefined) data.push(`mesh=${meshPort}`);
  return [
    { name: serviceNameOf(service), type: 'PTR', ttl, data: name },
    { name, type: 'TXT', ttl, data },
  ];
}

/** A record as it came, of which nothing is known to be true. */
export interface IncomingRecord {
  readonly name?: unknown;
  readonly type?: unknown;
  readonly ttl?: unknown;
  readonly data?: unknown;
}

/** Reads a record back; undefined for what is no announcement of this service. */
export function readAnnouncement(
  service: string,
  record: IncomingRecord,
): { readonly announcement: Announcement; readonly isGoodbye: boolean } | undefined {
  const suffix = `.${serviceNameOf(service)}`;
  if (record.type !== 'TXT' || typeof record.name !== 'string' || !record.name.endsWith(suffix))
    return undefined;
  const peer = peerIdSchema.safeParse(record.name.slice(0, -suffix.length));
  const fields = fieldsOf(record.data);
  const lobbyPort = portOf(fields.get('lobby'));
  if (!peer.success || lobbyPort === undefined) return undefined;
  const farm = farmIdSchema.safeParse(fields.get('farm'));
  if (fields.has('farm') && !farm.success) return undefined;
  return {
    announcement: {
      peer: peer.data,
      farm: farm.success ? farm.data : undefined,
      lobbyPort,
      meshPort: portOf(fields.get('mesh')),
    },
    isGoodbye: record.ttl === 0,
  };
}

function fieldsOf(data: unknown): Map<string, string> {
  const parts: unknown[] = Array.isArray(data) ? data.slice(0, 16) : [data];
  const fields = new Map<string, string>();
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    if (!(bytes instanceof Uint8Array) || bytes.length > 2 * NAME_LENGTH_MAX) continue;
    const [name, value] = Buffer.from(bytes).toString().split('=', 2);
    if (name !== undefined && value !== undefined) fields.set(name, value);
  }
  return fields;
}

function portOf(text: string | undefined): number | undefined {
  const port = /^[1-9]\d{0,4}$/.test(text ?? '') ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}
