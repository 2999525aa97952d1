import type { Message, PeerId } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import type { Deed } from '../people.ts';
import { Violation, type Checker, type Grant } from './checker.ts';
import { isHeld, nameOf, redoAsked } from './rules.ts';

/** A grant that was seen to leave its coordinator. */
export interface SeenGrant {
  readonly grant: Grant;
  readonly to: PeerId;
  /** Done results of the same task of which the coordinator knew. */
  readonly knew: ReadonlySet<string>;
  /** Whether it was sent or begun: what a crash came before was never granted. */
  isTold: boolean;
  /** Beacons in a row that did not list it. */
  missed: number;
  hasEnded: boolean;
}

/** Within this time of a word of its machine a lease of four seconds holds, however clocks differ. */
const SURE_MS = 2_500;

/**
 * Who is granted what (SPEC R50 to R52): only by the coordinator of the epoch, no two at once for one task, nothing
 * that is known to be done, and nothing to whom the farm has removed.
 */
export class Grants implements Checker {
  readonly #farm: SimFarm;
  readonly seen = new Map<string, SeenGrant>();
  /** The latest of each coordinator's reign, by task. */
  readonly #latest = new Map<string, SeenGrant>();
  /** When a machine was last heard by another. */
  readonly #heardAt = new Map<string, number>();
  readonly #removed = new Set<PeerId>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  deed(deed: Deed): void {
    if (deed.kind === 'remove') this.#removed.add(deed.machine.peer);
  }

  sent(machine: Machine, to: PeerId, message: Message): void {
    if (message.kind === 'grants') for (const { attempt } of message.grants) this.#told(nameOf(attempt));
    // That it is to stop is the last that it hears, and what goes to one without a connection reaches nobody.
    const isHeard = message.kind !== 'stop' && machine.life?.network.mesh?.reachable().includes(to) === true;
    if (isHeard && this.#removed.has(to) && knowsRemoval(machine, to))
      throw new Violation('removed members', `${machine.name} sends a ${message.kind} to one it removed.`);
  }

  decided(machine: Machine, effects: readonly CoreEffect[]): void {
    for (const effect of effects) {
      // The coordinator grants to its own worker without a message.
      if (effect.kind === 'run' && effect.grant.attempt.epoch.peer === machine.peer)
        this.#granted(machine, machine.peer, effect.grant);
      if (effect.kind === 'stop-attempt') this.#ended(nameOf(effect.attempt));
      if (effect.kind !== 'send') continue;
      const { to, message } = effect;
      if (message.kind === 'grants') for (const grant of message.grants) this.#granted(machine, to, grant);
      if (message.kind === 'stop') for (const attempt of message.attempts) this.#ended(nameOf(attempt));
    }
  }

  ran(machine: Machine, grant: Grant): void {
    this.#told(nameOf(grant.attempt));
    if (!this.seen.has(nameOf(grant.attempt)))
      throw new Violation('grants', `${machine.name} runs what nobody granted.`);
  }

  heard(machine: Machine, from: PeerId, message: Message): void {
    this.#heardAt.set(`${machine.peer} ${from}`, this.#farm.timeline.now);
    if (message.kind === 'result') this.#ended(nameOf(message.attempt));
    if (message.kind !== 'beacon') return;
    const listed = new Set(message.held.map(({ attempt }) => nameOf(attempt)));
    for (const name of listed) {
      const seen = this.seen.get(name);
      if (seen?.grant.attempt.epoch.peer !== machine.peer) continue;
      seen.missed = 0;
    }
    for (const seen of this.#latest.values()) {
      if (seen.to !== from || seen.grant.attempt.epoch.peer !== machine.peer) continue;
      if (!listed.has(nameOf(seen.grant.attempt))) seen.missed += 1;
    }
  }

  /** What the coordinator's own worker has ended needs no message. */
  ended(machine: Machine, attempt: string): void {
    if (this.seen.get(attempt)?.grant.attempt.epoch.peer === machine.peer) this.#ended(attempt);
  }

  /** A node that is started anew says by its claim that it holds nothing. */
  crashed({ peer }: Machine): void {
    for (const seen of this.#latest.values()) if (seen.to === peer) seen.hasEnded = true;
  }

  #told(name: string): void {
    const seen = this.seen.get(name);
    if (seen !== undefined) seen.isTold = true;
  }

  #ended(name: string): void {
    const seen = this.seen.get(name);
    if (seen !== undefined) seen.hasEnded = true;
  }

  #granted(machine: Machine, to: PeerId, grant: Grant): void {
    const name = nameOf(grant.attempt);
    if (this.seen.get(name)?.isTold === true) throw new Violation('attempts', `${name} is granted twice.`);
    const { epoch } = grant.attempt;
    if (epoch.peer !== machine.peer)
      throw new Violation('grants', `${machine.name} grants in the name of another.`);
    const task = `${grant.job}/${grant.task}`;
    const key = `${epoch.term} ${epoch.peer} ${task}`;
    this.#noTwo(key, grant, machine);
    const knew = this.#knownDone(machine, grant);
    const [done] = knew;
    if (done !== undefined && grant.substitute !== true)
      throw new Violation(
        'no needless work',
        `${machine.name} grants ${task}, which it knows as done by ${done}.`,
      );
    const seen: SeenGrant = {
      grant,
      to,
      knew,
      isTold: false,
      missed: 0,
      hasEnded: false,
    };
    this.seen.set(name, seen);
    this.#latest.set(key, seen);
  }

  #noTwo(key: string, grant: Grant, machine: Machine): void {
    const before = this.#latest.get(key);
    if (before === undefined || before.hasEnded || before.missed > 0) return;
    if (before.grant.redo !== grant.redo || before.grant.retry !== grant.retry) return;
    // A machine that was silent for so long may lose its lease before a beacon can renew it.
    const heardAt = this.#heardAt.get(`${machine.peer} ${before.to}`) ?? 0;
    if (before.to !== machine.peer && this.#farm.timeline.now - heardAt > SURE_MS) return;
    // Its end may be known by the record before it is told by a message.
    const task = machine.queries?.taskRecord(grant.job, grant.task);
    const first = nameOf(before.grant.attempt);
    if (task?.failures[first] !== undefined || task?.results[first] !== undefined) return;
    const names = `${nameOf(before.grant.attempt)} and ${nameOf(grant.attempt)}`;
    throw new Violation('no two at once', `${machine.name} grants one task twice: ${names}.`);
  }

  #knownDone(machine: Machine, grant: Grant): Set<string> {
    const task = machine.queries?.taskRecord(grant.job, grant.task);
    const job = machine.queries?.jobRecord(grant.job);
    if (task === undefined || job === undefined || task.redo < redoAsked(job, grant.task)) return new Set();
    const done = Object.values(task.results).filter((result) => result.state === 'done' && isHeld(result));
    return new Set(done.map(({ attempt }) => nameOf(attempt)));
  }
}

function knowsRemoval(machine: Machine, peer: PeerId): boolean {
  const record = machine.queries?.memberRecords().find((member) => member.peer === peer);
  return Object.keys(record?.removals ?? {}).length > 0;
}
