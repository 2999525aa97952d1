import type { Message, PeerId } from '@cuadro/protocol';
import type { Changes, CoreEffect, CoreInput } from '../../../node/src/core/interface.ts';
import type { Machine } from '../machine.ts';
import type { Deed } from '../people.ts';

export type Grant = Extract<Message, { kind: 'grants' }>['grants'][number];

/** A promise that was broken, and how. */
export class Violation extends Error {
  readonly rule: string;
  constructor(rule: string, sentence: string) {
    super(sentence);
    this.rule = rule;
  }
}

/** One that judges the farm from outside; what it doesn't look at it leaves out. */
export interface Checker {
  deed?(deed: Deed): void;
  /** What a brain decided on what it was given, before any of it happens. */
  decided?(machine: Machine, effects: readonly CoreEffect[], input: CoreInput): void;
  sent?(machine: Machine, to: PeerId, message: Message): void;
  heard?(machine: Machine, from: PeerId, message: Message, isGossip: boolean): void;
  ran?(machine: Machine, grant: Grant): void;
  /** An attempt ended at its worker. */
  ended?(machine: Machine, attempt: string): void;
  /** A process is gone, and with it all that it ran. */
  crashed?(machine: Machine): void;
  changed?(machine: Machine, changes: Changes): void;
  /** Twice a second. */
  look?(): void;
  /** Some while after all was healed. */
  settled?(): void;
  /** All work has ended, or the time for it is over. */
  end?(isAtRest: boolean, boundMs: number): void;
}
