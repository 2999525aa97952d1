import { decode, type JobRecord, type KnownRecord, type TaskRecord, type TaskResult } from '@cuadro/protocol';
import type { Changes } from '../../../node/src/core/interface.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import type { Deed } from '../people.ts';
import { Violation, type Checker } from './checker.ts';
import { filesOf, isHeld, nameOf, redoAsked } from './rules.ts';

interface Shown {
  readonly job: string;
  readonly index: number;
  readonly redo: number;
  readonly attempt: string;
  readonly files: readonly string[];
  readonly by: string;
}

/** The head of a stored record: a mark and a sum; what follows is the record. */
const HEAD_BYTES = 5;

const keyOf = ({ job, index, redo }: TaskRecord, attempt: string): string =>
  `${job} ${index} ${redo} ${attempt}`;

const taskKeyOf = (job: string, index: number): string => `task/${job}/${String(index).padStart(10, '0')}`;

/**
 * Nothing accepted is lost (DESIGN.md section 1, promise 1): what is shown as done is on two disks at that moment,
 * and is still there when all is over, unless a person discarded it; so are accepted jobs.
 */
export class Kept implements Checker {
  readonly #farm: SimFarm;
  readonly #shown = new Map<string, Shown>();
  readonly #accepted = new Map<string, { machines: number; at: Machine }>();
  readonly #deleted = new Set<string>();
  /** What people asked to be rendered again, by job. */
  readonly #requeued = new Map<string, { everything: boolean; tasks: Set<number> }>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  /** Done frames that were seen. */
  get count(): number {
    return this.#shown.size;
  }

  deed(deed: Deed): void {
    if (deed.kind === 'delete') this.#deleted.add(deed.job);
    if (deed.kind === 'accepted') this.#acceptedBy(deed.job, deed.at, deed.kept.machines);
    if (deed.kind !== 'requeue') return;
    const asked = this.#requeued.get(deed.job) ?? { everything: false, tasks: new Set<number>() };
    if (typeof deed.tasks === 'string') asked.everything = true;
    else for (const task of deed.tasks) asked.tasks.add(Number(task.slice(1)));
    this.#requeued.set(deed.job, asked);
  }

