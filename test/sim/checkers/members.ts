import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { Violation, type Checker } from './checker.ts';
import { onDisk } from '../on-disk.ts';

/** A node that learns of a removal closes the connection within this time, in milliseconds. */
const CLOSES_WITHIN_MS = 1_500;

/** A removed member gets nothing from whoever knows of its removal: there is no connection on which it could. */
export class Members implements Checker {
  readonly #farm: SimFarm;
  /** Since when a machine knows of a removal, by both and its life. */
  readonly #knownAt = new Map<string, number>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  look(): void {
    const { machines, timeline, wire } = this.#farm;
    for (const removed of machines.filter(({ isRemoved }) => isRemoved)) {
      for (const machine of machines) {
        if (machine === removed || !machine.isUp || machine.host.isStalled || machine.isRemoved) continue;
        const key = `${machine.peer} ${machine.host.life} ${removed.peer}`;
        if (!this.#knownAt.has(key) && knows(machine, removed)) this.#knownAt.set(key, timeline.now);
        const knownAt = this.#knownAt.get(key);
        if (knownAt === undefined || timeline.now - knownAt < CLOSES_WITHIN_MS) continue;
        if (wire.pair(machine.peer, removed.peer).session?.isOpen(machine.peer) === true)
          throw new Violation(
            'removed members',
            `${machine.name} stays connected to the removed ${removed.name}.`,
          );
      }
    }
  }

  /** Time does not pass for one that stands still. */
  crashed(machine: Machine): void {
    for (const key of this.#knownAt.keys()) if (key.startsWith(machine.peer)) this.#knownAt.delete(key);
  }
}

function knows(machine: Machine, { peer }: Machine): boolean {
  const record = onDisk(machine, `member/${peer}`);
  return record?.kind === 'member' && Object.keys(record.removals).length > 0;
}
