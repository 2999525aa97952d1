import type { Changes } from '../../../node/src/core/interface.ts';
import type { Machine } from '../machine.ts';
import { Violation, type Checker } from './checker.ts';
import type { Grants } from './grants.ts';
import { counting, filesOf, isHeld, nameOf } from './rules.ts';

interface Seen {
  readonly attempt: string;
  readonly redo: number;
  readonly files: string;
}

/**
 * A done frame's hash changes only when a person asks for a redo, when two dones made without knowledge of each other
 * meet, or while a substitute stands in (DESIGN.md section 1, promise 5); and what a node shows is what its records
 * say.
 */
export class ShownFrames implements Checker {
  readonly #grants: Grants;
  /** By machine and task: what was shown last, and all that was shown before at this redo. */
  readonly #seen = new Map<string, { last: Seen; all: Set<string> }>();
  changes = 0;

  constructor(grants: Grants) {
    this.#grants = grants;
  }

  changed(machine: Machine, { tasks }: Changes): void {
    for (const { job, indices } of tasks) for (const index of indices) this.#look(machine, job, index);
  }

  #look(machine: Machine, id: string, index: number): void {
    const { queries } = machine;
    const task = queries?.taskRecord(id, index);
    const job = queries?.jobRecord(id);
    if (queries === undefined || task === undefined || job === undefined || job.deleted !== undefined) return;
    const result = counting(task, job);
    const state = queries.taskState(id, index);
    const isDone = result?.state === 'done';
    if (state !== undefined && (state === 'done') !== isDone)
      throw new Violation(
        'what is shown',
        `${machine.name} shows ${id}/${index} as ${state}, its records say otherwise.`,
      );
    if (result === undefined || !isDone) return;
    // What this machine holds itself is within its reach, so nothing may stand in for it.
    const used = result.holders[machine.peer]?.held === true ? queries.resultAtHand(id, index) : result;
    if (used === undefined || nameOf(used.attempt) !== nameOf(result.attempt))
      throw new Violation(
        'what is shown',
        `${machine.name} uses another result of ${id}/${index} than the one that counts.`,
      );
    const seen: Seen = { attempt: nameOf(result.attempt), redo: task.redo, files: filesOf(result).join() };
    const key = `${machine.peer} ${id} ${index}`;
    const before = this.#seen.get(key);
    if (before === undefined || before.last.redo !== seen.redo) {
      this.#seen.set(key, { last: seen, all: new Set([seen.attempt]) });
      return;
    }
    if (before.last.attempt === seen.attempt) return;
    this.changes += 1;
    const old = task.results[before.last.attempt];
    // One that nobody holds any more counts for nothing: it is rendered again.
    const isLost = old === undefined || !isHeld(old);
    if (before.last.files !== seen.files && !isLost)
      this.#mustBeExplained(machine, before.last, seen, `${id}/${index}`);
    if (before.all.has(seen.attempt) && !isLost)
      throw new Violation(
        'done frames',
        `${machine.name} goes back and forth between dones of ${id}/${index}.`,
      );
    // And should it be held once more, it counts as before (SPEC R38).
    if (isLost) before.all.delete(before.last.attempt);
    before.all.add(seen.attempt);
    before.last = seen;
  }

  #mustBeExplained(machine: Machine, before: Seen, now: Seen, task: string): void {
    const grants = [before, now].map(({ attempt }) => this.#grants.seen.get(attempt));
    const [old, young] = grants;
    const what = `${machine.name} shows another file for the done ${task}`;
    if (old === undefined || young === undefined)
      throw new Violation('done frames', `${what}, made without a grant.`);
    const isSubstitute = old.grant.substitute === true || young.grant.substitute === true;
    if (!isSubstitute && (young.knew.has(before.attempt) || old.knew.has(now.attempt)))
      throw new Violation('done frames', `${what}, made although the first was known.`);
  }
}
