import type { Holders, PeerId, TaskRecord, TaskResult } from '@cuadro/protocol';
import type { CoreEffect, CoreInput } from '../../../node/src/core/interface.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { knowsThatItIsOut, taskOn } from '../on-disk.ts';
import { Violation, type Checker, type Grant } from './checker.ts';
import { nameOf, redoAsked } from './rules.ts';

/** A result as a node was told of it: for which redo, and the latest word of each holder. */
interface Told {
  readonly redo: number;
  readonly holders: Map<PeerId, Holders[string]>;
}

/** What a node was told in one life of its process. */
interface Knowledge {
  readonly life: number;
  /** By task, then attempt. */
  readonly results: Map<string, Map<string, Told>>;
  /** Members to which it was told that it has a connection. */
  readonly connected: Set<PeerId>;
}

/** What one machine alone held is made again after so long out of reach; what two held, after so long (SPEC R59). */
const ALONE_MS = 60_000;
const TWO_MS = 600_000;
/** Clocks are wrong by two in a hundred. */
const CLOCKS = 0.97;

/**
 * Duplicates only where explained: what a node was told to be rendered it neither grants nor begins again, while any
 * holder of it is left and nobody asked for a redo; as a substitute only while no holder is within reach, and after the
 * time that this takes (SPEC R38, R53, R59, R113). A coordinator that was not told (cut off, older, or of another farm)
 * may, and so may one while an attempt is on its way: of two at once `Grants` is the judge.
 *
 * What a node was told is taken from what goes into its brain and from its disk, and never asked of the brain: one that
 * drops what it heard would answer that it had not.
 */
export class Needless implements Checker {
  readonly #farm: SimFarm;
  readonly #knowledge = new Map<Machine, Knowledge>();
  /** By a node and a member: when the last connection ended of which it was told. */
  readonly #endedAt = new Map<string, number>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  crashed(machine: Machine): void {
    for (const peer of this.#knowledge.get(machine)?.connected ?? []) this.#ended(machine, peer);
    this.#knowledge.delete(machine);
  }

  decided(machine: Machine, effects: readonly CoreEffect[], input: CoreInput): void {
    this.#take(machine, input);
    for (const effect of effects) {
      // What it makes itself, or withdraws of a machine that is out, it knows as well.
      if (effect.kind === 'persist')
        for (const record of effect.records) if (record.kind === 'task') this.#tell(machine, record);
    }
    for (const effect of effects) {
      if (effect.kind === 'run') this.#judge(machine, effect.grant, 'begins');
      if (effect.kind !== 'send' || effect.message.kind !== 'grants') continue;
      for (const grant of effect.message.grants) this.#judge(machine, grant, 'grants');
    }
  }

