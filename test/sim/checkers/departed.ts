import type { TaskRecord } from '@cuadro/protocol';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { contentOf, isGood, jobOn, jobsOn, knowsThatItIsToLeave, taskOn } from '../on-disk.ts';
import type { Deed } from '../people.ts';
import { Violation, type Checker } from './checker.ts';
import { counting, filesOf, isDiscardedBy, nameOf } from './rules.ts';

/**
 * A machine that leaves in order leaves nothing behind (SPEC R162): by the moment at which its farm has its word that
 * it is out, all that it held is on the disk of another one that stays, as that one's records say.
 */
export class Departed implements Checker {
  readonly #farm: SimFarm;

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  deed(deed: Deed): void {
    if (deed.kind === 'to leave') this.#toLeave(deed);
    if (deed.kind === 'left') this.#left(deed.machine);
  }

  /** A word that two machines hold by its answer is on two disks, but for those that were destroyed meanwhile. */
  #toLeave({ machine, at, machines }: Extract<Deed, { kind: 'to leave' }>): void {
    const holders = this.#farm.machines.filter((one) => one.isGone || knowsThatItIsToLeave(one, machine));
    if (holders.length >= machines) return;
    throw new Violation(
      'leaving',
      `${at.name} says that ${machines} machines hold that ${machine.name} is to leave, and ${holders.length} do.`,
    );
  }

  #left(machine: Machine): void {
    const others = this.#farm.machines.filter((one) => one !== machine && !one.isGone && !one.isRemoved);
    for (const job of jobsOn(machine)) {
      const { id, spec, holders } = job;
      if (others.some((one) => jobOn(one, id)?.deleted !== undefined)) continue;
      const isHolder = holders.plan[machine.peer]?.held === true;
      if (isHolder && !others.some((one) => holdsJob(one, id)))
        throw new Violation('leaving', `${machine.name} has left, and took ${id} along.`);
      for (let index = 0; index < spec.tasks; index++) {
        const task = taskOn(machine, id, index);
        const result = task && counting(task, job);
        if (task === undefined || result?.holders[machine.peer]?.held !== true) continue;
        const attempt = nameOf(result.attempt);
        if (!others.some((one) => holdsResult(one, task, attempt)))
          throw new Violation(
            'leaving',
            `${machine.name} has left, and took ${id}/${index} (${attempt}) along.`,
          );
      }
    }
  }
}

function holdsJob(machine: Machine, id: string): boolean {
  const job = jobOn(machine, id);
  if (job?.holders.plan[machine.peer]?.held !== true) return false;
  return contentOf(job, [machine]).every((hash) => isGood(machine, hash));
}

/** Or knows that nobody needs it any more: somebody discarded it, or another result counts. */
function holdsResult(machine: Machine, { job: id, index, redo }: TaskRecord, attempt: string): boolean {
  const task = taskOn(machine, id, index);
  const job = jobOn(machine, id);
  if (isDiscardedBy(job, { index, redo })) return true;
  if (task === undefined || job === undefined) return false;
  const counts = counting(task, job);
  if (counts !== undefined && nameOf(counts.attempt) !== attempt) return true;
  const result = Object.values(task.results).find((one) => nameOf(one.attempt) === attempt);
  if (result === undefined) return false;
  return (
    result.holders[machine.peer]?.held === true && filesOf(result).every((hash) => isGood(machine, hash))
  );
}
