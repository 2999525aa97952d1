import type { Dice } from '../dice.ts';
import { fileError } from './volume.ts';

/**
 * What a call does, as far as a disk that refuses asks: takes room, changes a name or a fact, gives something up, makes
 * durable, or reads.
 */
export type Deed = 'grow' | 'name' | 'drop' | 'sync' | 'read';

/** A disk without room, which says so beforehand or not; or one that fails, for a while or once. */
type Trouble =
  | { readonly kind: 'full'; readonly share: number; readonly isTold: boolean }
  | { readonly kind: 'failing'; readonly share: number; readonly isOnce: boolean };

/** Of changes of names few need room. */
const NAMES_THAT_GROW = 0.2;

/** What an error may come to that a refused call is the reason of. */
const CODES = new Set([
  ...['ENOSPC', 'EIO', 'store-full', 'store-unwritable', 'destination-unwritable'],
  ...['blob-source-unreadable', 'blob-corrupt', 'blob-not-found'],
]);

/**
 * Refusals of the disk, as chance has them: calls that take room end with ENOSPC, or any with EIO; of what was to be
 * written a part may stand there. A sync that failed is never made up for: what was written since the last one is no
 * longer waiting to be written (PostgreSQL's wiki, "Fsync Errors"), so that the next sync succeeds and says nothing of it.
 */
export class Refusals {
  readonly #dice: Dice;
  #trouble: Trouble | undefined;
  /** Calls that were refused so far. */
  count = 0;

  constructor(components: { dice: Dice }) {
    this.#dice = components.dice;
  }

  get isOn(): boolean {
    return this.#trouble !== undefined;
  }

  begin(): Trouble {
    const dice = this.#dice;
    this.#trouble = dice.chance(0.5)
      ? { kind: 'full', share: dice.pick([0.3, 1]), isTold: dice.chance(0.3) }
      : { kind: 'failing', share: dice.pick([0.02, 0.1, 0.5]), isOnce: dice.chance(0.5) };
    return this.#trouble;
  }

  end(): void {
    this.#trouble = undefined;
  }

  /** The disk says that it has no room. */
  get isToldFull(): boolean {
    return this.#trouble?.kind === 'full' && this.#trouble.isTold;
  }

  /** @throws ENOSPC or EIO, where the disk refuses. */
  ask(deed: Deed, path: string): void {
    const code = this.#codeFor(deed);
    if (code !== undefined) throw fileError(code, path);
  }

  /** The same for bytes; tells how many of them are written, and what the call ends with where it isn't all. */
  takes(bytes: number, path: string): { written: number; error?: Error } {
    const code = bytes === 0 ? undefined : this.#codeFor('grow');
    if (code === undefined) return { written: bytes };
    return { written: this.#dice.whole(0, bytes - 1), error: fileError(code, path) };
  }

  #codeFor(deed: Deed): 'ENOSPC' | 'EIO' | undefined {
    const trouble = this.#trouble;
    if (trouble === undefined || !this.#dice.chance(shareOf(trouble, deed))) return undefined;
    this.count += 1;
    if (trouble.kind === 'full') return 'ENOSPC';
    if (trouble.isOnce) this.end();
    return 'EIO';
  }
}

function shareOf(trouble: Trouble, deed: Deed): number {
  if (trouble.kind === 'failing') return trouble.share;
  if (deed === 'grow' || deed === 'sync') return trouble.share;
  return deed === 'name' ? trouble.share * NAMES_THAT_GROW : 0;
}

/** Whether the disk's refusal may be the reason. */
export function isRefusal(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if (CODES.has(String((at as { code?: unknown }).code))) return true;
  return false;
}
