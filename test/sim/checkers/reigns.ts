import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { Violation, type Checker } from './checker.ts';
import type { Talking } from './talking.ts';

/** Looks that are remembered: what was so at all of them was so for a while. */
const LOOKS = 10;
/** A follower is heard once it could talk to its coordinator for so long, in milliseconds. */
const HEARD_MS = 5_000;
/**
 * Over a bad way a coordinator may count one for so long that follows another by now: 4 s from its last beacon, and
 * before that all that a slow way takes, or two where it came by way of others.
 */
const LATE_MS = 12_000;

interface Look {
  /** Machines that follow and that it surely hears. */
  readonly sure: number;
  /** Machines that may follow. */
  readonly perhaps: readonly Machine[];
}

interface Reign {
  readonly life: number;
  readonly looks: Look[];
  /** When each machine last was seen to follow it. */
  readonly followedAt: Map<Machine, number>;
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
    const following = up.filter((one) => follows(one, machine));
    const sure = following.filter((one) => this.#talking.for(one, machine, HEARD_MS)).length;
    const { life } = machine.host;
    const before = this.#reigns.get(machine);
    const reign: Reign =
      before?.life === life ? before : { life, looks: [], followedAt: new Map<Machine, number>() };
    for (const one of following) reign.followedAt.set(one, this.#farm.timeline.now);
    reign.looks.push({ sure, perhaps: following });
    if (reign.looks.length > LOOKS) reign.looks.shift();
    this.#reigns.set(machine, reign);
  }

  /** How many may have followed a coordinator when another one met it, to give way to it since the last look. */
  #mostFollowers(to: Machine, { looks, followedAt }: Reign, gaveWay: Machine): number {
    // Some may have come since the last look, before the two met; those of the other came after that.
    const brought = this.#reigns.get(gaveWay)?.looks.at(-1)?.perhaps ?? [];
    const counted = this.#farm.up().filter((one) => {
      if (one === gaveWay) return false;
      // Who has left by a bad way may be counted until that is heard.
      const at = followedAt.get(one) ?? Number.NEGATIVE_INFINITY;
      const isLate = this.#farm.timeline.now - at <= LATE_MS && !this.#talking.for(one, to, HEARD_MS);
      return isLate || (follows(one, to) && !brought.includes(one));
    });
    return Math.max(counted.length, ...looks.map(({ perhaps }) => perhaps.length));
  }

  #mayHaveYielded(machine: Machine): void {
    const reign = this.#reigns.get(machine);
    const to = this.#farm.of(machine.queries?.epoch?.peer ?? '');
    const other = to && this.#reigns.get(to);
    if (reign?.life !== machine.host.life || to === undefined || other === undefined) return;
    this.#farm.tally.outcome('coordinator yields');
    if (reign.looks.length < LOOKS) return;
    const had = Math.min(...reign.looks.map(({ sure }) => sure));
    const otherHad = this.#mostFollowers(to, other, machine);
    if (had > otherHad)
      throw new Violation(
        'the incumbent stays',
        `${machine.name}, whom ${had} followed, gives way to ${to.name}, whom ${otherHad} followed.`,
      );
  }
}

const follows = ({ queries }: Machine, coordinator: Machine): boolean =>
  queries?.isCoordinator === false && queries.epoch?.peer === coordinator.peer;
