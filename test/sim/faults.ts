import type { PeerId } from '@cuadro/protocol';
import type { Checkers } from './checkers/checkers.ts';
import type { Dice } from './dice.ts';
import { DiskTrouble } from './disk-trouble.ts';
import type { SimFarm } from './farm.ts';
import { Fates } from './fates.ts';
import { FaultLog } from './fault-log.ts';
import type { Machine } from './machine.ts';
import { Rot } from './rot.ts';
import { SlowLead } from './slow-lead.ts';
import type { Fault } from './tally.ts';
import { Wakes } from './wakes.ts';

const HOUR_MS = 3_600_000;
/** Share of restarts before which what is only cached is swept away. */
const SWEPT = 0.3;
/** A fault out of reach is thrown again. */
const TRIES = 1_000;

/** What goes wrong: each fault begins at once and ends by itself after a while, or when everything is healed. */
export class Faults {
  readonly #farm: SimFarm;
  readonly #dice: Dice;
  readonly #disks: DiskTrouble;
  /** What ends the faults of now. */
  readonly #ends = new Set<() => void>();
  readonly log: FaultLog;
  readonly fates: Fates;
  /** Faults that farms of one profile have, and others none of. */
  readonly #aimed: readonly { begin(): void }[];

  constructor(farm: SimFarm, safety: Pick<Checkers, 'isSafe' | 'staysWhole'>) {
    this.#farm = farm;
    this.#dice = farm.dice.fork('faults');
    this.log = new FaultLog(farm.tally);
    this.#disks = new DiskTrouble({
      farm,
      safety,
      dice: this.#dice,
      log: this.log,
      note: (what, more) => this.#note(what, more),
      lasting: (ms, end) => this.#lasting(ms, end),
      machine: () => this.#machine(),
      durationMs: () => this.#duration(),
    });
    this.fates = new Fates({ farm, safety, dice: this.#dice, log: this.log });
    const aimed = {
      ...{ farm, safety, log: this.log },
      note: (what: string, more?: unknown) => this.#note(what, more),
      lasting: (ms: number, end: () => void) => this.#lasting(ms, end),
    };
    this.#aimed = [new Wakes(aimed), new Rot(aimed), new SlowLead(aimed)];
  }

  /** From now on things go wrong. */
  begin(): void {
    this.log.begin(this.#farm.timeline.now);
    for (const aimed of this.#aimed) aimed.begin();
  }

  /** Something goes wrong, somewhere. */
  strike(): void {
    const before = this.log.count;
    // Where nobody is there whom anything could befall, somebody comes back.
    const { machines } = this.#farm;
    if (!machines.some(isOn))
      this.#dice.pick(machines.filter(({ isGone, isRemoved }) => !isGone && !isRemoved)).start();
    // Some need what isn't there (a file to rot, a second machine), or befall who is off: then it is something else.
    for (let i = 0; i < TRIES && this.log.count === before; i++) this.#strikeOnce();
  }

  #strikeOnce(): void {
    const strike = this.#dice.weighted<() => void>([
      [5, () => this.#crash()],
      [3, () => this.#stall()],
      [2, () => this.#suspend()],
      [3, () => this.#partition()],
      [3, () => this.#isolate()],
      [2, () => this.#oneWay()],
      [3, () => this.#sickLink()],
      [2, () => this.#slowLink()],
      [2, () => this.#flap()],
      [2, () => this.#slow()],
      [2, () => this.#lossy()],
      [1, () => this.#disks.slow()],
      [2, () => this.#disks.fill()],
      [1, () => this.#disks.break()],
      [2, () => this.#disks.damage()],
      [1, () => this.#wallClock()],
      [2, () => this.#badMachine()],
    ]);
    strike();
  }

  /** All is well again: ways open, machines on, disks whole. */
  heal(): void {
    for (const end of [...this.#ends]) end();
    const { machines, wire } = this.#farm;
    wire.gossipLoss = 0;
    wire.gossipReplay = 0;
    if (this.#farm.profile.staysOff) this.fates.switchOff();
    for (const machine of machines) {
      if (machine.isGone) continue;
      machine.resume();
      machine.start();
    }
  }

  /** Only what has an effect counts: a disk that fails while its machine is off shows once that comes back, if at all. */
  #count(kind: Fault): void {
    this.log.add(kind, this.#farm.timeline.now);
  }

  #note(what: string, more?: unknown): void {
    this.#farm.note(undefined, 'fault', { what, more });
  }

  /** A fault that lasts: `end` runs once, after so long or at the healing. */
  #lasting(ms: number, end: () => void): void {
    const once = (): void => {
      if (this.#ends.delete(once)) end();
    };
    this.#ends.add(once);
    this.#farm.timeline.after(ms, once);
  }

  /** Mostly short, now and then long enough for every deadline to pass. */
  #duration(): number {
    return this.#dice.weighted([
      [4, this.#dice.between(200, 3_000)],
      [4, this.#dice.between(3_000, 12_000)],
      [2, this.#dice.between(12_000, 40_000)],
    ]);
  }

  #machine(): Machine {
    return this.#dice.pick(this.#farm.machines.filter(({ isGone }) => !isGone));
  }

  #crash(): void {
    const machine = this.#machine();
    if (!isOn(machine)) return;
    const how = this.#dice.chance(0.5) ? 'killed' : 'power';
    this.#count(how === 'power' ? 'power cut' : 'killed');
    const isSwept = this.#dice.chance(SWEPT);
    const ms = this.#duration();
    const crash = (): void => {
      machine.crash(how);
      if (isSwept) {
        this.#count('cache swept');
        machine.sweep();
      }
      this.#lasting(ms, () => machine.start());
    };
    if (!this.#disks.tears(machine, crash)) crash();
  }

  #stall(): void {
    const machine = this.#machine();
    if (!isAwake(machine)) return;
    this.#count('stall');
    machine.stall();
    this.#lasting(this.#duration(), () => machine.resume());
  }

  /** The whole machine sleeps, its clock as well: when it wakes, no time has passed for it. */
  #suspend(): void {
    const machine = this.#machine();
    if (!isAwake(machine)) return;
    this.#count('suspend');
    machine.suspend();
    this.#lasting(this.#duration() * 2, () => machine.resume());
  }

  #cut(from: PeerId, to: PeerId, ms: number): void {
    const { wire } = this.#farm;
    wire.cut(from, to);
    this.#lasting(ms, () => wire.heal(from, to));
  }

  #cutBoth(a: Machine, b: Machine, ms: number): void {
    this.#cut(a.peer, b.peer, ms);
    this.#cut(b.peer, a.peer, ms);
  }

  /** Whether something comes between two: both are there, and could talk. */
  #parts(a: Machine, b: Machine): boolean {
    return isOn(a) && isOn(b) && !this.#farm.wire.way(a.peer, b.peer).isCut;
  }

  #partition(): void {
    const mixed = this.#dice.shuffled(this.#farm.machines);
    const size = this.#dice.whole(1, Math.max(1, mixed.length - 1));
    const [one, other] = [mixed.slice(0, size), mixed.slice(size)];
    const ms = this.#duration();
    this.#note('partition', { one: one.map(({ name }) => name), ms: Math.round(ms) });
    if (!one.some((a) => other.some((b) => this.#parts(a, b)))) return;
    this.#count('partition');
    for (const a of one) for (const b of other) this.#cutBoth(a, b, ms);
  }

  #isolate(): void {
    const machine = this.#machine();
    const ms = this.#duration();
    if (!this.#partsFromAny(machine)) return;
    this.#count('isolate');
    this.#note('isolate', { machine: machine.name, ms: Math.round(ms) });
    for (const other of this.#farm.machines) if (other !== machine) this.#cutBoth(machine, other, ms);
  }

  #partsFromAny(machine: Machine): boolean {
    return this.#farm.machines.some((other) => other !== machine && this.#parts(machine, other));
  }

  #oneWay(): void {
    const machine = this.#machine();
    if (!this.#partsFromAny(machine)) return;
    const ms = this.#duration();
    const isDeaf = this.#dice.chance(0.5);
    this.#note(isDeaf ? 'deaf' : 'mute', { machine: machine.name, ms: Math.round(ms) });
    let hasEffect = false;
    for (const other of this.#farm.machines) {
      if (other === machine || this.#dice.chance(0.3)) continue;
      hasEffect ||= isDeaf ? this.#parts(other, machine) : this.#parts(machine, other);
      if (isDeaf) this.#cut(other.peer, machine.peer, ms);
      else this.#cut(machine.peer, other.peer, ms);
    }
    if (hasEffect) this.#count(isDeaf ? 'deaf' : 'mute');
  }

  #two(): [Machine, Machine] | undefined {
    const [a, b] = this.#dice.shuffled(this.#farm.machines);
    return a === undefined || b === undefined ? undefined : [a, b];
  }

  #sickLink(): void {
    const two = this.#two();
    if (two === undefined || !this.#parts(...two)) return;
    const ms = this.#duration() * 2;
    this.#count('sick link');
    this.#note('sick link', { between: two.map(({ name }) => name), ms: Math.round(ms) });
    this.#cutBoth(...two, ms);
  }

  /** Two machines at the two ends of a bad radio link. */
  #slowLink(): void {
    const two = this.#two();
    if (two === undefined || !this.#parts(...two)) return;
    const ms = this.#duration() * 2;
    const delayMs = this.#dice.between(200, 3_000);
    this.#count('slow link');
    this.#note('slow link', { between: two.map(({ name }) => name), delayMs: Math.round(delayMs) });
    const [a, b] = two;
    this.#delay(a, b, { delayMs, ms });
    this.#delay(b, a, { delayMs, ms });
  }

  #delay(from: Machine, to: Machine, { delayMs, ms }: { delayMs: number; ms: number }): void {
    const way = this.#farm.wire.way(from.peer, to.peer);
    way.baseMs += delayMs;
    way.jitterMs += delayMs / 2;
    this.#lasting(ms, () => {
      way.baseMs -= delayMs;
      way.jitterMs -= delayMs / 2;
    });
  }

  /** A laptop on a bad cable. */
  #flap(): void {
    const machine = this.#machine();
    if (!this.#partsFromAny(machine)) return;
    this.#count('flap');
    this.#note('flap', { machine: machine.name });
    let at = 0;
    for (let turn = 0; turn < 4; turn++) {
      const ms = this.#dice.between(300, 5_000);
      this.#farm.timeline.after(at, () => {
        for (const other of this.#farm.machines)
          if (other !== machine && !this.#farm.isHealed) this.#cutBoth(machine, other, ms);
      });
      at += ms + this.#dice.between(300, 4_000);
    }
  }

  #slow(): void {
    const machine = this.#machine();
    if (!this.#partsFromAny(machine)) return;
    this.#count('slow machine');
    const ms = this.#duration();
    const delayMs = this.#dice.between(20, 700);
    this.#note('slow', { machine: machine.name, delayMs: Math.round(delayMs), ms: Math.round(ms) });
    for (const other of this.#farm.machines) {
      if (other === machine) continue;
      this.#delay(machine, other, { delayMs, ms });
      this.#delay(other, machine, { delayMs, ms });
    }
  }

  #lossy(): void {
    const { wire, machines } = this.#farm;
    if (!machines.some((machine) => this.#partsFromAny(machine))) return;
    this.#count('loss');
    const share = this.#dice.between(0.02, 0.3);
    const ms = this.#duration();
    this.#note('lossy', { share: share.toFixed(2), ms: Math.round(ms) });
    wire.gossipLoss = share;
    wire.gossipReplay = this.#dice.chance(0.5) ? 0.05 : 0;
    if (wire.gossipReplay > 0) this.#count('replay');
    const ways = machines.flatMap((a) =>
      machines.flatMap((b) => (a === b ? [] : [wire.way(a.peer, b.peer)])),
    );
    for (const way of ways) way.loss = share;
    this.#lasting(ms, () => {
      wire.gossipLoss = 0;
      wire.gossipReplay = 0;
      for (const way of ways) way.loss = 0;
    });
  }

  #wallClock(): void {
    const machine = this.#machine();
    const { name, host } = machine;
    if (!isOn(machine)) return;
    this.#count('wall clock jump');
    const byMs = this.#dice.between(-3 * HOUR_MS, 3 * HOUR_MS);
    this.#note('wall clock', { machine: name, byMs: Math.round(byMs) });
    host.faults.wallOffsetMs += byMs;
  }

  #badMachine(): void {
    const machine = this.#machine();
    const { name } = machine;
    const { bad } = this.#farm.workshop;
    if (bad.has(name)) return;
    if (isOn(machine)) this.#count('bad machine');
    this.#note('bad machine', { machine: name });
    bad.add(name);
    this.#lasting(this.#duration(), () => void bad.delete(name));
  }
}

/** A member whose node runs: what befalls another one has no effect on the farm. */
const isOn = ({ host, isRemoved }: Machine): boolean => host.isUp && !isRemoved;
/** And doesn't stand still. */
const isAwake = (machine: Machine): boolean => isOn(machine) && !machine.host.isStalled;