  #of(machine: Machine): Knowledge {
    const { life } = machine.host;
    const known = this.#knowledge.get(machine);
    if (known?.life === life) return known;
    const knowledge = { life, results: new Map(), connected: new Set<PeerId>() };
    this.#knowledge.set(machine, knowledge);
    return knowledge;
  }

  #take(machine: Machine, input: CoreInput): void {
    if (input.kind === 'records')
      for (const record of input.records) if (record.kind === 'task') this.#tell(machine, record);
    if (input.kind === 'message' && input.message.kind === 'result') this.#hear(machine, input.message);
    if (input.kind !== 'peer') return;
    const { connected } = this.#of(machine);
    if (input.state === 'reachable') connected.add(input.peer);
    else if (connected.delete(input.peer)) this.#ended(machine, input.peer);
  }

  #ended(machine: Machine, peer: PeerId): void {
    this.#endedAt.set(`${machine.peer} ${peer}`, this.#farm.timeline.now);
  }

  /** A result by message is used if it is of the task's level, and no film of what was discarded meanwhile (SPEC R39, R53). */
  #hear(
    machine: Machine,
    {
      job,
      task,
      redo,
      outcome,
    }: Extract<Extract<CoreInput, { kind: 'message' }>['message'], { kind: 'result' }>,
  ): void {
    const record = machine.queries?.jobRecord(job);
    if (outcome.kind !== 'result' || outcome.result.inputRedo !== undefined || record === undefined) return;
    const levels = [...this.#ofTask(machine, job, task).values()].map((told) => told.redo);
    if (Math.max(redoAsked(record, task), ...levels) !== redo) return;
    this.#note(this.#ofTask(machine, job, task), outcome.result, redo);
  }

  #tell(machine: Machine, { job, index, redo, results }: TaskRecord): void {
    const known = this.#ofTask(machine, job, index);
    for (const result of Object.values(results)) this.#note(known, result, redo);
  }

  #ofTask(machine: Machine, job: string, index: number): Map<string, Told> {
    const { results } = this.#of(machine);
    const known = results.get(`${job}/${index}`);
    if (known !== undefined) return known;
    const told = new Map<string, Told>();
    results.set(`${job}/${index}`, told);
    const written = taskOn(machine, job, index);
    for (const result of Object.values(written?.results ?? {})) this.#note(told, result, written?.redo ?? 0);
    return told;
  }

  /** The higher counter is a holder's latest word, and of two under one counter `held` wins (SPEC R24). */
  #note(known: Map<string, Told>, result: TaskResult, redo: number): void {
    const name = nameOf(result.attempt);
    const told = known.get(name) ?? { redo, holders: new Map<PeerId, Holders[string]>() };
    known.set(name, told);
    for (const [peer, entry] of Object.entries(result.holders)) {
      const before = told.holders.get(peer);
      const isNewer = before === undefined || entry.counter > before.counter;
      if (isNewer || (entry.counter === before.counter && entry.held)) told.holders.set(peer, entry);
    }
  }

  #judge(machine: Machine, grant: Grant, does: 'grants' | 'begins'): void {
    const { job, task, redo } = grant;
    const results = [...this.#ofTask(machine, job, task)].flatMap(([attempt, told]) => {
      const holders = told.redo < redo ? [] : this.#holders(machine, told);
      return holders.length === 0 ? [] : [{ attempt, holders }];
    });
    const [first] = results;
    if (first === undefined) return;
    const what = `${machine.name} ${does} ${job}/${task} at redo ${redo} as ${nameOf(grant.attempt)}`;
    if (grant.substitute !== true)
      throw new Violation(
        'duplicates explained',
        `${what}, although it was told that ${this.#nameOf(first.holders[0])} holds the result of ${first.attempt}.`,
      );
    // Whether anything stands in is the coordinator's to say: its worker may reach a holder that it doesn't.
    if (does === 'begins' && grant.attempt.epoch.peer !== machine.peer) return;
    const holders = new Set(results.flatMap((result) => result.holders));
    const neededMs = CLOCKS * (results.some((result) => result.holders.length > 1) ? TWO_MS : ALONE_MS);
    for (const holder of holders) {
      const ms = this.#awayMs(machine, holder);
      if (ms >= neededMs) continue;
      throw new Violation(
        'duplicates explained',
        `${what} as a substitute, although ${this.#nameOf(holder)}, which holds it, was within its reach ${Math.round(ms)} ms ago.`,
      );
    }
  }

  /** Who says that it holds it, and was not removed as far as this machine was told. */
  #holders(machine: Machine, { holders }: Told): PeerId[] {
    return [...holders].flatMap(([peer, { held }]) => (held && !this.#isOut(machine, peer) ? [peer] : []));
  }

  #isOut(machine: Machine, peer: PeerId): boolean {
    const record = machine.queries?.memberRecords().find((member) => member.peer === peer);
    if (record !== undefined && Object.keys(record.removals).length > 0) return true;
    const other = this.#farm.of(peer);
    return other !== undefined && knowsThatItIsOut(machine, other);
  }

  /** How long at least a machine was out of another one's reach: since their last connection. */
  #awayMs(machine: Machine, peer: PeerId): number {
    if (peer === machine.peer || this.#of(machine).connected.has(peer)) return 0;
    const { now } = this.#farm.timeline;
    return now - (this.#endedAt.get(`${machine.peer} ${peer}`) ?? Number.NEGATIVE_INFINITY);
  }

  #nameOf(peer: PeerId | undefined): string {
    return this.#farm.machines.find((machine) => machine.peer === peer)?.name ?? `${peer}`;
  }
}
