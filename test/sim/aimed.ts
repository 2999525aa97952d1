import type { Checkers } from './checkers/checkers.ts';
import type { SimFarm } from './farm.ts';
import type { FaultLog } from './fault-log.ts';
import type { Machine } from './machine.ts';

/** What faults that aim at one mistake are given. */
export interface AimedInit {
  readonly farm: SimFarm;
  readonly safety: Pick<Checkers, 'staysWhole'>;
  readonly log: FaultLog;
  readonly note: (what: string, more?: unknown) => void;
  /** A fault that lasts: its end runs once, after so long or at the healing. */
  readonly lasting: (ms: number, end: () => void) => void;
}

/** Delays all that goes between one machine and others, both ways. The returned function ends that, called however often. */
export function delayBetween(
  wire: Pick<SimFarm['wire'], 'way'>,
  one: Machine,
  { others, delayMs }: { others: readonly Machine[]; delayMs: number },
): () => void {
  const ways = others.flatMap(({ peer }) => [wire.way(one.peer, peer), wire.way(peer, one.peer)]);
  for (const way of ways) way.baseMs += delayMs;
  let isOver = false;
  return () => {
    if (!isOver) for (const way of ways) way.baseMs -= delayMs;
    isOver = true;
  };
}
