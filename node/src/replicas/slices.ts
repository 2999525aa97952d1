import { nextTurn } from '../system/turn.ts';
import { RECORDS_PER_SLICE } from './limits.ts';

/** Handles many small things without holding the event loop: others get their turn after each `RECORDS_PER_SLICE`. */
export async function inSlices<T>(items: Iterable<T>, handle: (item: T) => void): Promise<void> {
  let handled = 0;
  for (const item of items) {
    handle(item);
    handled += 1;
    if (handled % RECORDS_PER_SLICE === 0) await nextTurn();
  }
  await nextTurn();
}
