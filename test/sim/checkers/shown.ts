import type { TaskRecord, TaskResult } from '@cuadro/protocol';
import type { Changes } from '../../../node/src/core/interface.ts';
import type { Machine } from '../machine.ts';
import { jobOn, taskOn } from '../on-disk.ts';
import { Violation, type Checker } from './checker.ts';
import type { Grants } from './grants.ts';
import { counting, filesOf, isHeld, nameOf } from './rules.ts';

interface Seen {
  readonly attempt: string;
  readonly redo: number;
  readonly files: string;
}

/** Of one task at one machine. */
interface History {
  readonly machine: Machine;
  readonly job: string;
  readonly index: number;
  last: Seen;
  /** All that was shown at this redo. */
  all: Set<string>;
}

const seenOf = (task: TaskRecord, result: TaskResult): Seen => ({
  attempt: nameOf(result.attempt),
  redo: task.redo,
  files: filesOf(result).join(),
});

/**
 * A done frame's hash changes only when a person asks for a redo, when two dones made without knowledge of each other
 * meet, or while a substitute stands in (DESIGN.md section 1, promise 5); and what a node shows is what its records
 * say.
 *
 * The promise's other half is that a redo replaces a collected file if it is unchanged since, and nothing else does. These
 * machines collect nothing; that half is held by test/unit/jobs/collection.test.ts (a redo replaces, also after a crash,
 * what the node wrote itself), test/unit/jobs/collection-machines.test.ts (R59: another result that comes to count does
 * not), test/unit/blobs/tree.test.ts (what was changed by hand, or is foreign, stays), and with whole nodes and Blender by
 * test/e2e/control.test.ts.
 */
export class ShownFrames implements Checker {
  readonly #grants: Grants;
  /** By machine and task. */
  readonly #seen = new Map<string, History>();
  changes = 0;

  constructor(grants: Grants) {
    this.#grants = grants;
  }

  changed(machine: Machine, { tasks }: Changes): void {
    for (const { job, indices } of tasks) for (const index of indices) this.#look(machine, job, index);
  }

  /**
   * A brain is ahead of its disk by the writes that are under way, of which people are told once they are done. One that
   * ends forgets them: it comes back with what its disk says and is judged from there, so it may go back to that, and to
   * nothing else that it ever showed.
   */
  crashed(machine: Machine): void {
    for (const [key, history] of this.#seen) if (history.machine === machine) this.#forget(key, history);
  }

  #forget(key: string, history: History): void {
    const { machine, job: id, index } = history;
    const task = taskOn(machine, id, index);
    const job = jobOn(machine, id);
    const result = task && job && counting(task, job);
    const isWritten = (attempt: string): boolean => task?.results[attempt]?.state === 'done';
    if (task !== undefined && result?.state === 'done') history.last = seenOf(task, result);
    else if (!isWritten(history.last.attempt)) {
      this.#seen.delete(key);
      return;
    }
    history.all = new Set([...history.all].filter(isWritten)).add(history.last.attempt);
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
    const seen = seenOf(task, result);
    const key = `${machine.peer} ${id} ${index}`;
    const before = this.#seen.get(key);
    if (before === undefined || before.last.redo !== seen.redo) {
      this.#seen.set(key, { machine, job: id, index, last: seen, all: new Set([seen.attempt]) });
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
