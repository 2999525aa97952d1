import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { Violation, type Checker } from './checker.ts';
import { jobsOn, knowsThatItIsOut, taskOn } from '../on-disk.ts';

/** A node that learns of a removal closes the connection within this time, in milliseconds. */
const CLOSES_WITHIN_MS = 1_500;

/**
 * A removed member gets nothing from whoever knows of its removal, as there is no connection on which it could, and
 * counts for nothing there.
 */
export class Members implements Checker {
  readonly #farm: SimFarm;
  /** Since when a machine knows of a removal, by both and its life. */
  readonly #knownAt = new Map<string, number>();
  /** By the same: the write after whose answer its node can know. */
  readonly #writtenBy = new Map<string, number>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  look(): void {
    const { machines, timeline, wire } = this.#farm;
    for (const removed of machines.filter(({ isRemoved }) => isRemoved)) {
      for (const machine of machines) {
        if (machine === removed || !machine.isUp || machine.host.isStalled || machine.isRemoved) continue;
        const key = `${machine.peer} ${machine.host.life} ${removed.peer}`;
        const { done, answered } = machine.disk.writes;
        if (!this.#writtenBy.has(key) && knowsThatItIsOut(machine, removed)) this.#writtenBy.set(key, done);
        if (!this.#knownAt.has(key) && answered >= (this.#writtenBy.get(key) ?? Infinity))
          this.#knownAt.set(key, timeline.now);
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

  /** Its removal withdraws its word for all copies, wherever it is known (SPEC R24). */
  end(): void {
    for (const removed of this.#farm.machines.filter(({ isRemoved }) => isRemoved)) {
      for (const machine of this.#farm.up()) {
        const what = knowsThatItIsOut(machine, removed) ? heldAt(machine, removed) : undefined;
        if (what !== undefined)
          throw new Violation(
            'removed members',
            `${machine.name} counts the removed ${removed.name} among the holders of ${what}.`,
          );
      }
    }
  }

  /** What it did not hear of its disk it hears of no more, and time does not pass for one that stands still. */
  crashed(machine: Machine): void {
    for (const moments of [this.#knownAt, this.#writtenBy])
      for (const key of moments.keys()) if (key.startsWith(machine.peer)) moments.delete(key);
  }
}

/** Something that the records of one machine say another holds. */
function heldAt(machine: Machine, { peer }: Machine): string | undefined {
  for (const { id, spec, holders } of jobsOn(machine)) {
    if (holders.plan[peer]?.held === true || holders.bundle[peer]?.held === true) return id;
    for (let index = 0; index < spec.tasks; index++) {
      const { results = {}, failures = {} } = taskOn(machine, id, index) ?? {};
      const entries = [...Object.values(results), ...Object.values(failures)];
      if (entries.some(({ holders }) => holders?.[peer]?.held === true)) return `${id}/${index}`;
    }
  }
  return undefined;
}
