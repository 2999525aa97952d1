import { countBuffersWithHeap } from '../../system/buffer-accounting.ts';
import type { Clock } from '../../system/interface.ts';
import { transferLimits } from './limits.ts';

/**
 * Memory for pieces, shared between threads and used again and again: new memory for each would be cleared by the
 * system, and counted by the garbage collector until it collects everything. Whoever does not give a piece's memory
 * back loses nothing: it is collected.
 */
export class PieceMemory {
  readonly #clock: Pick<Clock, 'after'>;
  #cancelClear: (() => void) | undefined;
  #isBusy = false;
  readonly #spare: Uint8Array[] = [];
  /** What was taken and not given back, by the views that were given out. */
  readonly #out = new WeakMap<Uint8Array, Uint8Array>();

  constructor(components: { readonly clock: Pick<Clock, 'after'> }) {
    this.#clock = components.clock;
  }

  /** Uncleared: what an earlier piece left is in it. */
  take(bytes: number): Uint8Array {
    if (!this.#isBusy) countBuffersWithHeap(true);
    this.#isBusy = true;
    this.#clearLater();
    const at = this.#spare.findIndex(({ length }) => length >= bytes);
    const whole = this.#spare.splice(at, at < 0 ? 0 : 1)[0] ?? new Uint8Array(new SharedArrayBuffer(bytes));
    const memory = whole.subarray(0, bytes);
    this.#out.set(memory, whole);
    return memory;
  }

  /** Nobody uses it any more. What was taken elsewhere is left alone. */
  give(memory: Uint8Array): void {
    const whole = this.#out.get(memory);
    if (whole === undefined) return;
    this.#out.delete(memory);
    if (this.#spare.length < transferLimits.sparePieces) this.#spare.push(whole);
    else this.#replaceSmallest(whole);
    this.#clearLater();
  }

  /** The largest are kept, which are of use for any piece: else those of a file of small pieces left none to a larger one. */
  #replaceSmallest(whole: Uint8Array): void {
    const lengths = this.#spare.map(({ length }) => length);
    const smallest = Math.min(...lengths);
    if (smallest < whole.length) this.#spare[lengths.indexOf(smallest)] = whole;
  }

  /** What is spare goes: nothing has been under way for a while. */
  clear(): void {
    this.#cancelClear?.();
    this.#cancelClear = undefined;
    this.#spare.length = 0;
    if (this.#isBusy) countBuffersWithHeap(false);
    this.#isBusy = false;
  }

  #clearLater(): void {
    this.#cancelClear?.();
    this.#cancelClear = this.#clock.after(transferLimits.spareMs, () => this.clear());
  }
}