  #acceptedBy(job: string, at: Machine, machines: number): void {
    this.#accepted.set(job, { machines, at });
    if (machines < 2) return;
    const copies = this.#farm.machines.filter((machine) => {
      const record = jobOn(machine, job);
      return record !== undefined && has(machine, record.spec.plan);
    });
    if (copies.length < 2)
      throw new Violation(
        'accepted jobs',
        `${job} is said to be on ${machines} disks, and is on ${copies.length}.`,
      );
  }

  changed(machine: Machine, { tasks }: Changes): void {
    for (const { job, indices } of tasks) {
      for (const index of indices) {
        const task = machine.queries?.taskRecord(job, index);
        if (task === undefined || !this.#hasNews(task)) continue;
        // The brain is ahead of the disk by the write that is under way: what counts is what is written.
        const written = taskOn(machine, job, index);
        if (written !== undefined) this.#seeAll(machine, written);
      }
    }
  }

  #hasNews(task: TaskRecord): boolean {
    return Object.values(task.results).some(
      (result) => result.state === 'done' && !this.#shown.has(keyOf(task, nameOf(result.attempt))),
    );
  }

  #seeAll(machine: Machine, task: TaskRecord): void {
    for (const result of Object.values(task.results))
      if (result.state === 'done' && isHeld(result)) this.#see(machine, task, result);
  }

  #see(machine: Machine, task: TaskRecord, result: TaskResult): void {
    const attempt = nameOf(result.attempt);
    const key = keyOf(task, attempt);
    if (this.#shown.has(key)) return;
    const files = filesOf(result);
    const { job, index, redo } = task;
    this.#shown.set(key, { job, index, redo, attempt, files, by: machine.name });
    const holders = this.#farm.machines.filter(
      (one) => holds(one, task, attempt) && files.every((hash) => has(one, hash) || hadOnce(one, hash)),
    );
    if (holders.length >= 2 || this.#deleted.has(job) || this.#farm.lostDisks > 0) return;
    const where = holders.map(({ name }) => name).join(' and ') || 'none';
    throw new Violation(
      'two copies',
      `${machine.name} shows ${job}/${index} as done, which is on the disk of ${where}.`,
    );
  }

  end(): void {
    const up = this.#farm.up();
    for (const machine of up) {
      for (const [id, accepted] of this.#accepted) {
        if (jobOn(machine, id) === undefined && !isExcused(accepted))
          throw new Violation(
            'accepted jobs',
            `${id}, accepted at ${accepted.at.name}, is lost at ${machine.name}.`,
          );
      }
      for (const shown of this.#shown.values()) this.#stillThere(machine, shown);
    }
    for (const [id, accepted] of this.#accepted) if (!isExcused(accepted)) this.#planKept(id);
  }

  #planKept(id: string): void {
    if (this.#deleted.has(id)) return;
    const machines = this.#farm.up();
    const [first] = machines;
    const plan = first && jobOn(first, id)?.spec.plan;
    if (plan === undefined || machines.some((machine) => isGood(machine, plan))) return;
    throw new Violation('accepted jobs', `Nobody has the plan of ${id} any more.`);
  }

  #stillThere(machine: Machine, shown: Shown): void {
    const { job: id, index, redo, attempt, by } = shown;
    if (this.#deleted.has(id)) return;
    const job = jobOn(machine, id);
    const accepted = this.#accepted.get(id);
    if (accepted !== undefined && isExcused(accepted)) return;
    if (job === undefined) throw new Violation('done frames', `The job ${id} of a done frame is lost.`);
    const what = `${id}/${index} (${attempt}), which ${by} showed as done,`;
    if (redoAsked(job, index) > redo) {
      const asked = this.#requeued.get(id);
      // What is made of discarded frames is discarded with them; frames only where somebody named them.
      const isNamed =
        asked !== undefined && (asked.everything || asked.tasks.has(index) || index >= framesOf(job));
      if (!isNamed) throw new Violation('requeue', `${what} was discarded, and nobody named it.`);
      return;
    }
    const task = taskOn(machine, id, index);
    const result = Object.values(task?.results ?? {}).find((one) => nameOf(one.attempt) === attempt);
    if (result === undefined)
      throw new Violation('done frames', `${what} is not known to ${machine.name} any more.`);
    const holders = this.#farm.up().filter((one) => result.holders[one.peer]?.held === true);
    const good = holders.filter((one) => shown.files.every((hash) => isGood(one, hash)));
    if (good.length === 0) throw new Violation('done frames', `${what} is held by nobody any more.`);
  }
}

/**
 * Of a machine that was destroyed what was said to be there alone went with it; and what a removed machine signed
 * counts only as far as the farm knew it.
 */
const isExcused = ({ machines, at }: { machines: number; at: Machine }): boolean =>
  at.isRemoved || (at.isGone && machines < 2);

/** The first group's tasks; later groups are made of them. A requeue of `#i` reaches those, too. */
function framesOf(job: JobRecord): number {
  const frames = (job.spec.settings as { frames?: unknown })['frames'];
  return typeof frames === 'number' ? frames : job.spec.tasks;
}

/** Of bytes that were looked at before: what is written is never changed in its place. */
const decoded = new WeakMap<Uint8Array, KnownRecord>();

/** A record as the disk of a machine has it. */
function onDisk(machine: Machine, key: string): KnownRecord | undefined {
  const stored = machine.disk.records.records.get(key);
  if (stored === undefined) return undefined;
  const known = decoded.get(stored);
  if (known !== undefined) return known;
  const record = decode(stored.subarray(HEAD_BYTES), Number.POSITIVE_INFINITY) as KnownRecord;
  decoded.set(stored, record);
  return record;
}

function jobOn(machine: Machine, id: string): JobRecord | undefined {
  const record = onDisk(machine, `job/${id}`);
  return record?.kind === 'job' ? record : undefined;
}

function taskOn(machine: Machine, id: string, index: number): TaskRecord | undefined {
  const record = onDisk(machine, taskKeyOf(id, index));
  return record?.kind === 'task' ? record : undefined;
}

/** On its disk, or known to its node, which is writing it: nodes are ahead of their disks by one write. */
function holds(machine: Machine, { job, index }: TaskRecord, attempt: string): boolean {
  const says = (task: TaskRecord | undefined): boolean =>
    Object.values(task?.results ?? {}).some(
      (one) => nameOf(one.attempt) === attempt && one.holders[machine.peer]?.held === true,
    );
  if (says(taskOn(machine, job, index))) return true;
  return machine.isUp && says(machine.queries?.taskRecord(job, index));
}

const has = (machine: Machine, hash: string): boolean => machine.disk.blobs.contents.has(hash);
const hadOnce = (machine: Machine, hash: string): boolean => machine.disk.faults.everDamaged.has(hash);
const isGood = (machine: Machine, hash: string): boolean =>
  has(machine, hash) && !machine.disk.faults.damaged.has(hash);
