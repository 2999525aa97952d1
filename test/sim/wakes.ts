import { type AimedInit, delayBetween } from './aimed.ts';
import type { Dice } from './dice.ts';
import type { Machine } from './machine.ts';

/** From one to the next: a farm of which somebody leads again, and members follow and work. */
const EVERY_MS = 4_500;
/**
 * Less is no sleep to a clock (2.5 s); and after more the machines that sleep are given up, and none of them follows
 * the coordinator that ends.
 */
const SLEEP_MIN_MS = 2_600;
const SLEEP_MAX_MS = 2_900;
/** A sleep shows within a second of the wake: the coordinator ends before that. */
const SHOWS_MS = 1_000;
/** One way to a machine that is far off: its answer comes after others have, and maybe within the wait for answers. */
const FAR_MIN_MS = 60;
const FAR_MAX_MS = 250;
/** A process that ended is started again after so long. */
const AGAIN_MS = 1_500;

/**
 * One after another of these: most machines run on a host that pauses, one is far off, and the coordinator's process
 * ends a moment after the host has gone on. So a machine comes to lead whose sleep shows while it waits for answers.
 */
export class Wakes {
  readonly #init: AimedInit;
  readonly #dice: Dice;

  constructor(init: AimedInit) {
    this.#init = init;
    this.#dice = init.farm.dice.fork('wakes');
  }

  /** Nothing in farms whose profile doesn't ask for it. */
  begin(): void {
    const { farm } = this.#init;
    if (farm.profile.wakesToLead !== true) return;
    farm.timeline.after(EVERY_MS * this.#dice.between(0.7, 1.3), () => {
      if (farm.isHealed) return;
      this.#once();
      this.begin();
    });
  }

  #once(): void {
    const { farm, log, note, lasting } = this.#init;
    const leader = farm.leader();
    const others = farm.up().filter((one) => one !== leader && !one.host.isStalled);
    const [far, ...sleepers] = this.#dice.shuffled(others);
    if (leader === undefined || far === undefined || sleepers.length === 0) return;
    note('host pauses', { far: far.name, of: sleepers.map(({ name }) => name) });
    const sleepMs = this.#dice.between(SLEEP_MIN_MS, SLEEP_MAX_MS);
    this.#keepFar(far, sleepers, sleepMs + 2 * SHOWS_MS);
    for (const machine of sleepers) {
      log.add('suspend', farm.timeline.now);
      machine.suspend();
      lasting(sleepMs, () => machine.resume());
    }
    farm.timeline.after(sleepMs + this.#dice.between(0, SHOWS_MS), () => {
      if (farm.isHealed || !leader.isUp) return;
      log.add('killed', farm.timeline.now);
      leader.crash('killed');
      lasting(AGAIN_MS, () => leader.start());
    });
  }

  #keepFar(far: Machine, others: readonly Machine[], ms: number): void {
    const { wire } = this.#init.farm;
    const delayMs = this.#dice.between(FAR_MIN_MS, FAR_MAX_MS);
    this.#init.lasting(ms, delayBetween(wire, far, { others, delayMs }));
  }
}
