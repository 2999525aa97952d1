import type { Message, PeerId } from '@cuadro/protocol';
import type { Changes, CoreEffect, CoreInput } from '../../../node/src/core/interface.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import type { Deed } from '../people.ts';
import type { Checker, Grant } from './checker.ts';
import { Accusations } from './accusations.ts';
import { Asking } from './asking.ts';
import { Converging } from './converging.ts';
import { Departed } from './departed.ts';
import { Discards } from './discards.ts';
import { Ending } from './ending.ts';
import { Grants } from './grants.ts';
import { Kept } from './kept.ts';
import { Led } from './led.ts';
import { Logs } from './logs.ts';
import { Members } from './members.ts';
import { Needless } from './needless.ts';
import { Obedience } from './obedience.ts';
import { Outcomes } from './outcomes.ts';
import { Reigns } from './reigns.ts';
import { ShownFrames } from './shown.ts';
import { Talking } from './talking.ts';

/** All of them; none shares code with what it judges. */
export class Checkers implements Required<Checker> {
  #checkers: Checker[] = [];
  #farm: SimFarm | undefined;
  #kept: Kept | undefined;
  #talking: Talking | undefined;

  /** Done frames that were seen. */
  get results(): number {
    return this.#kept?.count ?? 0;
  }

  begin(farm: SimFarm): void {
    this.#farm = farm;
    const grants = new Grants(farm);
    this.#talking = new Talking(farm);
    this.#kept = new Kept(farm, this.#talking);
    this.#checkers = [
      new Ending(farm),
      new Obedience(),
      grants,
      new Needless(farm),
      this.#kept,
      new ShownFrames(grants),
      new Discards(farm),
      new Outcomes(farm),
      new Members(farm),
      new Departed(farm),
      new Logs(farm),
      new Led(farm),
      new Asking(farm),
      new Accusations(farm, grants),
      new Converging(farm, this.#talking),
      new Reigns(farm, this.#talking),
    ];
  }

  /** Whether everything that was accepted is on two disks: then a further one may be lost. */
  isSafe(): boolean {
    return this.#kept?.isSafe() === true;
  }

  /** Whether a file may rot there, so that what was accepted is whole on another disk. */
  staysWhole(hash: string, at: Machine): boolean {
    return this.#kept?.staysWhole(hash, at) === true;
  }

  #ask(question: (checker: Checker) => void): void {
    try {
      for (const checker of this.#checkers) question(checker);
    } catch (error) {
      this.#farm?.timeline.fail(error);
    }
  }

  deed(deed: Deed): void {
    this.#ask((checker) => checker.deed?.(deed));
  }

  decided(machine: Machine, effects: readonly CoreEffect[], input: CoreInput): void {
    this.#ask((checker) => checker.decided?.(machine, effects, input));
  }

  sent(machine: Machine, to: PeerId, message: Message): void {
    this.#ask((checker) => checker.sent?.(machine, to, message));
  }

  heard(machine: Machine, from: PeerId, message: Message, isGossip: boolean): void {
    this.#ask((checker) => checker.heard?.(machine, from, message, isGossip));
  }

  ran(machine: Machine, grant: Grant): void {
    this.#ask((checker) => checker.ran?.(machine, grant));
  }

  ended(machine: Machine, attempt: string): void {
    this.#ask((checker) => checker.ended?.(machine, attempt));
  }

  crashed(machine: Machine): void {
    this.#ask((checker) => checker.crashed?.(machine));
  }

  changed(machine: Machine, changes: Changes): void {
    this.#ask((checker) => checker.changed?.(machine, changes));
  }

  look(): void {
    this.#talking?.look();
    this.#ask((checker) => checker.look?.());
  }

  settled(): void {
    for (const checker of this.#checkers) checker.settled?.();
  }

  end(isAtRest: boolean, boundMs: number): void {
    for (const checker of this.#checkers) checker.end?.(isAtRest, boundMs);
  }
}
