import type { Message, PeerId } from '@cuadro/protocol';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { Violation, type Checker } from './checker.ts';

/**
 * Without a pulse of its coordinator every member stands after 5 s, later ones 150 ms after each other (SPEC R44), and
 * so does one that looks for a coordinator; what it heard a moment ago it may have to believe for another 4 s, until the
 * connection to a silent member is found dead. Clocks are wrong by two in a hundred, and it is looked twice a second.
 */
const LED_WITHIN_MS = 12_000;

/** Write times up to which a disk holds nobody up, on average. */
const QUICK_MS = 20;

interface Following {
  readonly life: number;
  readonly coordinator: PeerId | undefined;
  /** When its coordinator was heard last, or it came to follow it, or to be well. */
  since: number;
}

/** Nobody goes on following one that is gone, or looking for one that isn't there: a node that could lead does. */
export class Led implements Checker {
  readonly #farm: SimFarm;
  readonly #following = new Map<Machine, Following>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  heard(machine: Machine, from: PeerId, message: Message): void {
    const following = this.#following.get(machine);
    if (message.kind === 'pulse' && following?.coordinator === from)
      following.since = this.#farm.timeline.now;
  }

  look(): void {
    for (const machine of this.#farm.machines) this.#judge(machine, this.#farm.timeline.now);
  }

  #judge(machine: Machine, now: number): void {
    const { queries, host } = machine;
    if (queries === undefined || !isWell(machine) || queries.isCoordinator) {
      this.#following.delete(machine);
      return;
    }
    const before = this.#following.get(machine);
    const coordinator = queries.epoch?.peer;
    if (before?.life !== host.life || before.coordinator !== coordinator) {
      this.#following.set(machine, { life: host.life, coordinator, since: now });
      return;
    }
    const ms = now - before.since;
    if (ms <= LED_WITHIN_MS) return;
    const whom = coordinator === undefined ? undefined : this.#farm.of(coordinator)?.name;
    const what = whom === undefined ? 'looks for a coordinator' : `follows ${whom}, which it has not heard,`;
    throw new Violation('somebody leads', `${machine.name} ${what} for ${(ms / 1_000).toFixed(1)} s.`);
  }
}

/** A member whose process runs and whose disk lets it. */
function isWell({ isUp, isRemoved, host, disk, queries }: Machine): boolean {
  const isHere = isUp && !isRemoved && !host.isStalled && queries?.farmRecord() !== undefined;
  return isHere && !disk.faults.broken && !disk.faults.filled && disk.faults.writeMs <= QUICK_MS;
}
