import type { Checkers } from './checkers/checkers.ts';
import type { Dice } from './dice.ts';
import type { SimFarm } from './farm.ts';
import type { FaultLog } from './fault-log.ts';
import type { Machine } from './machine.ts';
import { isGood } from './on-disk.ts';
import type { Fault } from './tally.ts';

/** What a write takes on a disk that is well, on average. */
const WRITE_MS = 2;
/** Share of crashes that come in the midst of a write of records, and how long one waits for such. */
const TORN = 0.3;
const TORN_WITHIN_MS = 2_000;
/** Share of full disks that have no room for records either, and after how long whoever looks after it tries again. */
const FILLED = 0.4;
const RESTART_MS = 3_000;

interface DiskTroubleInit {
  readonly farm: SimFarm;
  readonly safety: Pick<Checkers, 'staysWhole'>;
  /** Those of all faults. */
  readonly dice: Dice;
  readonly log: FaultLog;
  readonly note: (what: string, more?: unknown) => void;
  /** A fault that lasts: its end runs once, after so long or at the healing. */
  readonly lasting: (ms: number, end: () => void) => void;
  /** Whom it befalls, and for how long. */
  readonly machine: () => Machine;
  readonly durationMs: () => number;
}

/** What goes wrong with disks. */
export class DiskTrouble {
  readonly #init: DiskTroubleInit;
  /** Thrown apart, so that all else of a seed stays as it was before disks tore and refused records. */
  readonly #dice: Dice;

  constructor(init: DiskTroubleInit) {
    this.#init = init;
    this.#dice = init.farm.dice.fork('faults of disks');
  }

  #count(kind: Fault): void {
    this.#init.log.add(kind, this.#init.farm.timeline.now);
  }

  /**
   * Whether a crash is to come in the midst of the next write of records: then it does, and one that finds no write soon
   * comes without.
   */
  tears(machine: Machine, crash: () => void): boolean {
    const { faults } = machine.disk;
    if (!this.#dice.chance(TORN) || faults.cutAtWrite !== undefined) return false;
    const cut = (): void => {
      faults.cutAtWrite = undefined;
      this.#count('torn write of records');
      this.#init.note('torn write', { machine: machine.name });
      crash();
    };
    faults.cutAtWrite = cut;
    this.#init.lasting(TORN_WITHIN_MS, () => {
      if (faults.cutAtWrite !== cut) return;
      faults.cutAtWrite = undefined;
      if (!this.#init.farm.isHealed && isOn(machine)) crash();
    });
    return true;
  }

  slow(): void {
    const machine = this.#init.machine();
    const { name, disk } = machine;
    if (disk.faults.writeMs > WRITE_MS) return;
    if (isOn(machine)) this.#count('slow disk');
    this.#init.note('slow disk', { machine: name });
    disk.faults.writeMs = this.#init.dice.between(50, 1_000);
    this.#init.lasting(this.#init.durationMs(), () => {
      disk.faults.writeMs = WRITE_MS;
    });
  }

  fill(): void {
    const machine = this.#init.machine();
    const { name, disk } = machine;
    if (disk.faults.full) return;
    if (isOn(machine)) this.#count('full disk');
    this.#init.note('full disk', { machine: name });
    disk.faults.full = true;
    if (this.#dice.chance(FILLED)) this.#overfill(machine);
    this.#init.lasting(this.#init.durationMs(), () => {
      disk.faults.full = false;
      if (!disk.faults.filled) return;
      disk.faults.filled = false;
      machine.start();
    });
  }

  /** Not even its records find a place: its node ends when it can't write, and is started again and again. */
  #overfill(machine: Machine): void {
    const { faults } = machine.disk;
    if (isOn(machine)) this.#count('full disk without room for records');
    this.#init.note('no room for records', { machine: machine.name });
    faults.filled = true;
    const again = (): void => {
      this.#init.farm.timeline.after(RESTART_MS, () => {
        if (!faults.filled) return;
        machine.start();
        again();
      });
    };
    again();
  }

  break(): void {
    const machine = this.#init.machine();
    if (machine.disk.faults.broken) return;
    if (isOn(machine)) this.#count('broken disk');
    this.#init.note('broken disk', { machine: machine.name });
    machine.disk.faults.broken = true;
    this.#init.lasting(this.#init.durationMs(), () => {
      machine.disk.faults.broken = false;
      machine.start();
    });
  }

  /** A file rots where another good copy is of it, and another holder has all that it belongs to. */
  damage(): void {
    // A run that loses a machine loses nothing else: the promise is of one at a time.
    const { destroys, removes, leaves, staysOff } = this.#init.farm.profile;
    if (destroys || removes || leaves > 0 || staysOff) return;
    const machine = this.#init.machine();
    if (!isOn(machine)) return;
    const { contents } = machine.disk.blobs;
    const hash = contents.size === 0 ? undefined : this.#init.dice.pick([...contents.keys()]);
    if (hash === undefined) return;
    const isElsewhere = this.#init.farm.machines.some(
      (other) => other !== machine && !other.isGone && isGood(other, hash),
    );
    if (!isElsewhere || !this.#init.safety.staysWhole(hash, machine)) return;
    this.#count('damaged file');
    this.#init.note('damage', { machine: machine.name, hash: hash.slice(0, 8) });
    machine.disk.faults.damaged.add(hash);
    machine.disk.faults.everDamaged.add(hash);
  }
}

const isOn = ({ host, isRemoved }: Machine): boolean => host.isUp && !isRemoved;
