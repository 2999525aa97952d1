import type { Checkers } from './checkers/checkers.ts';
import type { Dice } from './dice.ts';
import type { SimFarm } from './farm.ts';
import type { FaultLog } from './fault-log.ts';
import type { Leavers } from './leavers.ts';
import type { Machine } from './machine.ts';
import { contentOf, isGood, jobOn, jobsOn } from './on-disk.ts';
import type { People } from './people.ts';

export interface FatesComponents {
  readonly farm: SimFarm;
  readonly dice: Dice;
  readonly log: FaultLog;
  /** What may be lost by now: the promise is of one disk at a time. */
  readonly safety: Pick<Checkers, 'isSafe'>;
}

/** How long who may not be lost yet is spared before it is looked again. */
const SPARE_AGAIN_MS = 1_000;

/** What becomes of single machines in a run, once each, where its profile says so. */
export class Fates {
  readonly #farm: SimFarm;
  readonly #dice: Dice;
  readonly #log: FaultLog;
  readonly #safety: Pick<Checkers, 'isSafe'>;
  /** Whether somebody began to remove a machine that was not lost before. */
  #isRemoving = false;

  constructor({ farm, dice, log, safety }: FatesComponents) {
    this.#farm = farm;
    this.#dice = dice;
    this.#log = log;
    this.#safety = safety;
  }

  plan(people: People, leavers: Leavers): void {
    const { profile, timeline } = this.#farm;
    const once = (act: () => void, dice = this.#dice): void => {
      timeline.after(profile.faultyMs * dice.between(0.2, 0.9), act);
    };
    if (profile.destroys) once(() => this.#whenSpare(() => this.#destroy(people)));
    if (profile.removes) once(() => this.#whenSpare(() => this.#remove(people)));
    if (profile.joins)
      once(() => {
        this.#log.add('member joined', timeline.now);
        this.#farm.newMachine().start();
        people.openDoor();
      });
    const dice = this.#farm.dice.fork('leavers');
    for (let i = 0; i < profile.leaves; i++) once(() => leavers.begin(), dice);
  }

  /**
   * One machine may be lost at any moment, however that comes about: destroyed, removed with all that it has, or switched
   * off for good. A further one may only once everything is on two disks again, so it waits until then.
   */
  #whenSpare(lose: () => void): void {
    const { timeline } = this.#farm;
    if (this.#farm.isHealed) return;
    if (this.#isSpare()) lose();
    else timeline.after(SPARE_AGAIN_MS, () => this.#whenSpare(lose));
  }

  /** One that has left in order counts as lost: where nobody took a second copy, it has left one behind (SPEC R162). */
  #isSpare(isLost: (machine: Machine) => boolean = ({ isGone, isRemoved }) => isGone || isRemoved): boolean {
    if (!this.#isRemoving && !this.#farm.machines.some(isLost)) return true;
    return this.#left().length > 1 && this.#safety.isSafe();
  }

  #left(): Machine[] {
    return this.#farm.machines.filter(({ isGone, isRemoved }) => !isGone && !isRemoved);
  }

  #remove(people: People): void {
    this.#log.add('member removed', this.#farm.timeline.now);
    // It may have come about before anybody is told so.
    this.#isRemoving = true;
    people.remove(this.#machine());
  }

  #destroy(people: People): void {
    const { timeline } = this.#farm;
    const machine = this.#machine();
    this.#farm.note(undefined, 'fault', { what: 'destroy', more: { machine: machine.name } });
    this.#log.add(this.#farm.lostDisks === 0 ? 'disk destroyed' : 'further disk destroyed', timeline.now);
    machine.destroy();
    this.#farm.lostDisks += 1;
    timeline.after(this.#dice.between(1_000, 10_000), () => people.remove(machine));
    if (this.#left().length < 3) return;
    timeline.after(SPARE_AGAIN_MS, () => this.#whenSpare(() => this.#destroy(people)));
  }

  /** Somebody goes home and takes a machine along, of which nobody else's work needs what it alone has. */
  switchOff(): void {
    const { machines, timeline } = this.#farm;
    // Whoever is off has what it alone holds after that others left, and comes back with it: that is waited for.
    if (!this.#isSpare(({ isGone, isRemoved, hasLeft }) => (isGone || isRemoved) && !hasLeft)) return;
    const candidates = this.#dice.shuffled(this.#left());
    const machine = candidates.find((one) => {
      const others = machines.filter((other) => other !== one && !other.isGone && !other.isRemoved);
      // A job that was deleted there is one for those who have not heard that yet.
      const jobs = [one, ...others].flatMap(jobsOn).filter(({ id }) => jobOn(one, id) !== undefined);
      // Of a job whose files others have, for one of their own, they may know nothing.
      return jobs.every(
        (job) =>
          others.some((other) => jobOn(other, job.id) !== undefined) &&
          contentOf(job, machines).every((hash) => others.some((other) => isGood(other, hash))),
      );
    });
    if (machine === undefined) return;
    this.#log.add('left switched off', timeline.now);
    this.#farm.note(undefined, 'fault', { what: 'switched off', more: { machine: machine.name } });
    machine.crash('power');
    machine.isOff = true;
  }

  #machine(): Machine {
    return this.#dice.pick(this.#farm.machines.filter(({ isGone }) => !isGone));
  }
}
