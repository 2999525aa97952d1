import type { JobRecord, TaskRecord, TaskResult } from '@cuadro/protocol';
import type { Changes } from '../../../node/src/core/interface.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import type { Deed } from '../people.ts';
import { Violation, type Checker } from './checker.ts';
import {
  contentOf,
  hadOnce,
  has,
  holdsPart,
  isGood,
  jobOn,
  jobsOn,
  knowsThatItIsOut,
  partsOf,
  taskOn,
} from '../on-disk.ts';
import { counting, filesOf, isDiscardedBy, isHeld, nameOf } from './rules.ts';
import type { Talking } from './talking.ts';

interface Shown {
  readonly job: string;
  readonly index: number;
  readonly redo: number;
  readonly attempt: string;
  readonly files: readonly string[];
  readonly by: string;
  readonly at: number;
}

/** Nodes that can talk hold the same so long after the last change (promise 4), and it is looked twice a second. */
const TOLD_MS = 6_000;

/** From the reading of a damaged file to its next copy elsewhere, at rest: some writes and an exchange. */
const KNOWN_MS = 5_000;

const keyOf = ({ job, index, redo }: TaskRecord, attempt: string): string =>
  `${job} ${index} ${redo} ${attempt}`;

/**
 * Nothing accepted is lost (DESIGN.md section 1, promise 1): what is shown as done is on two disks at that moment,
 * and is still there when all is over, unless a person discarded it; so are accepted jobs.
 */
export class Kept implements Checker {
  readonly #farm: SimFarm;
  readonly #talking: Talking;
  readonly #shown = new Map<string, Shown>();
  readonly #accepted = new Map<string, { machines: number; at: Machine }>();
  readonly #deleted = new Set<string>();
  /** When files were last seen whose bytes had gone bad and that nobody had read yet. */
  readonly #unreadAt = new Map<string, number>();
  /** When two could last talk for as long as news takes, by one and the other. */
  readonly #talkedAt = new Map<Machine, Map<Machine, number>>();

  constructor(farm: SimFarm, talking: Talking) {
    this.#farm = farm;
    this.#talking = talking;
  }

  /** Done frames that were seen. */
  get count(): number {
    return this.#shown.size;
  }

