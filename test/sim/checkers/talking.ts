import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';

/** A way is good while it adds no more than this, in milliseconds. */
const GOOD_BASE_MS = 1;
/** A way is not good yet while what a fault held up before is still to come on it, for more than any good way takes. */
const BEHIND_MS = 100;
/** A disk is well while a write takes no longer than this on average. */
const GOOD_WRITE_MS = 2;

/** Which nodes of a farm can talk without hindrance, and since when: judged by the network and the disks themselves. */
export class Talking {
  readonly #farm: SimFarm;
  readonly #since = new Map<string, number>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  /** To be called again and again: what lasts is told by it. */
  look(): void {
    const { machines, timeline } = this.#farm;
    for (const [i, a] of machines.entries()) {
      for (const b of machines.slice(i + 1)) {
        const key = keyOf(a, b);
        if (!this.#isGood(a, b)) this.#since.delete(key);
        else if (!this.#since.has(key)) this.#since.set(key, timeline.now);
      }
    }
  }

  /** Whether they could talk at every look for so long. */
  for(a: Machine, b: Machine, ms: number): boolean {
    const since = this.#since.get(keyOf(a, b));
    return since !== undefined && this.#farm.timeline.now - since >= ms;
  }

  /** Those that a machine could talk to for so long, itself included, directly or by way of others. */
  groups(ms: number): Machine[][] {
    const left = new Set(this.#farm.machines);
    const groups: Machine[][] = [];
    for (const first of left) {
      const group = new Set([first]);
      left.delete(first);
      for (const one of group) {
        for (const other of left) {
          if (!this.for(one, other, ms)) continue;
          group.add(other);
          left.delete(other);
        }
      }
      if (group.size > 1) groups.push([...group]);
    }
    return groups;
  }

  #isGood(a: Machine, b: Machine): boolean {
    if (!isWell(a) || !isWell(b)) return false;
    const farm = a.queries?.farmRecord()?.id;
    if (farm === undefined || farm !== b.queries?.farmRecord()?.id) return false;
    const { wire, timeline } = this.#farm;
    const { session } = wire.pair(a.peer, b.peer);
    const ways = [wire.way(a.peer, b.peer), wire.way(b.peer, a.peer)];
    const isClear = ways.every(
      (way) =>
        !way.isCut && way.loss === 0 && way.baseMs <= GOOD_BASE_MS && way.behindMs(timeline.now) <= BEHIND_MS,
    );
    return isClear && session?.isOpen(a.peer) === true && session.isOpen(b.peer);
  }
}

function isWell({ isUp, isGone, isRemoved, host, disk }: Machine): boolean {
  const isHere = isUp && !isGone && !isRemoved && !host.isStalled;
  return isHere && !disk.faults.broken && !disk.faults.full && disk.faults.writeMs <= GOOD_WRITE_MS;
}

const keyOf = (a: Machine, b: Machine): string =>
  a.peer < b.peer ? `${a.peer} ${b.peer}` : `${b.peer} ${a.peer}`;
