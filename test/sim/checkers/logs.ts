import type { Failure, JobRecord, TaskRecord } from '@cuadro/protocol';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { hadOnce, has, isGood, jobOn, jobsOn, onDisk, taskOn } from '../on-disk.ts';
import type { Deed } from '../people.ts';
import { Violation, type Checker } from './checker.ts';
import { nameOf, redoAsked, retryAsked } from './rules.ts';

interface Held {
  readonly task: TaskRecord;
  readonly failure: Failure;
  readonly log: string;
}

/**
 * Logs of failed attempts are where the records say (SPEC R132), come to be on two disks (SPEC R133), and stay behind
 * where a machine leaves in order (SPEC R162). One that rotted may be lost: it is no frame.
 */
export class Logs implements Checker {
  readonly #farm: SimFarm;

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  deed(deed: Deed): void {
    if (deed.kind !== 'left') return;
    const { machine } = deed;
    const others = this.#left.filter((one) => one !== machine);
    for (const job of jobsOn(machine)) {
      if (others.some((one) => jobOn(one, job.id)?.deleted !== undefined)) continue;
      for (const held of logsHeld(machine, job))
        if (!others.some((one) => isKept(one, held)))
          throw new Violation(
            'leaving',
            `${machine.name} has left, and took the log of ${whatOf(held)} along.`,
          );
    }
  }

  end(isAtRest: boolean): void {
    for (const machine of this.#farm.up()) {
      for (const job of jobsOn(machine)) {
        for (const held of logsHeld(machine, job)) {
          if (!hadIt(machine, held.log))
            throw new Violation('logs', `${machine.name} says that it holds the log of ${whatOf(held)}.`);
          if (isAtRest) this.#onTwo(machine, held);
        }
      }
    }
  }

  /** Once nothing happens any more, a log is on two disks where there is a second. */
  #onTwo(machine: Machine, held: Held): void {
    const { failure, log } = held;
    const holders = this.#farm.machines.filter(({ peer }) => failure.holders?.[peer]?.held === true);
    // Where one is off or destroyed its copy counts for a day; and what rotted may be known to nobody yet.
    if (holders.length >= 2 || this.#farm.machines.some((one) => hadOnce(one, log))) return;
    const other = this.#farm.up().find((one) => one !== machine && !isToLeave(machine, one));
    if (other === undefined || isToLeave(machine, machine)) return;
    throw new Violation('logs', `The log of ${whatOf(held)} stays on ${machine.name} alone.`);
  }

  get #left(): Machine[] {
    return this.#farm.machines.filter(({ isGone, isRemoved }) => !isGone && !isRemoved);
  }
}

const whatOf = ({ task, failure }: Held): string => `${task.job}/${task.index} (${nameOf(failure.attempt)})`;

const hadIt = (machine: Machine, log: string): boolean => has(machine, log) || hadOnce(machine, log);

/** Of the failures of a job that nobody voided, those whose log the machine's own records say that it holds. */
function* logsHeld(machine: Machine, job: JobRecord): Generator<Held> {
  for (let index = 0; index < job.spec.tasks; index++) {
    const task = taskOn(machine, job.id, index);
    if (task === undefined || isVoid(job, task)) continue;
    for (const failure of Object.values(task.failures)) {
      const { log, holders } = failure;
      if (log !== undefined && holders?.[machine.peer]?.held === true) yield { task, failure, log };
    }
  }
}

const isVoid = (job: JobRecord, { index, redo, retry }: TaskRecord): boolean =>
  redoAsked(job, index) > redo || retryAsked(job, index) > retry;

/** Held there, or known there to be of no use any more. */
function isKept(machine: Machine, { task, failure, log }: Held): boolean {
  const known = taskOn(machine, task.job, task.index);
  const job = jobOn(machine, task.job);
  if (known === undefined || job === undefined) return false;
  if (isVoid(job, task) || known.redo > task.redo || known.retry > task.retry) return true;
  const attempt = nameOf(failure.attempt);
  return Object.values(known.failures).some(
    (one) =>
      nameOf(one.attempt) === attempt &&
      one.holders?.[machine.peer]?.held === true &&
      (isGood(machine, log) || hadOnce(machine, log)),
  );
}

/** Whether the records of one machine say that another is to leave. */
function isToLeave(at: Machine, { peer }: Machine): boolean {
  const record = onDisk(at, `node/${peer}`);
  return record?.kind === 'node' && record.fields.leaving?.value.wanted === true;
}
