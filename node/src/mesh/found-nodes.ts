import { compareText, type PeerId } from '@cuadro/protocol';
import { addressOf } from './addresses.ts';
import type { Announcement } from './announcement.ts';
import type { FoundNode } from './interface.ts';
import { PEERS_HINTED_MAX } from './limits.ts';

interface Sighting {
  readonly lobbyPort: number;
  readonly meshPort: number | undefined;
  readonly seenAtMs: number;
}

interface Entry {
  farm: Announcement['farm'];
  readonly sightings: Map<string, Sighting>;
  told: string;
}

/** Addresses that one node is seen at: its interfaces, and what a liar makes up. */
const SIGHTINGS_MAX = 16;

/** Who was seen on the local network, and where: several interfaces may show one node, each at another address. */
export class FoundNodes {
  readonly #lifeMs: number;
  readonly #entries = new Map<PeerId, Entry>();

  constructor(lifeMs: number) {
    this.#lifeMs = lifeMs;
  }

  /** Takes in what came from `host`; gives back the node where that changes what is known of it. */
  see(announcement: Announcement, host: string, nowMs: number): FoundNode | undefined {
    const { peer, farm, lobbyPort, meshPort } = announcement;
    const entry = this.#entries.get(peer) ?? { farm, sightings: new Map<string, Sighting>(), told: '' };
    entry.farm = farm;
    for (const [address, { seenAtMs }] of entry.sightings)
      if (nowMs - seenAtMs > this.#lifeMs) entry.sightings.delete(address);
    if (entry.sightings.size >= SIGHTINGS_MAX && !entry.sightings.has(host)) return undefined;
    entry.sightings.set(host, { lobbyPort, meshPort, seenAtMs: nowMs });
    this.#entries.delete(peer);
    this.#entries.set(peer, entry);
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > PEERS_HINTED_MAX && oldest !== undefined) this.#entries.delete(oldest);
    const node = nodeOf(peer, entry);
    const text = JSON.stringify(node);
    if (text === entry.told) return undefined;
    entry.told = text;
    return node;
  }

  /** It said goodbye, so that its next announcement is news. */
  forget(peer: PeerId): void {
    this.#entries.delete(peer);
  }
}

function nodeOf(peer: PeerId, { farm, sightings }: Entry): FoundNode {
  const seen = [...sightings].sort(([a], [b]) => compareText(a, b));
  return {
    peer,
    farm,
    lobby: seen.map(([host, { lobbyPort }]) => addressOf({ host, port: lobbyPort })),
    mesh: seen.flatMap(([host, { meshPort }]) =>
      meshPort === undefined ? [] : [addressOf({ host, port: meshPort })],
    ),
  };
}
