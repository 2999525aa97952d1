import { JOB_ENDS } from '@cuadro/protocol';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { knowsThatItIsToLeave } from './on-disk.ts';
import type { People } from './people.ts';

/** So often it is looked whether somebody has work to do. */
const LOOK_MS = 500;
/**
 * So long the farm may be without an open task while somebody could submit a job, in milliseconds: from the end of the
 * last task to the next look, and from there until the new job's files and record are written.
 */
const IDLE_MAX_MS = 2_000;
/** A disk is quick whose writes take no longer than this on average. */
const QUICK_MS = 20;

/** Sees to it that work is active all the time that things go wrong, and measures whether it was. */
export class Busy {
  readonly #farm: SimFarm;
  readonly #people: People;
  #isOn = false;
  #idleMs = 0;
  #longestIdleMs = 0;

  constructor(farm: SimFarm, people: People) {
    this.#farm = farm;
    this.#people = people;
  }

  /** From the first job on. */
  begin(): void {
    this.#isOn = true;
    this.#look();
  }

  /** @throws Error where the farm was without work for longer than it takes to submit some. */
  end(): void {
    this.#isOn = false;
    if (this.#longestIdleMs > IDLE_MAX_MS)
      throw new Error(`No task was open for ${this.#longestIdleMs} ms in the time of faults.`);
  }

  #look(): void {
    if (!this.#isOn) return;
    // What is open stays so while nobody is there who could end it, or submit more.
    const able = this.#farm.up().filter(canSubmit);
    if (able.some(hasMuch)) this.#idleMs = 0;
    else {
      if (this.#farm.up().some(hasWork)) this.#idleMs = 0;
      else if (able.length > 0) {
        this.#longestIdleMs = Math.max(this.#longestIdleMs, this.#idleMs);
        this.#idleMs += LOOK_MS;
      }
      this.#people.keepBusy(able);
    }
    this.#farm.timeline.after(LOOK_MS, () => this.#look());
  }
}

/** Somebody could submit a job there, and it would be written soon. One that leaves takes none (SPEC R134). */
function canSubmit(machine: Machine): boolean {
  const { life, host, disk, queries } = machine;
  const { broken, full, writeMs } = disk.faults;
  const isWell = life !== undefined && !host.isStalled && !broken && !full && writeMs <= QUICK_MS;
  return isWell && queries?.farmRecord() !== undefined && !knowsThatItIsToLeave(machine, machine);
}

/** Tasks that a machine knows to be open, of jobs that nobody paused and that wait for no other. */
const openTasks = ({ queries }: Machine): number =>
  (queries?.jobs() ?? [])
    .filter(({ state }) => !JOB_ENDS.has(state) && state !== 'paused' && state !== 'waiting')
    .reduce((sum, { counts }) => sum + counts.open, 0);

const hasWork = (machine: Machine): boolean => openTasks(machine) > 0;
/** More than are rendered until the next look. */
const hasMuch = (machine: Machine): boolean => openTasks(machine) > 2;
