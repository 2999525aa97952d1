import {
  JOB_ENDS,
  recordKey,
  type FarmRecord,
  type FarmView,
  type JobState,
  type KnownRecord,
  type PeerId,
} from '@cuadro/protocol';
import { admit, foundFarm, ownRecord } from '../../node/src/farm/founding.ts';
import { recordToBytes } from '../../node/src/store/record-bytes.ts';
import { Dice } from './dice.ts';
import { Machine, type Witness } from './machine.ts';
import type { Profile } from './profile.ts';
import { Tally } from './tally.ts';
import { Timeline } from './timeline.ts';
import { SimWire } from './wire.ts';
import { Workshop } from './workshop.ts';

/** Names that people give to machines. */
const NAMES = ['alba', 'belen', 'carmen', 'dolores', 'elena', 'fatima', 'gloria', 'herminia', 'ines'];

/** A clock is wrong from here on, by more than any in order: by five in a thousand, or an hour. */
const SKEWED_SHARE = 0.005;
const SKEWED_WALL_MS = 3_600_000;

/** A whole farm of one run: machines, network, and what is rendered on them. */
export class SimFarm {
  readonly seed: bigint;
  readonly profile: Profile;
  readonly dice: Dice;
  readonly timeline = new Timeline();
  readonly wire: SimWire;
  readonly machines: Machine[] = [];
  readonly tally = new Tally();
  readonly workshop: Workshop;
  /** Whether the time of faults is over. */
  isHealed = false;
  /** Disks that were destroyed so far. */
  lostDisks = 0;
  /** Puts a line into the trace. */
  note: (peer: PeerId | undefined, what: string, more?: unknown) => void = () => undefined;
  readonly #witness: Witness;

  constructor(seed: bigint, profile: Profile, witness: Witness) {
    this.seed = seed;
    this.profile = profile;
    this.dice = new Dice(seed).fork('farm');
    this.wire = new SimWire(this.timeline, this.dice.fork('wire'));
    this.#witness = witness;
    this.workshop = new Workshop(this.dice.fork('workshop'), this.tally, (name) => this.#takeDown(name));
    for (let i = 0; i < profile.machines; i++) this.newMachine();
    if (!profile.isFounded) return;
    const size = profile.isSplit ? Math.ceil(this.machines.length / 2) : this.machines.length;
    this.#found('the farm', this.machines.slice(0, size));
    if (profile.isSplit) this.#found('the other farm', this.machines.slice(size));
  }

  newMachine(): Machine {
    const name = NAMES[this.machines.length] ?? `machine ${this.machines.length}`;
    const { timeline, wire, workshop, tally } = this;
    const onSlept = (peer: string): void => {
      this.#witness.note(peer, 'sleep shows');
      tally.fault('sleep that shows late');
    };
    const machine = new Machine(
      {
        timeline,
        wire,
        dice: this.dice.fork(name),
        witness: this.#witness,
        engine: workshop,
        tally,
        isExact: this.profile.isExact,
        keepsDiary: this.profile.keepsDiary === true,
        isStubborn: this.profile.isStubborn === true,
        ...(this.profile.addsSleep === true && { onSlept }),
      },
      name,
      this.dice.bytes(32),
    );
    machine.slots = this.profile.slots;
    machine.host.faults.rate = 1 + this.profile.clockSkew * this.dice.between(-1, 1);
    machine.host.faults.wallOffsetMs = this.profile.wallSkewMs * this.dice.between(-1, 1);
    this.#countSkew(machine);
    this.machines.push(machine);
    return machine;
  }

  #countSkew({ host: { faults } }: Machine): void {
    if (Math.abs(faults.rate - 1) >= SKEWED_SHARE) this.tally.fault('clock skew');
    if (Math.abs(faults.wallOffsetMs) >= SKEWED_WALL_MS) this.tally.fault('wall clock skew');
  }

  of(peer: PeerId): Machine | undefined {
    return this.machines.find((machine) => machine.peer === peer);
  }

  /** Members whose nodes run. */
  up(): Machine[] {
    return this.machines.filter(({ isUp, isRemoved }) => isUp && !isRemoved);
  }

  /** All of them are members from the begin, and know where the others are. */
  #found(farmName: string, machines: readonly Machine[]): void {
    const [founder] = machines;
    if (founder === undefined) return;
    const clock = founder.host.clock();
    const { signer } = founder;
    const names = { farm: farmName, machine: founder.name };
    const random = this.dice.fork(farmName);
    const [farm, own] = foundFarm({ clock, random, signer }, names) as [FarmRecord, KnownRecord];
    const members = machines
      .slice(1)
      .map((machine) => admit({ clock, signer }, farm, ownRecord(machine.signer, machine.name)));
    for (const machine of machines) {
      for (const record of [farm, own, ...members])
        machine.disk.records.records.set(recordKey(record), recordToBytes(record));
      for (const other of machines) if (other !== machine) rememberAddress(machine, other);
    }
  }

  #takeDown(name: string): void {
    const machine = this.machines.find((one) => one.name === name);
    if (machine?.isUp === true) this.tally.outcome('machine taken down by a task');
    machine?.crash('killed');
    // Its owner, or the system, starts the node again.
    this.timeline.after(this.dice.between(1_000, 8_000), () => machine?.start());
  }

  /** The farms that there are; a machine that is in none, or in one no more, stands for itself. */
  farms(): Set<string> {
    const nameOf = ({ peer, queries, life }: Machine): string =>
      (life?.farm.door().state === 'looking' || life?.farm.door().state === 'waiting'
        ? undefined
        : queries?.farmRecord()?.id) ?? peer;
    return new Set(this.up().map(nameOf));
  }

  /**
   * Whether nothing is left to do, as every node that runs sees it. While one starts again that a task has taken down,
   * nobody can say so: it may know of more, and where it is the only one there is nobody else to ask.
   */
  isAtRest(): boolean {
    return (
      !this.isAnyAwaited() &&
      this.up().every(({ queries }) => queries?.farmRecord() !== undefined && isQuiet(queries.farm()))
    );
  }

  /** Whether a machine is down that comes back by itself. */
  isAnyAwaited(): boolean {
    return this.machines.some(
      ({ isUp, isOff, isGone, isRemoved }) => !isUp && !isOff && !isGone && !isRemoved,
    );
  }

  /** The one coordinator that all nodes follow; undefined where they don't agree. */
  leader(): Machine | undefined {
    const up = this.up();
    const [first] = up;
    const epoch = first?.queries?.epoch;
    if (epoch === undefined) return undefined;
    const agree = up.every(({ queries }) => {
      const other = queries?.epoch;
      return other?.term === epoch.term && other.peer === epoch.peer;
    });
    const leader = this.of(epoch.peer);
    const leading = up.filter(({ queries }) => queries?.isCoordinator === true);
    return agree && leading.length === 1 && leading[0] === leader ? leader : undefined;
  }
}

/** All jobs have ended, and no machine runs anything. */
const isQuiet = ({ jobs, live }: FarmView): boolean =>
  live.running === 0 && Object.keys(jobs).every((state) => JOB_ENDS.has(state as JobState));

function rememberAddress(machine: Machine, other: Machine): void {
  const { mesh, lobby } = other.station.ports;
  const addresses = { lobby: [`/ip4/127.0.0.1/tcp/${lobby}`], mesh: [`/ip4/127.0.0.1/tcp/${mesh}`] };
  machine.disk.records.local.set(`farm/addresses/${other.peer}`, JSON.stringify(addresses));
}
