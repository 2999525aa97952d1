import type { JobRecord, TaskRecord } from '@cuadro/protocol';
import type { Changes } from '../../../node/src/core/interface.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { taskOn } from '../on-disk.ts';
import type { Deed } from '../people.ts';
import { Violation, type Checker } from './checker.ts';
import { Dependents } from './plans.ts';
import { counting, nameOf } from './rules.ts';

type Request = JobRecord['requests'][string];

/** What somebody named when he asked for tasks to be rendered again. */
interface Asked {
  readonly author: string;
  readonly named: ReadonlySet<number>;
}

/** What a machine has of a task. */
interface Held {
  readonly job: string;
  readonly index: number;
  readonly redo: number;
  readonly attempts: ReadonlySet<string>;
}

/**
 * A person's requeue never discards a result that it didn't name (SPEC R33): each discard in the records must be of
 * somebody who asked for just these tasks, or for what they are made from; a task's level rises by that alone; and
 * nothing else takes a result out of a record that holds it.
 */
export class Discards implements Checker {
  readonly #farm: SimFarm;
  readonly #plans = new Map<string, Dependents>();
  readonly #asked = new Map<string, Asked[]>();
  readonly #judged = new Set<string>();
  /** The highest level that anybody asked for, by task. */
  readonly #levels = new Map<string, number>();
  /** Results that a machine had, by machine and task, at the redo level of then. */
  readonly #results = new Map<string, Map<string, Held>>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  deed(deed: Deed): void {
    if (deed.kind === 'submitted') this.#plans.set(deed.job, new Dependents(deed.plan));
    if (deed.kind !== 'requeue') return;
    const asked = this.#asked.get(deed.job) ?? [];
    asked.push({ author: deed.at.peer, named: this.#namedBy(deed) });
    this.#asked.set(deed.job, asked);
  }

  /** Whoever asks for the failed ones names none that has a result. */
  #namedBy({ at, job, tasks }: Extract<Deed, { kind: 'requeue' }>): Set<number> {
    if (typeof tasks !== 'string') return new Set(tasks.map((task) => Number(task.slice(1))));
    const all = [...Array(this.#plans.get(job)?.count ?? 0).keys()];
    if (tasks === 'all') return new Set(all);
    const record = at.queries?.jobRecord(job);
    return new Set(
      all.filter((index) => {
        const task = at.queries?.taskRecord(job, index);
        return record === undefined || task === undefined || counting(task, record) === undefined;
      }),
    );
  }

  changed(machine: Machine, { jobs, tasks }: Changes): void {
    // The brain is ahead of what it tells by the write that is under way: tasks may be raised by a request still to be told.
    for (const id of new Set([...jobs, ...tasks.map(({ job }) => job)])) {
      const requests = machine.queries?.jobRecord(id)?.requests ?? {};
      for (const [key, request] of Object.entries(requests)) this.#judge(id, key, request);
    }
    for (const { job, indices } of tasks) for (const index of indices) this.#look(machine, job, index);
  }

  #judge(job: string, key: string, request: Request): void {
    if (this.#judged.has(`${job} ${key}`)) return;
    this.#judged.add(`${job} ${key}`);
    const tasks = tasksOf(request);
    this.#farm.tally.outcome(request.kind === 'redo' ? 'redo' : 'retry');
    if (request.kind !== 'redo') return;
    for (const index of tasks) {
      const task = `${job}/${index}`;
      this.#levels.set(task, Math.max(this.#levels.get(task) ?? 0, request.level));
    }
    const dependents = this.#plans.get(job);
    const isExplained = (this.#asked.get(job) ?? []).some(({ author, named }) => {
      if (author !== request.author) return false;
      const reached = dependents?.closure(named) ?? named;
      return tasks.every((index) => reached.has(index));
    });
    if (isExplained) return;
    const who = this.#farm.of(request.author)?.name ?? request.author;
    throw new Violation('requeue', `${who} discards ${job}/${tasks.join()}, which nobody named there.`);
  }

  #look(machine: Machine, job: string, index: number): void {
    const record = machine.queries?.taskRecord(job, index);
    const key = `${job}/${index}`;
    if (record === undefined) {
      this.#of(machine).delete(key);
      return;
    }
    const asked = this.#levels.get(key) ?? 0;
    if (record.redo > asked)
      throw new Violation(
        'requeue',
        `${machine.name} has ${key} at redo ${record.redo}, and ${asked} was asked for.`,
      );
    this.#nothingGone(machine, key, heldOf(record));
  }

  #of({ peer }: Machine): Map<string, Held> {
    const held = this.#results.get(peer) ?? new Map<string, Held>();
    this.#results.set(peer, held);
    return held;
  }

  #nothingGone(machine: Machine, key: string, held: Held): void {
    const before = this.#of(machine).get(key);
    if (before !== undefined && before.redo === held.redo) {
      const gone = [...before.attempts].find((attempt) => !held.attempts.has(attempt));
      if (gone !== undefined)
        throw new Violation('requeue', `${machine.name} lost the result ${gone} of ${key} without a redo.`);
    }
    if (before !== undefined && before.redo > held.redo)
      throw new Violation('requeue', `${machine.name} takes ${key} back to redo ${held.redo}.`);
    this.#of(machine).set(key, held);
  }

  /** What its node knew in memory only, and was still to write, may be gone. */
  crashed(machine: Machine): void {
    const held = this.#of(machine);
    for (const [key, { job, index }] of held) {
      const record = taskOn(machine, job, index);
      if (record === undefined) held.delete(key);
      else held.set(key, heldOf(record));
    }
  }
}

const heldOf = ({ job, index, redo, results }: TaskRecord): Held => ({
  job,
  index,
  redo,
  attempts: new Set(Object.values(results).map(({ attempt }) => nameOf(attempt))),
});

function tasksOf(request: Request): number[] {
  const tasks: number[] = [];
  for (const { start, end, step } of request.tasks) for (let n = start; n <= end; n += step) tasks.push(n);
  return tasks;
}