  look(): void {
    const { machines, timeline } = this.#farm;
    for (const { disk } of machines)
      for (const hash of disk.faults.damaged) this.#unreadAt.set(hash, timeline.now);
    for (const group of this.#talking.groups(TOLD_MS)) for (const one of group) this.#talked(one, group);
  }

  #talked(machine: Machine, group: readonly Machine[]): void {
    const talkedAt = this.#talkedAt.get(machine) ?? new Map<Machine, number>();
    this.#talkedAt.set(machine, talkedAt);
    for (const other of group) talkedAt.set(other, this.#farm.timeline.now);
  }

  deed(deed: Deed): void {
    if (deed.kind === 'delete') this.#deleted.add(deed.job);
    if (deed.kind === 'accepted') this.#acceptedBy(deed.job, deed.at, deed.kept.machines);
  }

  #acceptedBy(job: string, at: Machine, machines: number): void {
    this.#accepted.set(job, { machines, at });
    if (machines < 2) return;
    const copies = this.#farm.machines.filter((machine) => {
      const record = jobOn(machine, job);
      // A file that was here before and rotted unread is known as damaged by the next who reads it.
      const isHere = (hash: string): boolean => has(machine, hash) || hadOnce(machine, hash);
      return record !== undefined && contentOf(record, [machine]).every(isHere);
    });
    // One may have been destroyed while its answer was on the way: then this is the loss that the promise speaks of.
    if (copies.length === 1 && this.#farm.machines.some((one) => wasLostWithJob(one, job, at))) return;
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
    const shown: Shown = { job, index, redo, attempt, files, by: machine.name, at: this.#farm.timeline.now };
    this.#shown.set(key, shown);
    const holders = this.#farm.machines.filter(
      (one) => holds(one, task, attempt) && files.every((hash) => has(one, hash) || hadOnce(one, hash)),
    );
    // Whoever has heard that a person discards it holds it no more (SPEC R33).
    if (holders.length >= 2 || this.#isDiscarded(shown)) return;
    // One that held it may have been destroyed a moment ago: then this is the loss that the promise speaks of.
    if (holders.length === 1 && this.#farm.machines.some((one) => wasLostWith(one, files))) return;
    // A removed machine withdraws what it held (SPEC R24); who has not heard of its removal counts its copy until then.
    if (holders.length === 1 && this.#farm.machines.some((one) => isRemovedHolder(one, result, files)))
      return;
    const where = holders.map(({ name }) => name).join(' and ') || 'none';
    throw new Violation(
      'two copies',
      `${machine.name} shows ${job}/${index} as done, which is on the disk of ${where}.`,
    );
  }

  /** Whether a further disk may be lost: all that was accepted or shown as done is on two of those that are left. */
  isSafe(): boolean {
    const { machines } = this.#farm;
    // Whose removal is written counts for nothing, also where nobody was told so: the node that wrote it has ended.
    const left = machines.filter(
      (one) => !one.isGone && !one.isRemoved && !machines.some((other) => knowsThatItIsOut(other, one)),
    );
    for (const id of this.#accepted.keys()) {
      if (this.#deleted.has(id)) continue;
      const copies = left.filter((machine) => {
        const job = jobOn(machine, id);
        return job !== undefined && partsOf(job, left).every((part) => holdsPart(machine, part));
      });
      if (copies.length < 2) return false;
    }
    return [...this.#shown.values()].every((shown) => this.#outlastsOne(shown, left));
  }

  /**
   * Two of these hold it, or know that it is discarded: where one alone does both, the word of the discarding is lost
   * with the last copy, and all others show the frame as done.
   */
  #outlastsOne(shown: Shown, left: readonly Machine[]): boolean {
    const { job } = shown;
    const knows = (one: Machine): boolean => isDiscardedBy(jobOn(one, job), shown);
    const { length } = left.filter((one) => knows(one) || this.#copiesOf(shown, [one]) > 0);
    return length >= 2 || this.#deleted.has(job);
  }

  /**
   * Whether a file may rot on a machine: each done frame, plan and scene that it belongs to is whole at another of its
   * holders. Who finds any file of it damaged takes back the word for all of it (SPEC R24), so two disks would be lost
   * to it at once where each of its two holders had another file that rotted. A file that another machine only has,
   * and has promised nobody, is no second copy: it may be swept away at any time.
   */
  staysWhole(hash: string, at: Machine): boolean {
    const others = this.#farm.machines.filter(
      (machine) => machine !== at && !machine.isGone && !machine.isRemoved,
    );
    const areFramesKept = [...this.#shown.values()].every(
      (shown) => !shown.files.includes(hash) || this.#isDiscarded(shown) || this.#copiesOf(shown, others) > 0,
    );
    // Also one that nobody was told of yet: as soon as its record is written it may be.
    const jobs = this.#farm.machines.flatMap(jobsOn).filter(({ id }) => !this.#deleted.has(id));
    return areFramesKept && jobs.every((job) => this.#staysIn(job, hash, others));
  }

  /** Each part has holders of its own: of two machines that hold both, one may lose the plan and the other the scene. */
  #staysIn(job: JobRecord, hash: string, others: readonly Machine[]): boolean {
    const { machines } = this.#farm;
    if (!contentOf(job, machines).includes(hash)) return true;
    return others.some((machine) => {
      const known = jobOn(machine, job.id);
      const parts = known === undefined ? [] : partsOf(known, machines);
      return parts.some((part) => part.files.includes(hash) && holdsPart(machine, part));
    });
  }

  #isDiscarded(shown: Shown): boolean {
    if (this.#deleted.has(shown.job)) return true;
    return this.#farm.machines.some((machine) => isDiscardedBy(jobOn(machine, shown.job), shown));
  }

  #copiesOf({ job, index, attempt, files }: Shown, machines: readonly Machine[]): number {
    return machines.filter((machine) => {
      const results = Object.values(taskOn(machine, job, index)?.results ?? {});
      const isHolder = results.some(
        (one) => nameOf(one.attempt) === attempt && one.holders[machine.peer]?.held === true,
      );
      return isHolder && files.every((hash) => isGood(machine, hash));
    }).length;
  }

  /** Before anybody deletes what can't be had any more: what was accepted must still be there. */
  settled(): void {
    for (const [id, accepted] of this.#accepted) if (!isExcused(accepted)) this.#contentKept(id);
  }

  end(isAtRest: boolean): void {
    const up = this.#farm.up();
    for (const machine of up) {
      for (const [id, accepted] of this.#accepted) {
        if (jobOn(machine, id) === undefined && !isExcused(accepted) && !this.#isDeletedWhereOff(id))
          throw new Violation(
            'accepted jobs',
            `${id}, accepted at ${accepted.at.name}, is lost at ${machine.name}.`,
          );
      }
      for (const shown of this.#shown.values()) this.#stillThere(machine, shown);
    }
    this.settled();
    if (up.length > 1) for (const machine of up) this.#twoAgain(machine);
    if (isAtRest) for (const id of this.#accepted.keys()) this.#wholeAgain(id);
  }

  /** Once nothing happens any more, some machine holds all of a job of which every file is on one that is on (SPEC R185, R188). */
  #wholeAgain(id: string): void {
    if (this.#deleted.has(id)) return;
    const up = this.#farm.up();
    const job = up.map((machine) => jobOn(machine, id)).find((record) => record !== undefined);
    if (job === undefined || job.deleted !== undefined) return;
    // Who is off may hold all of it: that counts for a day.
    if (this.#farm.machines.some((one) => !up.includes(one) && job.holders.plan[one.peer]?.held === true))
      return;
    const parts = partsOf(job, up);
    const files = parts.flatMap((part) => part.files);
    const knownAt = this.#farm.timeline.now - KNOWN_MS;
    if (files.some((hash) => (this.#unreadAt.get(hash) ?? -Infinity) > knownAt)) return;
    if (!files.every((hash) => up.some((machine) => isGood(machine, hash)))) return;
    if (!up.some((machine) => parts.every((part) => holdsPart(machine, part))))
      throw new Violation('accepted jobs', `No machine holds all of ${id} any more.`);
  }

  /** A job that others never heard of, and that a person deleted where he switched the machine off after that. */
  #isDeletedWhereOff(id: string): boolean {
    if (!this.#deleted.has(id)) return false;
    return this.#farm.machines.some((machine) => machine.isOff && jobOn(machine, id)?.deleted !== undefined);
  }

  /** Once nothing happens any more, all that can be on two disks is (SPEC R57). */
  #twoAgain(machine: Machine): void {
    const left = this.#farm.machines.filter(({ isGone, isRemoved }) => !isGone && !isRemoved);
    for (const shown of this.#shown.values()) {
      if (this.#isDiscarded(shown) || this.#copiesOf(shown, left) !== 1) continue;
      const task = taskOn(machine, shown.job, shown.index);
      const job = jobOn(machine, shown.job);
      const counts = task && job && counting(task, job);
      // A result that another one took the place of needs no second copy any more.
      if (counts === undefined || nameOf(counts.attempt) !== shown.attempt) continue;
      // A copy is replaced a day after its machine was lost, or once somebody removes that; no run lasts so long.
      const isAwaited = this.#farm.machines.some(
        ({ peer, isGone, isRemoved, isOff }) =>
          // Where one has left, the other copy may be on a machine that was switched off before it was copied again.
          ((isGone && !isRemoved) || (isOff && this.#hasAnyLeft)) && counts.holders[peer]?.held === true,
      );
      if (isAwaited) continue;
      // One whose bytes went bad where nobody has read them yet, or only just has, is not known to be gone.
      const knownAt = this.#farm.timeline.now - KNOWN_MS;
      if (shown.files.some((hash) => (this.#unreadAt.get(hash) ?? -Infinity) > knownAt)) continue;
      throw new Violation('two copies', `${shown.job}/${shown.index} stays on one disk.`);
    }
  }

  #contentKept(id: string): void {
    if (this.#deleted.has(id)) return;
    const machines = this.#farm.up();
    const job = machines.map((machine) => jobOn(machine, id)).find((record) => record !== undefined);
    if (job === undefined || job.deleted !== undefined) return;
    // One that is switched off may hold it as well.
    const there = this.#farm.machines.filter(({ isGone, isRemoved }) => !isGone && !isRemoved);
    for (const hash of contentOf(job, there))
      if (!there.some((machine) => isGood(machine, hash)))
        throw new Violation('accepted jobs', `Nobody has a file of ${id} any more: ${hash.slice(0, 8)}.`);
  }

  get #hasAnyLeft(): boolean {
    return this.#farm.machines.some(({ hasLeft }) => hasLeft);
  }

  /** Where one has left the other copy may be on one that is off, until somebody switches that on. */
  #whoKeeps(): Machine[] {
    if (!this.#hasAnyLeft) return this.#farm.up();
    return this.#farm.machines.filter(({ isGone, isRemoved }) => !isGone && !isRemoved);
  }

  /**
   * A copy that was made while others were cut off, of a frame of which one holder left in order since, and the other,
   * which keeps it as that one left it, is switched off: nobody who is on could hear of that copy, and the frame is
   * rendered again until somebody switches that one on. Where one of them knows of the copy, or could talk to who has it,
   * all have to.
   */
  #isKeptWhereOffOnly({ job, index, attempt, files, at }: Shown): boolean {
    const holdersOn = (machine: Machine): TaskResult['holders'] =>
      resultOf(taskOn(machine, job, index), attempt)?.holders ?? {};
    const up = this.#farm.up();
    return this.#farm.machines.some((machine) => {
      const holders = holdersOn(machine);
      const isHere = machine.isOff && holders[machine.peer]?.held === true;
      const hasOneLeft = this.#farm.machines.some(
        ({ peer, hasLeft }) => hasLeft && holders[peer] !== undefined,
      );
      if (!isHere || !hasOneLeft || !files.every((hash) => isGood(machine, hash))) return false;
      if (up.some((one) => holdersOn(one)[machine.peer] !== undefined)) return false;
      return !up.some((one) => (this.#talkedAt.get(machine)?.get(one) ?? -Infinity) - TOLD_MS >= at);
    });
  }

  #isKnown({ job, index, attempt }: Shown): boolean {
    return this.#farm.up().some((one) => resultOf(taskOn(one, job, index), attempt) !== undefined);
  }

  #stillThere(machine: Machine, shown: Shown): void {
    const { job: id, index, attempt, by } = shown;
    if (this.#deleted.has(id)) return;
    const job = jobOn(machine, id);
    const accepted = this.#accepted.get(id);
    if (accepted !== undefined && isExcused(accepted)) return;
    if (job === undefined) throw new Violation('done frames', `The job ${id} of a done frame is lost.`);
    const what = `${id}/${index} (${attempt}), which ${by} showed as done,`;
    // Whether somebody named it is judged where he did.
    if (isDiscardedBy(job, shown)) return;
    const task = taskOn(machine, id, index);
    const result = resultOf(task, attempt);
    if (result === undefined && !this.#isKnown(shown) && this.#isKeptWhereOffOnly(shown)) return;
    if (result === undefined)
      throw new Violation('done frames', `${what} is not known to ${machine.name} any more.`);
    const holders = this.#whoKeeps().filter((one) => result.holders[one.peer]?.held === true);
    const counts = task && counting(task, job);
    // Whoever leaves gives away what counts (SPEC R162), and no done that another one has taken the place of.
    if (this.#hasAnyLeft && counts?.state === 'done' && nameOf(counts.attempt) !== attempt) return;
    const isHeld = holders.some((one) => shown.files.every((hash) => isGood(one, hash)));
    if (!isHeld && !this.#isKeptWhereOffOnly(shown))
      throw new Violation('done frames', `${what} is held by nobody any more.`);
  }
}

/**
 * Of a machine that was destroyed what was said to be there alone went with it; and what a removed machine signed
 * counts only as far as the farm knew it. One that left in order has given away all of it before.
 */
const isExcused = ({ machines, at }: { machines: number; at: Machine }): boolean =>
  !at.hasLeft && (at.isRemoved || (at.isGone && machines < 2));

const resultOf = (task: TaskRecord | undefined, attempt: string): TaskResult | undefined =>
  Object.values(task?.results ?? {}).find((one) => nameOf(one.attempt) === attempt);

/** On its disk, or known to its node, which is writing it: nodes are ahead of their disks by one write. */
function holds(machine: Machine, { job, index }: TaskRecord, attempt: string): boolean {
  const says = (task: TaskRecord | undefined): boolean =>
    Object.values(task?.results ?? {}).some(
      (one) => nameOf(one.attempt) === attempt && one.holders[machine.peer]?.held === true,
    );
  if (says(taskOn(machine, job, index))) return true;
  return machine.isUp && says(machine.queries?.taskRecord(job, index));
}

const isRemovedHolder = (machine: Machine, { holders }: TaskResult, files: readonly string[]): boolean =>
  machine.isRemoved &&
  holders[machine.peer]?.held === true &&
  files.every((hash) => has(machine, hash) || hadOnce(machine, hash));

/** Whether a machine that was destroyed had these files. */
const wasLostWith = ({ lost }: Machine, files: readonly string[]): boolean =>
  lost !== undefined && files.every((hash) => lost.blobs.contents.has(hash));

/** Whether a machine that was destroyed had all of a job that another one has. */
function wasLostWithJob(machine: Machine, id: string, at: Machine): boolean {
  const job = jobOn(at, id);
  const hadRecord = machine.lost?.records.records.has(`job/${id}`) === true;
  return job !== undefined && hadRecord && wasLostWith(machine, contentOf(job, [at]));
}
