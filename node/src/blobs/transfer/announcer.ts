import type { Mesh } from '../../mesh/interface.ts';
import type { Clock } from '../../system/interface.ts';
import type { BlobHash } from '../interface.ts';
import { transferLimits } from './limits.ts';

/**
 * Tells the farm which bundles can be had here, one after another, and again before the farm forgets it. Best effort:
 * whoever looks for one asks everybody in reach as well.
 */
export class Announcer {
  readonly #mesh: Pick<Mesh, 'provide' | 'subscribe'>;
  readonly #clock: Clock;
  readonly #hashes = new Set<BlobHash>();
  readonly #waiting = new Set<BlobHash>();
  readonly #stop = new AbortController();
  #telling: Promise<void> | undefined;
  #cancelAgain: (() => void) | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(components: { mesh: Pick<Mesh, 'provide' | 'subscribe'>; clock: Clock }) {
    this.#mesh = components.mesh;
    this.#clock = components.clock;
  }

  start(): void {
    // With nobody there nobody could be told; what failed is tried again with the next member that is met.
    this.#unsubscribe ??= this.#mesh.subscribe({
      peer: (_peer, state) => {
        if (state === 'reachable') this.#tell();
      },
    });
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#cancelAgain?.();
    this.#stop.abort(new Error('The transfer ends.'));
    await this.#telling;
  }

  add(hash: BlobHash): void {
    if (this.#hashes.has(hash) || this.#stop.signal.aborted) return;
    if (this.#hashes.size >= transferLimits.announcedMax)
      this.#hashes.delete([...this.#hashes][0] as BlobHash);
    this.#hashes.add(hash);
    this.#waiting.add(hash);
    this.#cancelAgain ??= this.#clock.after(transferLimits.announceAgainMs, () => this.#again());
    this.#tell();
  }

  #again(): void {
    for (const hash of this.#hashes) this.#waiting.add(hash);
    this.#cancelAgain = this.#clock.after(transferLimits.announceAgainMs, () => this.#again());
    this.#tell();
  }

  #tell(): void {
    if (this.#stop.signal.aborted) return;
    this.#telling ??= this.#tellAll().then((isThrough) => {
      this.#telling = undefined;
      // It was added after the last look.
      if (isThrough && this.#waiting.size > 0) this.#tell();
    });
  }

  /** Whether all was told; else it is tried with the next ones. */
  async #tellAll(): Promise<boolean> {
    // Calls of one moment go together.
    await Promise.resolve();
    for (const hash of this.#waiting) {
      if (this.#stop.signal.aborted) return false;
      try {
        await this.#mesh.provide(hash, { signal: this.#stop.signal });
        this.#waiting.delete(hash);
      } catch {
        return false;
      }
    }
    return true;
  }
}
