import type { PeerId } from '@cuadro/protocol';
import type { Checkers } from './checkers/checkers.ts';
import type { Dice } from './dice.ts';
import type { SimFarm } from './farm.ts';
import { Fates } from './fates.ts';
import { FaultLog } from './fault-log.ts';
import type { Machine } from './machine.ts';
import { isGood } from './on-disk.ts';
import type { Fault } from './tally.ts';

const HOUR_MS = 3_600_000;
/** Share of restarts before which what is only cached is swept away. */
const SWEPT = 0.3;
/** A fault out of reach is thrown again. */
const TRIES = 20;

/** What goes wrong: each fault begins at once and ends by itself after a while, or when everything is healed. */
export class Faults {
  readonly #farm: SimFarm;
  readonly #dice: Dice;
  /** What ends the faults of now. */
  readonly #ends = new Set<() => void>();
  readonly #safety: Pick<Checkers, 'staysWhole'>;
  readonly log: FaultLog;
  readonly fates: Fates;

  constructor(farm: SimFarm, safety: Pick<Checkers, 'isSafe' | 'staysWhole'>) {
    this.#farm = farm;
    this.#safety = safety;
    this.#dice = farm.dice.fork('faults');
    this.log = new FaultLog(farm.tally);
    this.fates = new Fates({ farm, safety, dice: this.#dice, log: this.log });
  }

  /** Something goes wrong, somewhere. */
  strike(): void {
    const before = this.log.count;
    // Some need what isn't there (a file to rot, a second machine): then it is something else.
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
      [1, () => this.#slowDisk()],
      [2, () => this.#fullDisk()],
      [1, () => this.#brokenDisk()],
      [2, () => this.#damage()],
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
    const how = this.#dice.chance(0.5) ? 'killed' : 'power';
    this.#count(how === 'power' ? 'power cut' : 'killed');
    machine.crash(how);
    if (this.#dice.chance(SWEPT)) {
      this.#count('cache swept');
      machine.sweep();
    }
    this.#lasting(this.#duration(), () => machine.start());
  }

  #stall(): void {
    this.#count('stall');
    const machine = this.#machine();
    machine.stall();
    this.#lasting(this.#duration(), () => machine.resume());
  }

  /** The whole machine sleeps, its clock as well: when it wakes, no time has passed for it. */
  #suspend(): void {
    const machine = this.#machine();
    this.#count('suspend');
    machine.suspend();
    this.#lasting(this.#duration() * 2, () => machine.resume());
  }

  #cut(from: PeerId, to: PeerId, ms: number): void {
    const { wire } = this.#farm;
    wire.cut(from, to);
    this.#lasting(ms, () => wire.heal(from, to));
  }

  #cutBoth(a: PeerId, b: PeerId, ms: number): void {
    this.#cut(a, b, ms);
    this.#cut(b, a, ms);
  }

  #partition(): void {
    this.#count('partition');
    const mixed = this.#dice.shuffled(this.#farm.machines);
    const size = this.#dice.whole(1, Math.max(1, mixed.length - 1));
    const [one, other] = [mixed.slice(0, size), mixed.slice(size)];
    const ms = this.#duration();
    this.#note('partition', { one: one.map(({ name }) => name), ms: Math.round(ms) });
    for (const a of one) for (const b of other) this.#cutBoth(a.peer, b.peer, ms);
  }

  #isolate(): void {
    this.#count('isolate');
    const machine = this.#machine();
    const ms = this.#duration();
    this.#note('isolate', { machine: machine.name, ms: Math.round(ms) });
    for (const other of this.#farm.machines)
      if (other !== machine) this.#cutBoth(machine.peer, other.peer, ms);
  }

  #oneWay(): void {
    const machine = this.#machine();
    const ms = this.#duration();
    const isDeaf = this.#dice.chance(0.5);
    this.#count(isDeaf ? 'deaf' : 'mute');
    this.#note(isDeaf ? 'deaf' : 'mute', { machine: machine.name, ms: Math.round(ms) });
    for (const other of this.#farm.machines) {
      if (other === machine || this.#dice.chance(0.3)) continue;
      if (isDeaf) this.#cut(other.peer, machine.peer, ms);
      else this.#cut(machine.peer, other.peer, ms);
    }
  }

  #two(): [Machine, Machine] | undefined {
    const [a, b] = this.#dice.shuffled(this.#farm.machines);
    return a === undefined || b === undefined ? undefined : [a, b];
  }

