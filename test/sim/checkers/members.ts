import type { Message, PeerId } from '@cuadro/protocol';
import type { Changes, CoreEffect } from '../../../node/src/core/interface.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { Violation, type Checker } from './checker.ts';
import { isOut, knowsRemoval } from './grants.ts';
import { jobsOn, knowsThatItIsOut, taskOn } from '../on-disk.ts';

/** A node whose disk tells of a removal has closed the connection within this time, in milliseconds. */
const CLOSES_WITHIN_MS = 1_500;

/**
 * A removed member gets nothing from whoever knows of its removal, as there is no connection on which it could, and
 * counts for nothing there (SPEC R190, R191): neither what its brain takes for out, whatever its disk has answered so far,
 * nor what its disk says, whatever its brain makes of that.
 */
export class Members implements Checker {
  readonly #farm: SimFarm;
  /** Since when a machine knows of a removal, by both and its life. */
  readonly #knownAt = new Map<string, number>();
  /** By the same: the write after whose answer its node can know. */
  readonly #writtenBy = new Map<string, number>();
  /** Machines whose disks tell of their own end. */
  readonly #ended = new Set<Machine>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  /** Whoever knows by then that a machine is out names it as none that could lead after it. */
  decided(machine: Machine, effects: readonly CoreEffect[]): void {
    for (const effect of effects) {
      if (effect.kind !== 'gossip' || effect.message.kind !== 'pulse') continue;
      const out = effect.message.successors.find((peer) => isOut(machine, peer));
      if (out !== undefined)
        throw new Violation(
          'removed members',
          `${machine.name} names the removed ${this.#farm.of(out)?.name} among its successors.`,
        );
    }
  }

  /** Nothing that it says comes in any more, on whatever way. */
  heard(machine: Machine, from: PeerId, message: Message): void {
    // What a brain knows of its own end waits for its disk, and with it all else.
    if (!isOut(machine, from) || knowsRemoval(machine, machine.peer)) return;
    throw new Violation(
      'removed members',
      `${machine.name} hears a ${message.kind} of ${this.#farm.of(from)?.name}, of which it knows that it was removed.`,
    );
  }

  look(): void {
    for (const machine of this.#farm.up()) {
      const known = this.#farm.machines.find(
        ({ peer }) => isOut(machine, peer) && this.#isConnected(machine, peer),
      );
      if (known !== undefined && !knowsRemoval(machine, machine.peer))
        throw new Violation(
          'removed members',
          `${machine.name} knows that ${known.name} was removed, and stays connected to it.`,
        );
    }
    this.#lookAtDisks();
  }

  /** It hears of its own end from one that has that on its disk, or nobody else might ever know (SPEC R186). */
  changed(machine: Machine, { members }: Pick<Changes, 'members'>): void {
    if (members !== true || this.#ended.has(machine) || !knowsThatItIsOut(machine, machine)) return;
    this.#ended.add(machine);
    const { machines } = this.#farm;
    if (!machines.some((one) => one !== machine && (one.isGone || knowsThatItIsOut(one, machine))))
      throw new Violation('removed members', `${machine.name} alone knows that it was removed.`);
  }

  #isConnected(machine: Machine, peer: PeerId): boolean {
    return this.#farm.wire.pair(machine.peer, peer).session?.isOpen(machine.peer) === true;
  }

  #lookAtDisks(): void {
    const { machines, timeline } = this.#farm;
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
        if (this.#isConnected(machine, removed.peer))
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
