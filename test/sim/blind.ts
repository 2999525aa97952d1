import type { Witness } from './machine.ts';

export const nothing = (): void => undefined;

/** For tests that look at a simulated farm themselves, and need no checkers. */
export const blind: Witness = {
  note: nothing,
  decided: nothing,
  sent: nothing,
  heard: nothing,
  ran: nothing,
  ended: nothing,
  crashed: nothing,
  changed: nothing,
};
