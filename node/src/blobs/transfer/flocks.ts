import type { Bundle, PeerId } from '@cuadro/protocol';
import type { Mesh } from '../../mesh/interface.ts';
import type { Clock, Random } from '../../system/interface.ts';
import type { BlobHash } from '../interface.ts';
import { Flock } from './flock.ts';
import { FrameError } from './frames.ts';
import type { WantedBlob } from './interface.ts';
import { swarmLimits } from './limits.ts';
import type { Lines } from './lines.ts';
import { Bits, travelsWhole, Units } from './units.ts';

export interface FlocksComponents {
  readonly mesh: Pick<Mesh, 'self' | 'reachable'>;
  readonly clock: Clock;
  readonly random: Pick<Random, 'float'>;
  readonly lines: Lines;
  /** Whether a machine may be asked anything. */
  readonly isTrusted: (peer: PeerId) => boolean;
  /** A machine has all of a bundle: it is a holder like those who were named. */
  readonly whole: (flock: Flock, peer: PeerId) => void;
  /** Something may be asked for now. */
  readonly kick: () => void;
}

interface Entry {
  readonly flock: Flock;
  readonly over: AbortController;
  users: number;
}

/** The bundles that are fetched here, and who fetches them too: told by the others again and again while it lasts. */
export class Flocks {
  readonly #components: FlocksComponents;
  readonly #entries = new Map<BlobHash, Entry>();
  readonly #telling = new Set<Promise<void>>();

  constructor(components: FlocksComponents) {
    this.#components = components;
  }

  get(bundle: BlobHash): Flock | undefined {
    return this.#entries.get(bundle)?.flock;
  }

  all(): Iterable<Flock> {
    return Array.from(this.#entries.values(), ({ flock }) => flock);
  }

  /**
   * Begins to fetch what is missing of a bundle together with others; `leave` must follow. Undefined where that isn't
   * worth it.
   */
  join(
    bundle: BlobHash,
    init: { files: Bundle['files']; missing: readonly WantedBlob[]; named: () => readonly PeerId[] },
  ): Flock | undefined {
    let entry = this.#entries.get(bundle);
    if (entry === undefined) {
      const bytes = init.missing.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
      if (bytes < swarmLimits.bytesMin) return undefined;
      const units = new Units(init);
      if (units.count > swarmLimits.unitsMax) return undefined;
      const { clock, random } = this.#components;
      const flock = new Flock({ random }, { bundle, units, nowMs: clock.now() });
      entry = { flock, over: new AbortController(), users: 0 };
      this.#entries.set(bundle, entry);
      const missing = new Bits(units.count);
      for (const { hash } of init.missing) missing.add(flock.unitOf(hash));
      for (const hash of units.hashes) if (!missing.has(flock.unitOf(hash))) flock.hasFile(hash);
      for (const { hash, sizeBytes = 0 } of init.missing) if (travelsWhole(sizeBytes)) flock.wants(hash);
      const telling = this.#tell(entry, init.named).finally(() => this.#telling.delete(telling));
      this.#telling.add(telling);
    }
    entry.users += 1;
    return entry.flock;
  }

  leave({ bundle }: Flock): void {
    const entry = this.#entries.get(bundle);
    if (entry === undefined || --entry.users > 0) return;
    this.#entries.delete(bundle);
    entry.over.abort(new Error('The bundle is no longer fetched.'));
  }

  async stop(): Promise<void> {
    for (const { over } of this.#entries.values()) over.abort(new Error('The transfer ends.'));
    this.#entries.clear();
    await Promise.all(this.#telling);
  }

  /** Asks others what they have, until the flock is left or given up. */
  async #tell({ flock, over }: Entry, named: () => readonly PeerId[]): Promise<void> {
    const { clock, kick } = this.#components;
    const { signal } = over;
    const asked = new Set<PeerId>();
    for (let round = 0; !signal.aborted; round++) {
      flock.name(named());
      flock.isNew = round < swarmLimits.newRounds;
      // One that hangs keeps nobody else waiting.
      for (const peer of this.#chosen(flock)) {
        if (asked.has(peer)) continue;
        asked.add(peer);
        void this.#ask(flock, peer, signal).finally(() => {
          asked.delete(peer);
          kick();
        });
      }
      if (flock.isActive && clock.now() - flock.movedAtMs > swarmLimits.giveUpMs) flock.isGivenUp = true;
      if (flock.isGivenUp) return kick();
      const pauseMs = round < 4 ? swarmLimits.tellFirstMs : swarmLimits.tellMs;
      await clock.sleep(pauseMs, { signal }).catch(() => undefined);
    }
  }

  /** Those that can be asked, a bounded number of them by lot. */
  #chosen(flock: Flock): PeerId[] {
    const { mesh, random, isTrusted } = this.#components;
    const reachable = new Set(mesh.reachable());
    for (const peer of [...flock.peers]) if (!reachable.has(peer) || !isTrusted(peer)) flock.without(peer);
    const may = flock.named.filter((peer) => peer !== mesh.self && reachable.has(peer) && isTrusted(peer));
    const chosen: PeerId[] = [];
    while (chosen.length < swarmLimits.tellPeers && may.length > 0)
      chosen.push(...may.splice(Math.floor(random.float() * may.length), 1));
    return chosen;
  }

  async #ask(flock: Flock, peer: PeerId, signal: AbortSignal): Promise<void> {
    const { mesh, lines, whole } = this.#components;
    const asking = lines.exchange(
      peer,
      { kind: 'parts', bundle: flock.bundle },
      async (answer, body) => {
        if (answer.kind === 'absent') {
          flock.without(peer);
          return true;
        }
        if (answer.kind !== 'parts' || answer.bundle !== flock.bundle)
          throw new FrameError('That is no answer to what was asked.');
        if (flock.told(peer, answer.whole ? undefined : new Bits(flock.units.count, body)))
          whole(flock, peer);
        const reachable = new Set(mesh.reachable());
        flock.name(answer.others.filter((other) => reachable.has(other)));
        return true;
      },
      signal,
    );
    // Whoever doesn't answer has nothing to give now; what it fails at shows when it is asked for units.
    await asking.catch(() => undefined);
  }
}
