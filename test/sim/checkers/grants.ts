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
  readonly at: number;
  /** Done results of the same task of which the coordinator knew. */
  readonly knew: ReadonlySet<string>;
  /** Whether it was sent or begun: what a crash came before was never granted. */
  isTold: boolean;
  /** Beacons in a row that did not list it, and when the last of these came. */
  missed: number;
  missedAt: number;
  hasEnded: boolean;
}

/** What a machine told a coordinator that it holds. */
interface Said {
  readonly from: PeerId;
  readonly attempt: string;
  readonly redo: number;
  readonly retry: number;
  readonly at: number;
}

/** A grant that so many beacons leave out is free again; these come at least so far apart, in milliseconds. */
const MISSED_MAX = 2;
const APART_MS = 400;

/** Of beacons that are overtaken the sequence is lower by no more than this: by more, and they count anew (SPEC R117). */
const OVERTAKEN_MAX = 16;

/** Failed attempts, and such with which a machine vanished, after which a task is tried no more at its level (SPEC R54). */
const FAILED_MAX = 3;
const LOST_MAX = 5;

/** Within this time of a word of its machine a lease holds, however clocks differ: one that refused a redial loses it after 2 s. */
const SURE_MS = 1_900;

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
  /** By coordinator and task: what some machine said that it runs of it. */
  readonly #said = new Map<string, Said>();
  /** The latest beacon that a machine heard of another, on whatever way. */
  readonly #latestOf = new Map<string, number>();
  readonly #removed = new Set<PeerId>();
  /** Messages to a machine of whose removal the sender knew when it decided on them. */
  readonly #toRemoved = new WeakSet<Message>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  deed(deed: Deed): void {
    if (deed.kind === 'remove' || deed.kind === 'left') this.#removed.add(deed.machine.peer);
  }

  sent(machine: Machine, to: PeerId, message: Message): void {
    if (message.kind === 'grants') for (const { attempt } of message.grants) this.#told(nameOf(attempt));
    // What goes to one without a connection reaches nobody.
    const isHeard = machine.life?.network.mesh?.reachable().includes(to) === true;
    if (isHeard && this.#removed.has(to) && this.#toRemoved.has(message))
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
      // That it is to stop is the last that it hears. What waits for a write may have been decided before.
      if (message.kind !== 'stop' && this.#removed.has(to) && knowsRemoval(machine, to))
        this.#toRemoved.add(message);
      if (message.kind === 'grants') for (const grant of message.grants) this.#granted(machine, to, grant);
      if (message.kind === 'stop') for (const attempt of message.attempts) this.#ended(nameOf(attempt));
    }
  }

  ran(machine: Machine, grant: Grant): void {
    this.#told(nameOf(grant.attempt));
    if (!this.seen.has(nameOf(grant.attempt)))
      throw new Violation('grants', `${machine.name} runs what nobody granted.`);
  }

  heard(machine: Machine, from: PeerId, message: Message, isGossip: boolean): void {
    const { now } = this.#farm.timeline;
    // Of what comes by way of others only beacons renew leases (SPEC R104): a pulse may have been said long before.
    if (!isGossip || message.kind === 'beacon') this.#hearWord(machine, from);
    if (message.kind === 'result') this.#hearResult(machine, message);
    if (message.kind !== 'beacon') return;
    const listed = new Set(message.held.map(({ attempt }) => nameOf(attempt)));
    for (const name of listed) {
      const seen = this.seen.get(name);
      if (seen?.grant.attempt.epoch.peer !== machine.peer) continue;
      seen.missed = 0;
    }
    for (const seen of this.#latest.values()) {
      if (seen.to !== from || seen.grant.attempt.epoch.peer !== machine.peer) continue;
      // Those that were held up and come together count as one (SPEC R52).
      if (listed.has(nameOf(seen.grant.attempt)) || now - seen.missedAt < APART_MS) continue;
      seen.missed += 1;
      seen.missedAt = now;
    }
    // One that came by way of others counts only where there is no connection (SPEC R104).
    const isOvertaken = this.#isOvertaken(machine, from, message);
    if (!isGossip && !isOvertaken) this.#hearHeld(machine, from, message);
  }

  /** Whether a later beacon came before: then it renews nothing, whatever it lists (SPEC R117). */
  #isOvertaken(machine: Machine, from: PeerId, { sequence }: Extract<Message, { kind: 'beacon' }>): boolean {
    if (sequence === undefined) return false;
    const key = `${machine.peer} ${from}`;
    const latest = this.#latestOf.get(key) ?? Number.NEGATIVE_INFINITY;
    const isOvertaken = sequence <= latest && latest - sequence <= OVERTAKEN_MAX;
    if (!isOvertaken) this.#latestOf.set(key, sequence);
    return isOvertaken;
  }

  /** When a machine heard the latest word of another that renews leases; undefined before the first. */
  wordAt(machine: Machine, from: PeerId): number | undefined {
    return this.#heardAt.get(`${machine.peer} ${from}`);
  }

  #hearWord(machine: Machine, from: PeerId): void {
    const { now } = this.#farm.timeline;
    const before = this.#heardAt.get(`${machine.peer} ${from}`) ?? 0;
    this.#heardAt.set(`${machine.peer} ${from}`, now);
    if (now - before <= SURE_MS) return;
    // Its leases may have ended meanwhile.
    for (const seen of this.#latest.values())
      if (seen.to === from && seen.grant.attempt.epoch.peer === machine.peer) seen.hasEnded = true;
  }

  #hearResult(machine: Machine, { attempt, outcome }: Extract<Message, { kind: 'result' }>): void {
    const seen = this.seen.get(nameOf(attempt));
    // The result of an attempt whose task was granted to another meanwhile still is one (SPEC R53).
    if (outcome.kind === 'result' && seen !== undefined && machine.queries?.isCoordinator === true) {
      const { job, task } = seen.grant;
      const { epoch } = machine.queries;
      const latest = this.#latest.get(`${epoch?.term} ${epoch?.peer} ${job}/${task}`);
      if (latest !== undefined && latest !== seen) this.#farm.tally.outcome('late result');
    }
    this.#ended(nameOf(attempt));
  }

  /** Whoever leads, or comes to lead, knows from now on what this machine runs, whoever granted it. */
  #hearHeld(machine: Machine, from: PeerId, { held }: Extract<Message, { kind: 'beacon' }>): void {
    for (const [key, said] of this.#said)
      if (said.from === from && key.startsWith(machine.peer)) this.#said.delete(key);
    if (machine.queries?.isCoordinator !== true) return;
    for (const { attempt, job, task, redo, retry, substitute } of held) {
      // Of a job that it doesn't know yet it can't note anything.
      if (substitute === true || machine.queries.taskState(job, task) === undefined) continue;
      const key = `${machine.peer} ${job}/${task}`;
      const said = { from, attempt: nameOf(attempt), redo, retry, at: this.#farm.timeline.now };
      if (!this.#said.has(key)) this.#said.set(key, said);
    }
  }

  /** What the coordinator's own worker has ended needs no message. */
  ended(machine: Machine, attempt: string): void {
    if (this.seen.get(attempt)?.grant.attempt.epoch.peer === machine.peer) this.#ended(attempt);
  }

  /** A node that is started anew says by its claim that it holds nothing. */
  crashed({ peer }: Machine): void {
    for (const seen of this.#latest.values()) if (seen.to === peer) seen.hasEnded = true;
    for (const [key, { from }] of this.#said)
      if (from === peer || key.startsWith(peer)) this.#said.delete(key);
    for (const key of this.#latestOf.keys()) if (key.includes(peer)) this.#latestOf.delete(key);
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
    if (grant.substitute !== true) {
      this.#notElsewhere(machine, grant);
      this.#notTriedOn(machine, grant);
    }
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
      at: this.#farm.timeline.now,
      knew,
      isTold: false,
      missed: 0,
      missedAt: 0,
      hasEnded: false,
    };
    this.seen.set(name, seen);
    this.#latest.set(key, seen);
  }

  #noTwo(key: string, grant: Grant, machine: Machine): void {
    const before = this.#latest.get(key);
    if (before === undefined || before.hasEnded || before.missed >= MISSED_MAX) return;
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

  /** What another machine said that it runs is not granted once more while that is fresh, whoever granted it (SPEC R43). */
  #notElsewhere(machine: Machine, { job, task, redo, retry, attempt }: Grant): void {
    const said = this.#said.get(`${machine.peer} ${job}/${task}`);
    if (said === undefined || said.redo !== redo || said.retry !== retry) return;
    if (this.#farm.timeline.now - said.at > SURE_MS || this.seen.get(said.attempt)?.hasEnded === true) return;
    const record = machine.queries?.taskRecord(job, task);
    if (record?.failures[said.attempt] !== undefined || record?.results[said.attempt] !== undefined) return;
    throw new Violation(
      'no two at once',
      `${machine.name} grants ${job}/${task} as ${nameOf(attempt)}, although ${this.#farm.of(said.from)?.name} told that it runs ${said.attempt}.`,
    );
  }

  /** Three failures are enough, and a machine that vanished five times with it, too (SPEC R54). */
  #notTriedOn(machine: Machine, { job, task, redo, retry }: Grant): void {
    const record = machine.queries?.taskRecord(job, task);
    if (record?.redo !== redo || record.retry !== retry) return;
    const failures = Object.values(record.failures);
    const failed = failures.filter(({ cause }) => cause === 'failed').length;
    const lost = failures.filter(({ cause }) => cause === 'lost').length;
    if (failed >= FAILED_MAX || lost >= LOST_MAX)
      throw new Violation(
        'tried on',
        `${machine.name} grants ${job}/${task}, which failed ${failed} times and was lost ${lost} times.`,
      );
  }

  #knownDone(machine: Machine, grant: Grant): Set<string> {
    const task = machine.queries?.taskRecord(grant.job, grant.task);
    const job = machine.queries?.jobRecord(grant.job);
    if (task === undefined || job === undefined || task.redo < redoAsked(job, grant.task)) return new Set();
    const done = Object.values(task.results).filter((result) => result.state === 'done' && isHeld(result));
    return new Set(done.map(({ attempt }) => nameOf(attempt)));
  }
}

/** Whether a machine's node has heard that another was removed, or has left; its disk may have still to answer. */
export function knowsRemoval(machine: Machine, peer: PeerId): boolean {
  const record = machine.queries?.memberRecords().find((member) => member.peer === peer);
  return Object.keys(record?.removals ?? {}).length > 0;
}

/**
 * Whether a machine may take another for one that is out. Its brain's word alone is not enough, there must be a
 * removal; nor is that alone, as a removal may have no effect (SPEC R65).
 */
export const isOut = (machine: Machine, peer: PeerId): boolean =>
  machine.queries?.removed().has(peer) === true && knowsRemoval(machine, peer);