  #sickLink(): void {
    const two = this.#two();
    if (two === undefined) return;
    const ms = this.#duration() * 2;
    this.#count('sick link');
    this.#note('sick link', { between: two.map(({ name }) => name), ms: Math.round(ms) });
    this.#cutBoth(two[0].peer, two[1].peer, ms);
  }

  /** Two machines at the two ends of a bad radio link. */
  #slowLink(): void {
    const two = this.#two();
    if (two === undefined) return;
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
    this.#count('flap');
    const machine = this.#machine();
    this.#note('flap', { machine: machine.name });
    let at = 0;
    for (let turn = 0; turn < 4; turn++) {
      const ms = this.#dice.between(300, 5_000);
      this.#farm.timeline.after(at, () => {
        for (const other of this.#farm.machines)
          if (other !== machine && !this.#farm.isHealed) this.#cutBoth(machine.peer, other.peer, ms);
      });
      at += ms + this.#dice.between(300, 4_000);
    }
  }

  #slow(): void {
    this.#count('slow machine');
    const machine = this.#machine();
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
    this.#count('loss');
    const { wire, machines } = this.#farm;
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

  #slowDisk(): void {
    this.#count('slow disk');
    const { name, disk } = this.#machine();
    this.#note('slow disk', { machine: name });
    disk.faults.writeMs = this.#dice.between(50, 1_000);
    this.#lasting(this.#duration(), () => {
      disk.faults.writeMs = 2;
    });
  }

  #fullDisk(): void {
    this.#count('full disk');
    const { name, disk } = this.#machine();
    this.#note('full disk', { machine: name });
    disk.faults.full = true;
    this.#lasting(this.#duration(), () => {
      disk.faults.full = false;
    });
  }

  #brokenDisk(): void {
    this.#count('broken disk');
    const machine = this.#machine();
    this.#note('broken disk', { machine: machine.name });
    machine.disk.faults.broken = true;
    this.#lasting(this.#duration(), () => {
      machine.disk.faults.broken = false;
      machine.start();
    });
  }

  /** A file rots where another good copy is of it, and of all that it belongs to. */
  #damage(): void {
    // A run that loses a machine loses nothing else: the promise is of one at a time.
    const { destroys, removes, leaves, staysOff } = this.#farm.profile;
    if (destroys || removes || leaves > 0 || staysOff) return;
    const machine = this.#machine();
    const { contents } = machine.disk.blobs;
    const hash = contents.size === 0 ? undefined : this.#dice.pick([...contents.keys()]);
    if (hash === undefined) return;
    const isElsewhere = this.#farm.machines.some(
      (other) => other !== machine && !other.isGone && isGood(other, hash),
    );
    if (!isElsewhere || !this.#safety.staysWhole(hash, machine)) return;
    this.#count('damaged file');
    this.#note('damage', { machine: machine.name, hash: hash.slice(0, 8) });
    machine.disk.faults.damaged.add(hash);
    machine.disk.faults.everDamaged.add(hash);
  }

  #wallClock(): void {
    this.#count('wall clock jump');
    const { name, host } = this.#machine();
    const byMs = this.#dice.between(-3 * HOUR_MS, 3 * HOUR_MS);
    this.#note('wall clock', { machine: name, byMs: Math.round(byMs) });
    host.faults.wallOffsetMs += byMs;
  }

  #badMachine(): void {
    this.#count('bad machine');
    const { name } = this.#machine();
    const { bad } = this.#farm.workshop;
    this.#note('bad machine', { machine: name });
    bad.add(name);
    this.#lasting(this.#duration(), () => void bad.delete(name));
  }
}
