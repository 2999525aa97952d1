import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { Violation, type Checker } from './checker.ts';
import type { Talking } from './talking.ts';

/** Looks that are remembered: what was so at all of them was so for a while. */
const LOOKS = 10;
/** A follower is heard once it could talk to its coordinator for so long, in milliseconds. */
const HEARD_MS = 5_000;

interface Look {
  /** Machines that follow and that it surely hears. */
  readonly sure: number;
  /** Machines that may follow. */
  readonly perhaps: number;
}

interface Reign {
  readonly life: number;
  readonly looks: Look[];
}

/**
 * Who leads a farm that hears it is not unseated by one who comes back (SPEC R44): when a coordinator gives way to
 * another, it had no more followers than that one.
 */
export class Reigns implements Checker {
  readonly #farm: SimFarm;
  readonly #talking: Talking;
  readonly #reigns = new Map<Machine, Reign>();
  #epochs = new Set<string>();

  constructor(farm: SimFarm, talking: Talking) {
    this.#farm = farm;
    this.#talking = talking;
  }

  look(): void {
    const up = this.#farm.up();
    for (const machine of up) {
      if (machine.host.isStalled || machine.queries === undefined) continue;
      if (!machine.queries.isCoordinator) this.#mayHaveYielded(machine);
    }
    for (const machine of this.#farm.machines) {
      const leads = machine.isUp && !machine.isRemoved && machine.queries?.isCoordinator === true;
      if (!leads || machine.host.isStalled) this.#reigns.delete(machine);
      else this.#note(machine, up);
    }
  }

  #note(machine: Machine, up: readonly Machine[]): void {
    const epoch = machine.queries?.epoch;
    const name = `${epoch?.peer}`;
    if (!this.#epochs.has(`${name} ${machine.host.life}`)) {
      this.#epochs.add(`${name} ${machine.host.life}`);
      if (this.#epochs.size > 1) this.#farm.tally.outcome('change of coordinator');
    }
    const following = up.filter(
      (one) =>
        one !== machine && one.queries?.isCoordinator !== true && one.queries?.epoch?.peer === machine.peer,
    );
    const sure = following.filter((one) => this.#talking.for(one, machine, HEARD_MS)).length;
    const { life } = machine.host;
    const before = this.#reigns.get(machine);
    const looks = before?.life === life ? before.looks : [];
    looks.push({ sure, perhaps: following.length });
    if (looks.length > LOOKS) looks.shift();
    this.#reigns.set(machine, { life, looks });
  }

  #mayHaveYielded(machine: Machine): void {
    const reign = this.#reigns.get(machine);
    const to = this.#farm.of(machine.queries?.epoch?.peer ?? '');
    const other = to && this.#reigns.get(to);
    if (reign?.life !== machine.host.life || to === undefined || other === undefined) return;
    this.#farm.tally.outcome('coordinator yields');
    if (reign.looks.length < LOOKS) return;
    const had = Math.min(...reign.looks.map(({ sure }) => sure));
    const otherHad = Math.max(...other.looks.map(({ perhaps }) => perhaps));
    if (had > otherHad)
      throw new Violation(
        'the incumbent stays',
        `${machine.name}, whom ${had} followed, gives way to ${to.name}, whom ${otherHad} followed.`,
      );
  }
}
