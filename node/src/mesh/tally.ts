import type { PeerId } from '@cuadro/protocol';
import type { Logger } from '../system/interface.ts';
import type { FoundNode, GossipTopic, MeshListener, MeshStatus, PeerState } from './interface.ts';

/** Reasons kept apart; all are names in this room's code, so this only guards against a mistake of ours. */
const REASONS_MAX = 64;

/** Codes of the errors that say that a peer spoke nonsense on a stream (SPEC R4, R55). */
const NONSENSE: ReadonlySet<string> = new Set(['malformed-bytes', 'frame-malformed']);

/** Counts what the mesh saw, for people and metrics. */
export class Tally {
  readonly gossip = { sent: 0, received: 0, dropped: 0 };
  readonly #refused = new Map<string, { count: number; peer: PeerId | undefined }>();

  /** Something of no use came, or could not be sent; `peer` is whose it was, where that is known. */
  refuse(reason: string, peer: PeerId | undefined): void {
    const entry = this.#refused.get(reason);
    if (entry !== undefined) {
      entry.count += 1;
      entry.peer = peer ?? entry.peer;
    } else if (this.#refused.size < REASONS_MAX) {
      this.#refused.set(reason, { count: 1, peer });
    }
  }

  /** A stream was given up; counted where that is its peer's fault, and not the way's or this node's. */
  refuseNonsense(error: unknown, peer: PeerId): void {
    const code = (error as { code?: unknown } | null | undefined)?.code;
    if (typeof code === 'string' && NONSENSE.has(code)) this.refuse(code, peer);
  }

  counts(): Pick<MeshStatus, 'gossip' | 'refused'> {
    const refused = Object.fromEntries([...this.#refused].map(([reason, entry]) => [reason, { ...entry }]));
    return { gossip: { ...this.gossip }, refused };
  }
}

/**
 * Tells all listeners, in the order in which they came; those that come or go meanwhile do not disturb it. They must
 * not throw; one that does is logged, since nothing that a peer sends may end the node.
 */
export class Listeners {
  readonly #logger: Logger | undefined;
  /** Replaced whenever one comes or goes, so that whoever is telling goes on with those that were there. */
  #listeners: readonly MeshListener[] = [];
  /** While the mesh is stopped, nobody is told anything, not even that everybody is lost. */
  muted = false;

  constructor(logger?: Logger) {
    this.#logger = logger;
  }

  add(listener: MeshListener): () => void {
    this.#listeners = [...this.#listeners, listener];
    return () => {
      this.#listeners = this.#listeners.filter((one) => one !== listener);
    };
  }

  peer(peer: PeerId, state: PeerState): void {
    this.#tell((listener) => listener.peer?.(peer, state));
  }

  message(from: PeerId, bytes: Uint8Array): void {
    this.#tell((listener) => listener.message?.(from, bytes));
  }

  gossip(topic: GossipTopic, from: PeerId, bytes: Uint8Array): void {
    this.#tell((listener) => listener.gossip?.(topic, from, bytes));
  }

  found(node: FoundNode): void {
    this.#tell((listener) => listener.found?.(node));
  }

  #tell(tell: (listener: MeshListener) => void): void {
    if (this.muted) return;
    for (const listener of this.#listeners) {
      try {
        tell(listener);
      } catch (error) {
        if (this.#logger === undefined) throw error;
        this.#logger.error('a listener of the mesh failed', { error });
      }
    }
  }
}
