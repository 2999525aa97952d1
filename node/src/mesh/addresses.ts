import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { PeerId } from '@cuadro/protocol';
import { ADDRESSES_PER_PEER_MAX, ADDRESS_LENGTH_MAX, PEERS_HINTED_MAX } from './limits.ts';

/** Where something listens. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

const FORM =
  /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/([1-9]\d{0,4})(?:\/p2p\/([1-9A-HJ-NP-Za-km-z]{16,64}))?$/;
const HOST_NAME = /^[a-z0-9]([a-z0-9-.]{0,251}[a-z0-9])?$/i;

/**
 * Reads a multiaddr of the forms that Cuadro uses: an IP address or host name, a TCP port, and perhaps the peer's
 * id. Undefined for anything else.
 */
export function parseAddress(text: string): (Place & { peer: PeerId | undefined }) | undefined {
  if (text.length > ADDRESS_LENGTH_MAX) return undefined;
  const [, kind, host, portText, peer] = FORM.exec(text) ?? [];
  const port = Number(portText);
  if (kind === undefined || host === undefined || port > 65_535) return undefined;
  const fits = kind === 'ip4' ? isIPv4(host) : kind === 'ip6' ? isIPv6(host) : HOST_NAME.test(host);
  return fits ? { host, port, peer } : undefined;
}

/** The multiaddr of a place, without the peer. */
export function addressOf(place: Place): string {
  const version = isIP(place.host);
  return `/${version === 0 ? 'dns' : `ip${version}`}/${place.host}/tcp/${place.port}`;
}

/** The one form in which an address is kept and compared: without the peer; undefined where it is of no use. */
export function plainAddress(text: string): string | undefined {
  const place = parseAddress(text);
  return place === undefined ? undefined : text.replace(/\/p2p\/.*$/, '');
}

export const isLoopback = (host: string): boolean => host.startsWith('127.') || host === '::1';

interface Entry {
  /** Latest first; an address that was reached goes to the front. */
  addresses: string[];
  reached: string | undefined;
}

/** Where peers may be: hints, authenticated by nobody, and the address at which each was last reached. */
export class AddressBook {
  readonly #isMember: (peer: PeerId) => boolean;
  readonly #entries = new Map<PeerId, Entry>();

  /** Members are forgotten last: anybody on the network can announce as many others as there is room for. */
  constructor(isMember: (peer: PeerId) => boolean = () => false) {
    this.#isMember = isMember;
  }

  /**
   * Returns whether any of them is news. Those known before go to the front, too: an attempt tries some only, and a
   * laptop that came home is not where it was since.
   */
  add(peer: PeerId, addresses: readonly string[]): boolean {
    const entry = this.#entries.get(peer) ?? { addresses: [], reached: undefined };
    const said = [...new Set(addresses.map(plainAddress))].filter((address) => address !== undefined);
    if (said.length === 0) return false;
    const isNews = said.some((address) => !entry.addresses.includes(address));
    const reached = entry.reached === undefined ? [] : [entry.reached];
    const inOrder = new Set([...reached, ...said, ...entry.addresses]);
    entry.addresses = [...inOrder].slice(0, ADDRESSES_PER_PEER_MAX);
    this.#keep(peer, entry);
    return isNews;
  }

  /** The peer proved its key there. */
  reached(peer: PeerId, address: string): void {
    const plain = plainAddress(address);
    if (plain === undefined) return;
    const entry = this.#entries.get(peer) ?? { addresses: [], reached: undefined };
    entry.reached = plain;
    entry.addresses = [plain, ...entry.addresses.filter((other) => other !== plain)].slice(
      0,
      ADDRESSES_PER_PEER_MAX,
    );
    this.#keep(peer, entry);
  }

  /** Somebody else proved to be there. */
  drop(peer: PeerId, address: string): void {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return;
    entry.addresses = entry.addresses.filter((other) => other !== address);
    if (entry.reached === address) entry.reached = undefined;
    if (entry.addresses.length === 0) this.#entries.delete(peer);
  }

  /** Those to be tried, the best first. */
  of(peer: PeerId): readonly string[] {
    return this.#entries.get(peer)?.addresses ?? [];
  }

  lastReached(peer: PeerId): string | undefined {
    return this.#entries.get(peer)?.reached;
  }

  #keep(peer: PeerId, entry: Entry): void {
    // Moved to the end, so that the longest untouched is forgotten first.
    this.#entries.delete(peer);
    this.#entries.set(peer, entry);
    if (this.#entries.size <= PEERS_HINTED_MAX) return;
    this.#entries.delete(this.#leastWanted(peer));
  }

  #leastWanted(latest: PeerId): PeerId {
    let oldest: PeerId | undefined;
    for (const peer of this.#entries.keys()) {
      if (!this.#isMember(peer)) return peer;
      oldest ??= peer;
    }
    return oldest ?? latest;
  }
}
