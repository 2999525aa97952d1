import type { PeerId, SwarmLack } from '@cuadro/protocol';
import type { Clock } from '../../system/interface.ts';
import { BlobUnreachableError, isNoRoom } from '../errors.ts';
import type { BlobHash } from '../interface.ts';
import { type Flow, Rates } from './rates.ts';
import type { TreeProgress } from './tree-progress.ts';

/** How far one bundle is that is fetched here, in sums. */
export interface TreeSums {
  readonly bundle: BlobHash;
  /** Zero, as are its files, until the bundle's own file is here. */
  readonly sizeBytes: number;
  readonly doneBytes: number;
  readonly files: number;
  readonly doneFiles: number;
  readonly from: readonly Flow[];
  readonly lack?: SwarmLack;
  /** Who should hold what is missing. */
  readonly awaited: readonly PeerId[];
}

interface Entry {
  users: number;
  progress: TreeProgress | undefined;
  readonly rates: Rates;
  lack: SwarmLack | undefined;
  awaited: readonly PeerId[];
  endedMs: number;
}

/**
 * A bundle that could not be had is told for so long after: by then it is tried again, by who renders after 10 s at the
 * latest, by who asks a machine without room to hold it after 30 s.
 */
const LACK_KEPT_MS = 40_000;

/** What comes here from whom, and what for: sums alone, so that telling them costs the same for any number of files. */
export class Ledger {
  readonly #clock: Clock;
  readonly #entries = new Map<BlobHash, Entry>();
  readonly #rates = new Rates();

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /** A bundle is wanted here; `end` must follow. */
  begin(bundle: BlobHash): void {
    let entry = this.#entries.get(bundle);
    if (entry === undefined) {
      entry = { users: 0, progress: undefined, rates: new Rates(), lack: undefined, awaited: [], endedMs: 0 };
      this.#entries.set(bundle, entry);
    }
    entry.users += 1;
  }

  /** What is missing of it is known. */
  goesOn(bundle: BlobHash, progress: TreeProgress): void {
    const entry = this.#entries.get(bundle);
    if (entry !== undefined) entry.progress = progress;
  }

  /** It came, or an error says why it did not; one that nobody waits for any more tells nothing. */
  end(bundle: BlobHash, error?: unknown, isGivenUp = false): void {
    const entry = this.#entries.get(bundle);
    if (entry === undefined) return;
    entry.users -= 1;
    if (error === undefined) entry.lack = undefined;
    else if (!isGivenUp) {
      entry.lack = lackOf(error);
      entry.awaited = error instanceof BlobUnreachableError ? error.holders : [];
    }
    entry.endedMs = this.#clock.now();
    if (entry.users === 0 && entry.lack === undefined) this.#entries.delete(bundle);
  }

  /** Something came of a machine, of use or not. */
  received(peer: PeerId, bytes: number): void {
    if (bytes > 0) this.#rates.add(peer, bytes, this.#clock.now());
  }

  /** A part of a bundle came. */
  brought(bundle: BlobHash, peer: PeerId, bytes: number): void {
    const entry = this.#entries.get(bundle);
    if (entry === undefined) return;
    entry.rates.add(peer, bytes, this.#clock.now());
    // What was on its way when it was given up says nothing of the rest.
    if (entry.users > 0) entry.lack = undefined;
  }

  /** Bundles of which something is missing here. */
  trees(): TreeSums[] {
    const nowMs = this.#clock.now();
    const sums: TreeSums[] = [];
    for (const [bundle, entry] of this.#entries) {
      const { users, progress, lack, awaited, rates, endedMs } = entry;
      if (users === 0 && nowMs - endedMs >= LACK_KEPT_MS) this.#entries.delete(bundle);
      else if (lack !== undefined || (progress !== undefined && progress.doneFiles < progress.files)) {
        const { sizeBytes = 0, doneBytes = 0, files = 0, doneFiles = 0 } = progress ?? {};
        const from = rates.at(nowMs);
        const done = { doneBytes: Math.min(doneBytes, sizeBytes), doneFiles };
        sums.push({ bundle, sizeBytes, files, ...done, from, awaited, ...(lack !== undefined && { lack }) });
      }
    }
    return sums;
  }

  flows(): Flow[] {
    return this.#rates.at(this.#clock.now());
  }
}

function lackOf(error: unknown): SwarmLack {
  if (error instanceof BlobUnreachableError) return 'unreachable';
  return isNoRoom(error) ? 'no-room' : 'failed';
}
