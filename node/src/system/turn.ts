import { setImmediate as turn } from 'node:timers/promises';

/**
 * Lets everything else that is ready run first: input, timers, other streams. For work that comes in many small
 * pieces and must not hold the event loop; it waits for nothing and takes no time of its own.
 */
export const nextTurn = (): Promise<void> => turn();
