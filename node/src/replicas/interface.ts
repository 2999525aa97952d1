import type { KnownRecord, PeerId } from '@cuadro/protocol';
import type { SignalOption, Startable } from '../system/interface.ts';

/**
 * Keeps this node's records and those of the other members the same (SPEC R45 to R49): gossips its own changes,
 * hears those of others, and where two differ, exchanges what differs over a stream. It never merges: what comes
 * in is checked and delivered, and what became durable is told to it.
 */

/** Read access to the records that this node holds; the owner implements it over the core. */
export interface HeldRecords {
  get(key: string): KnownRecord | undefined;
  /** Everything, in any order; read once after start, in slices, while records go on changing. */
  all(): Iterable<KnownRecord>;
}

/**
 * Takes records that passed the door (form and signatures), in the order given. Resolves once they are merged and
 * durable here; a rejection ends the exchange that brought them.
 */
export type DeliverRecords = (from: PeerId, records: KnownRecord[]) => Promise<void>;

/** How an exchange ended. */
export type ExchangeOutcome =
  /** The roots were the same. */
  | { readonly kind: 'equal' }
  | {
      readonly kind: 'exchanged';
      /** Records that came in and went out. */
      readonly pulled: number;
      readonly pushed: number;
      /** Of both, how many said something new to the one who got them; 0 is an exchange in vain. */
      readonly news: number;
      /** Listed, and changed since: gossip or the next exchange brings them. */
      readonly moved: number;
    }
  /** The peer serves others, or the two were in an exchange that it opened, which has ended by now. */
  | { readonly kind: 'busy' }
  /** The stream could not be opened, was cut or stalled, or the records could not be stored here. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** The peer broke the rules (SPEC R49). */
  | { readonly kind: 'fault'; readonly reason: string };

export interface RefusedCount {
  readonly count: number;
  /** Who sent the last of them. */
  readonly peer: PeerId | undefined;
}

/** For people, metrics and tests. */
export interface SyncStatus {
  /** Records in the digests. */
  readonly records: number;
  /** Own changes that wait to be gossiped. */
  readonly waiting: number;
  /** Gossiped batches and their records; `left` were left to exchanges (too large, or too many waited). */
  readonly gossip: { readonly batches: number; readonly records: number; readonly left: number };
  readonly exchanges: Readonly<Record<ExchangeOutcome['kind'] | 'served', number>>;
  /** Of all exchanges, opened and served. */
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly exchanged: { readonly pulled: number; readonly pushed: number };
  /** What peers sent that was of no use, by reason. */
  readonly refused: Readonly<Record<string, RefusedCount>>;
}

/**
 * Start it before the mesh, since it serves the protocol `sync`; stop it after the mesh or before, both are fine.
 * From then on every durable change has to be told by `persisted`, in order.
 */
export interface RecordSync extends Startable {
  /** Digest of everything held, 32 hexadecimal characters, for beacon and pulse; undefined while it is being built. */
  root(): string | undefined;
  /** These became durable here, and those keys are gone, whoever made them. Before start: what was loaded. */
  persisted(put: readonly KnownRecord[], removed: readonly string[]): void;
  /** Changes of this node's own, durable here: gossiped. Call `persisted` first. */
  publish(records: readonly KnownRecord[]): void;
  /**
   * Records that a peer had held here are durable (SPEC R57): it may be gone before it tells anybody else, so what is new
   * of them goes on as what an exchange brought (SPEC R130).
   */
  learned(from: PeerId): void;
  /** The root of a peer's beacon or pulse. */
  heardRoot(peer: PeerId, root: string): void;
  /**
   * Exchanges with a member now, or joins the exchange with it that is under way. Never rejects but with the
   * signal's reason; giving up the wait does not end an exchange that others wait for.
   */
  syncWith(peer: PeerId, options?: SignalOption): Promise<ExchangeOutcome>;
  status(): SyncStatus;
}
