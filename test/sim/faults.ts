import type { PeerId } from '@cuadro/protocol';
import type { Dice } from './dice.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import type { People } from './people.ts';

const HOUR_MS = 3_600_000;

/** What goes wrong: each fault begins at once and ends by itself after a while, or when everything is healed. */
export class Faults {
  readonly #farm: SimFarm;
  readonly #dice: Dice;
  /** What ends the faults of now. */
  readonly #ends = new Set<() => void>();
  count = 0;

  constructor(farm: SimFarm) {
    this.#farm = farm;
    this.#dice = farm.dice.fork('faults');
  }

  /** Something goes wrong, somewhere. */
  strike(): void {
    this.count += 1;
    const strike = this.#dice.weighted<() => void>([
      [5, () => this.#crash()],
      [3, () => this.#stall()],
      [3, () => this.#partition()],
      [3, () => this.#isolate()],
      [2, () => this.#oneWay()],
      [3, () => this.#sickLink()],
      [2, () => this.#flap()],
      [2, () => this.#slow()],
      [2, () => this.#lossy()],
      [1, () => this.#slowDisk()],
      [1, () => this.#fullDisk()],
      [1, () => this.#brokenDisk()],
      [1, () => this.#damage()],
      [1, () => this.#wallClock()],
      [1, () => this.#badMachine()],
    ]);
    strike();
  }

  /** What happens once in a run, where its profile says so. */
  plan(people: People): void {
    const { profile, timeline } = this.#farm;
    const once = (act: () => void): void => {
      timeline.after(profile.faultyMs * this.#dice.between(0.2, 0.9), act);
    };
    if (profile.destroys) once(() => this.#destroy(people));
    if (profile.removes) once(() => people.remove(this.#machine()));
    if (profile.joins)
      once(() => {
        this.#farm.newMachine().start();
        people.openDoor();
      });
  }

  /** One machine may be lost at any moment; a further one only once everything is on two disks again. */
  #destroy(people: People): void {
    const machine = this.#machine();
    this.#note('destroy', { machine: machine.name });
    machine.destroy();
    this.#farm.lostDisks += 1;
    this.#farm.timeline.after(this.#dice.between(1_000, 10_000), () => people.remove(machine));
  }

  /** All is well again: ways open, machines on, disks whole. */
  heal(): void {
    for (const end of [...this.#ends]) end();
    const { machines, wire } = this.#farm;
    wire.gossipLoss = 0;
    wire.gossipReplay = 0;
    if (this.#farm.profile.staysOff) this.#switchOff();
    for (const machine of machines) {
      if (machine.isGone) continue;
      machine.resume();
      machine.start();
    }
  }

  /** Somebody goes home and takes a machine along, of which nobody else's work needs what it alone has. */
  #switchOff(): void {
    const { machines, workshop } = this.#farm;
    const plansOn = (machine: Machine): Set<string> => new Set(machine.disk.blobs.contents.keys());
    const candidates = this.#dice.shuffled(machines.filter(({ isGone, isRemoved }) => !isGone && !isRemoved));
    const machine = candidates.find((one) => {
      const others = machines.filter((other) => other !== one && !other.isGone).map(plansOn);
      return [...workshop.natures.values()].every(
        ({ plan }) => !one.disk.blobs.contents.has(plan) || others.some((plans) => plans.has(plan)),
      );
    });
    if (machine === undefined) return;
    this.#note('switched off', { machine: machine.name });
    machine.crash('power');
    machine.isOff = true;
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
    machine.crash(how);
    this.#lasting(this.#duration(), () => machine.start());
  }

  #stall(): void {
    const machine = this.#machine();
    machine.stall();
    this.#lasting(this.#duration(), () => machine.resume());
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
    const mixed = this.#dice.shuffled(this.#farm.machines);
    const size = this.#dice.whole(1, Math.max(1, mixed.length - 1));
    const [one, other] = [mixed.slice(0, size), mixed.slice(size)];
    const ms = this.#duration();
    this.#note('partition', { one: one.map(({ name }) => name), ms: Math.round(ms) });
    for (const a of one) for (const b of other) this.#cutBoth(a.peer, b.peer, ms);
  }

  #isolate(): void {
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
    this.#note('sick link', { between: two.map(({ name }) => name), ms: Math.round(ms) });
    this.#cutBoth(two[0].peer, two[1].peer, ms);
  }

  /** A laptop on a bad cable. */
  #flap(): void {
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
    const machine = this.#machine();
    const ms = this.#duration();
    const delayMs = this.#dice.between(20, 700);
    this.#note('slow', { machine: machine.name, delayMs: Math.round(delayMs), ms: Math.round(ms) });
    for (const other of this.#farm.machines) {
      if (other === machine) continue;
      for (const way of [
        this.#farm.wire.way(machine.peer, other.peer),
        this.#farm.wire.way(other.peer, machine.peer),
      ]) {
        way.baseMs += delayMs;
        way.jitterMs += delayMs / 2;
        this.#lasting(ms, () => {
          way.baseMs -= delayMs;
          way.jitterMs -= delayMs / 2;
        });
      }
    }
  }

  #lossy(): void {
    const { wire, machines } = this.#farm;
    const share = this.#dice.between(0.02, 0.3);
    const ms = this.#duration();
    this.#note('lossy', { share: share.toFixed(2), ms: Math.round(ms) });
    wire.gossipLoss = share;
    wire.gossipReplay = this.#dice.chance(0.5) ? 0.05 : 0;
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
    const { name, disk } = this.#machine();
    this.#note('slow disk', { machine: name });
    disk.faults.writeMs = this.#dice.between(50, 1_000);
    this.#lasting(this.#duration(), () => {
      disk.faults.writeMs = 2;
    });
  }

  #fullDisk(): void {
    const { name, disk } = this.#machine();
    this.#note('full disk', { machine: name });
    disk.faults.full = true;
    this.#lasting(this.#duration(), () => {
      disk.faults.full = false;
    });
  }

  #brokenDisk(): void {
    const machine = this.#machine();
    this.#note('broken disk', { machine: machine.name });
    machine.disk.faults.broken = true;
    this.#lasting(this.#duration(), () => {
      machine.disk.faults.broken = false;
      machine.start();
    });
  }

  /** A file rots where another good copy of it is. */
  #damage(): void {
    // A run that loses a machine loses nothing else: the promise is of one at a time.
    if (this.#farm.profile.destroys || this.#farm.profile.staysOff) return;
    const machine = this.#machine();
    const { contents } = machine.disk.blobs;
    const hash = contents.size === 0 ? undefined : this.#dice.pick([...contents.keys()]);
    if (hash === undefined) return;
    const isElsewhere = this.#farm.machines.some(
      ({ disk, isGone }) =>
        disk !== machine.disk && !isGone && disk.blobs.contents.has(hash) && !disk.faults.damaged.has(hash),
    );
    if (!isElsewhere) return;
    this.#note('damage', { machine: machine.name, hash: hash.slice(0, 8) });
    machine.disk.faults.damaged.add(hash);
    machine.disk.faults.everDamaged.add(hash);
  }

  #wallClock(): void {
    const { name, host } = this.#machine();
    const byMs = this.#dice.between(-3 * HOUR_MS, 3 * HOUR_MS);
    this.#note('wall clock', { machine: name, byMs: Math.round(byMs) });
    host.faults.wallOffsetMs += byMs;
  }

  #badMachine(): void {
    const { name } = this.#machine();
    const { bad } = this.#farm.workshop;
    this.#note('bad machine', { machine: name });
    bad.add(name);
    this.#lasting(this.#duration(), () => void bad.delete(name));
  }
}
