import type { RemoteInfo } from 'node:dgram';
import multicastDns from 'multicast-dns';
import { type Announcement, type IncomingRecord, recordsOf, serviceNameOf } from './announcement.ts';

/** Answers read per packet: a node's own are two. */
const RECORDS_PER_PACKET_MAX = 64;

/** What sending fails with on Linux, and elsewhere, where the interface that it goes by is no more. */
const INTERFACE_GONE: ReadonlySet<string> = new Set(['ENODEV', 'ENXIO', 'EADDRNOTAVAIL']);

/** Multicast DNS by one interface. */
export interface MulticastSocket {
  /** Why nothing goes out or comes in here, in a sentence; undefined while it does. */
  readonly problem: string | undefined;
  /** It could not be opened, or its interface is gone, and that stays so: a new one may do. */
  readonly hasFailed: boolean;
  query(): void;
  announce(announcement: Announcement): void;
  /** Takes the announcement back; resolves when that has left. */
  goodbye(announcement: Announcement): Promise<void>;
  close(): Promise<void>;
}

export interface MulticastSocketInit {
  readonly serviceName: string;
  /** The address whose interface it speaks and listens on. */
  readonly address: string;
  readonly asked: (from: RemoteInfo) => void;
  readonly heard: (record: IncomingRecord, from: RemoteInfo) => void;
}

/** Never rejects: what is wrong is its `problem`. */
export async function createMulticastSocket(init: MulticastSocketInit): Promise<MulticastSocket> {
  const service = serviceNameOf(init.serviceName);
  const problems: { sending?: string | undefined; listening?: string | undefined } = {};
  let hasFailed = false;
  const note = (error: (Error & { code?: string }) | null | undefined): void => {
    problems.sending = error === null || error === undefined ? undefined : sentenceOf(error);
    // The kernel joined the group on an interface, and not at an address: one that came anew has the old name and address.
    if (INTERFACE_GONE.has(error?.code ?? '')) hasFailed = true;
  };
  // Bound to all addresses, since a socket bound to one hears no multicast on Linux.
  const mdns = multicastDns({ interface: init.address, bind: '0.0.0.0' });
  mdns.on('error', (error) => {
    problems.listening = sentenceOf(error);
    hasFailed = true;
  });
  mdns.on('warning', (error: Error & { code?: string }) => {
    // Packets that can't be read are warnings, too, and other programs' business; the system's errors have a code.
    if (typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code))
      problems.listening = sentenceOf(error);
  });
  // It has joined the group on the interface, which it tries again every few seconds.
  mdns.on('networkInterface', () => {
    problems.listening = undefined;
  });
  mdns.on('query', (packet, from) => {
    if (packet.questions?.some(({ name }) => name === service)) init.asked(from);
  });
  mdns.on('response', (packet, from) => {
    const records: readonly IncomingRecord[] = [...(packet.answers ?? []), ...(packet.additionals ?? [])];
    for (const record of records.slice(0, RECORDS_PER_PACKET_MAX)) init.heard(record, from);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  mdns.once('ready', resolve);
  mdns.once('error', () => resolve());
  await promise;
  const send = (announcement: Announcement, isGoodbye: boolean, sent: () => void): void => {
    const answers = recordsOf(init.serviceName, announcement, isGoodbye);
    mdns.respond([...answers], (error) => {
      note(error);
      sent();
    });
  };
  return {
    get problem() {
      return problems.listening ?? problems.sending;
    },
    get hasFailed() {
      return hasFailed;
    },
    query: () => mdns.query([{ name: service, type: 'PTR' }], note),
    announce: (announcement) => send(announcement, false, () => undefined),
    goodbye: (announcement) => new Promise((sent) => send(announcement, true, sent)),
    close: () => new Promise((closed) => mdns.destroy(closed)),
  };
}

const sentenceOf = (error: Error): string => `Multicast fails: ${error.message}.`;
