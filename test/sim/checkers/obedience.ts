import type { Message, PeerId } from '@cuadro/protocol';
import type { Machine } from '../machine.ts';
import { Violation, type Checker, type Grant } from './checker.ts';
import { nameOf, newerEpoch } from './rules.ts';

type Epoch = Grant['attempt']['epoch'];

/** A worker never obeys an older coordinator than it has obeyed (SPEC R40); what it took in time it may begin later. */
export class Obedience implements Checker {
  readonly #obeyed = new Map<Machine, { life: number; epoch: Epoch }>();
  /** Grants that came from a coordinator that was outdated already. */
  readonly #outdated = new Map<string, number>();

  heard(machine: Machine, _from: PeerId, message: Message): void {
    if (message.kind !== 'grants') return;
    const newest = this.#newest(machine);
    if (newest === undefined || newerEpoch(newest, message.epoch) <= 0) return;
    for (const { attempt } of message.grants) this.#outdated.set(nameOf(attempt), newest.term);
  }

  ran(machine: Machine, { attempt }: Grant): void {
    const newer = this.#outdated.get(nameOf(attempt));
    if (newer !== undefined) {
      const terms = `${attempt.epoch.term}, sent after it had obeyed term ${newer}`;
      throw new Violation('no older epoch', `${machine.name} obeys a grant of term ${terms}.`);
    }
    const newest = this.#newest(machine);
    if (newest === undefined || newerEpoch(attempt.epoch, newest) > 0)
      this.#obeyed.set(machine, { life: machine.host.life, epoch: attempt.epoch });
  }

  /** Of those whose orders it took, or whom it follows. */
  #newest(machine: Machine): Epoch | undefined {
    const obeyed = this.#obeyed.get(machine);
    const mine = obeyed?.life === machine.host.life ? obeyed.epoch : undefined;
    const followed = machine.queries?.epoch;
    if (mine === undefined || followed === undefined) return mine ?? followed;
    return newerEpoch(mine, followed) > 0 ? mine : followed;
  }
}
