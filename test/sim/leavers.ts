import { setNode } from '../../node/src/jobs/control.ts';
import type { JobsComponents } from '../../node/src/jobs/interface.ts';
import type { Dice } from './dice.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { knowsThatItIsToLeave, onDisk } from './on-disk.ts';
import type { Deed } from './people.ts';

/** Whoever has a machine leave looks this often how far that is, and waits so long where nobody takes what is left. */
const LOOK_MS = 250;
const PATIENCE_MS = 3_000;
/** Nobody waits for all machines to be off before he begins. */
const BEGIN_AGAIN_MS = 2_000;

interface Leaver {
  readonly machine: Machine;
  /** Somebody wants it to leave, and has not taken that back. */
  isWanted: boolean;
  /** Where that was said, in which life of its node, and whether the answer came. */
  at: Machine;
  life: number;
  isTold: boolean;
  /** Whose disks had it when the answer came. */
  heldBy: readonly Machine[];
  /** How much was left when that last changed, and when. */
  left: number;
  movedAt: number;
}

/**
 * People who have a machine leave its farm in order, as `cuadro leave` does: they say so, wait until all that it holds
 * is with others and it is a member no more, and let it stay where nobody takes what is left. What it had on its disk
 * is gone soon after that.
 */
export class Leavers {
  readonly #farm: SimFarm;
  readonly #dice: Dice;
  readonly #tell: (deed: Deed) => void;
  readonly #leavers: Leaver[] = [];

  constructor(farm: SimFarm, tell: (deed: Deed) => void) {
    this.#farm = farm;
    this.#dice = farm.dice.fork('who leaves');
    this.#tell = tell;
  }

  /** Whether a machine is on its way out. One that is left switched off goes on with that once it is on again. */
  get isUnderWay(): boolean {
    return this.#leavers.some(({ machine, isWanted }) => isWanted && !isAway(machine));
  }

  /** Somebody wants a machine out of the farm: he says it there, or at another one. */
  begin(): void {
    const { timeline, tally, isHealed } = this.#farm;
    if (isHealed) return;
    const there = this.#farm
      .up()
      .filter(({ life, host, queries }) => life && !host.isStalled && queries?.farmRecord() !== undefined);
    const others = there.filter((one) => !this.#leavers.some(({ machine }) => machine === one));
    if (others.length === 0 || there.length < 2) {
      timeline.after(BEGIN_AGAIN_MS, () => this.begin());
      return;
    }
    const machine = this.#dice.pick(others);
    const at = this.#dice.chance(0.7) ? machine : this.#dice.pick(there);
    const wish = { isWanted: true, at, life: at.host.life, isTold: false, heldBy: [] };
    const leaver: Leaver = { machine, ...wish, left: 0, movedAt: timeline.now };
    this.#leavers.push(leaver);
    tally.deed('have a machine leave');
    this.#wish(at, leaver);
    this.#follow(leaver);
  }

  #wish(at: Machine, leaver: Leaver): void {
    const { machine, isWanted } = leaver;
    const jobs = at.life?.jobs;
    if (jobs === undefined) return;
    leaver.at = at;
    leaver.life = at.host.life;
    leaver.isTold = false;
    this.#farm.note(at.peer, 'person', `${isWanted ? 'leave' : 'stay'}: ${machine.name}`);
    const leaving = { wanted: isWanted, reason: isWanted ? 'sold' : '' };
    setNode(jobs as JobsComponents, machine.peer, { leaving }).then(
      ({ machines }) => {
        leaver.isTold = true;
        leaver.heldBy = this.#farm.machines.filter((one) => knowsThatItIsToLeave(one, machine));
        if (leaver.isWanted) this.#tell({ kind: 'to leave', machine, at, machines });
      },
      (error: unknown) => {
        const { code } = error as { code?: string };
        if (code === undefined) this.#farm.timeline.fail(error);
        // Nobody is there to take what it has: so it stays.
        if (code === 'leave-refused') this.#farm.tally.outcome('leave refused');
        leaver.isWanted = false;
      },
    );
  }

  #follow(leaver: Leaver): void {
    this.#farm.timeline.after(LOOK_MS, () => {
      const { machine, at, isWanted, isTold } = leaver;
      if (machine.isRemoved) return;
      if (this.#farm.machines.some((one) => knowsThatItLeft(one, machine))) return this.#out(leaver);
      if (isWanted && isTold && !this.#isLost(leaver)) this.#look(leaver);
      // Whoever got no answer, since the node was gone by then, or whose word has gone with it, says it once more.
      else if (isWanted && (isTold || isAway(at))) this.#wish(machine, leaver);
      else if (isWanted && at.host.life !== leaver.life) this.#wish(at, leaver);
      this.#follow(leaver);
    });
  }

  /**
   * Whether his word is with nobody who is there: all that had it when he got his answer have gone home or are no
   * members by now. A word that any other has is one that the farm must follow.
   */
  #isLost({ machine, heldBy }: Leaver): boolean {
    const there = this.#farm.machines.filter((one) => !isAway(one));
    return heldBy.every(isAway) && !there.some((one) => knowsThatItIsToLeave(one, machine));
  }

  #look(leaver: Leaver): void {
    const { machine } = leaver;
    const { now } = this.#farm.timeline;
    if (machine.life === undefined || machine.host.isStalled) {
      leaver.movedAt = now;
      return;
    }
    const { state, left } = machine.life.departure.view();
    // The word of one who has left meanwhile counts no more (SPEC R161).
    const isVoid = machine.queries?.nodeRecord(machine.peer)?.fields.leaving?.value.wanted === true;
    if (state === 'staying' && isVoid) leaver.isWanted = false;
    const sum = left.results + left.scenes + (left.logs ?? 0);
    if (state !== 'blocked' || sum !== leaver.left) {
      leaver.left = sum;
      leaver.movedAt = now;
    } else if (now - leaver.movedAt > PATIENCE_MS) {
      leaver.isWanted = false;
      this.#farm.tally.deed('have it stay after all');
      this.#wish(machine, leaver);
    }
  }

  /** The farm has its last word: whoever owns the machine takes its disk out, at once or a little later. */
  #out({ machine, isWanted }: Leaver): void {
    const { timeline, tally } = this.#farm;
    machine.isRemoved = true;
    this.#farm.note(machine.peer, 'left');
    // Where somebody had it stay before its word was heard, it may have taken up work again.
    if (!isWanted) return this.#tell({ kind: 'remove', machine, at: machine });
    machine.hasLeft = true;
    tally.outcome('member left in order');
    this.#tell({ kind: 'left', machine, at: machine });
    timeline.after(this.#dice.chance(0.5) ? 0 : this.#dice.between(500, 10_000), () => machine.destroy());
  }
}

/** Whether a machine comes back no more before somebody has it come back. */
const isAway = ({ isOff, isGone, isRemoved }: Machine): boolean => isOff || isGone || isRemoved;

/** Whether the disk of a machine says that another has removed itself. */
function knowsThatItLeft(machine: Machine, { peer }: Machine): boolean {
  const record = onDisk(machine, `member/${peer}`);
  return record?.kind === 'member' && record.removals[peer] !== undefined;
}
