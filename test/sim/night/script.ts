import { minuteOfWeek, type NightKind } from '@cuadro/protocol';
import { setNode } from '../../../node/src/jobs/control.ts';
import type { JobsComponents } from '../../../node/src/jobs/interface.ts';
import type { Dice } from '../dice.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import type { Deed } from '../people.ts';
import { submitJob, type NightJobPlan } from './jobs.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
/** The night begins at ten in the evening, and ends at six. */
export const EVENING_MS = 22 * HOUR_MS;
export const NIGHT_MS = 8 * HOUR_MS;

/** Something that happened on purpose, and that the morning page must explain. */
export interface Expected {
  readonly kind: NightKind;
  /** Virtual time. */
  readonly at: number;
  readonly until?: number;
  readonly machines: readonly Machine[];
  readonly job?: string;
  /** What its sentence must say. */
  readonly says?: RegExp;
}

/** Who is who in this night. */
export interface Cast {
  /** Submits in the evening, and stays on. */
  readonly submitter: Machine;
  readonly sleeper: Machine;
  readonly rebooter: Machine;
  readonly full: Machine;
  /** Works by hours; before it rests, its cable is pulled. */
  readonly office: Machine;
  readonly artist: Machine;
}

const JOBS: readonly NightJobPlan[] = [
  { name: 'dance', frames: 100, isFilm: true, minutes: 12, long: 0, poison: [] },
  { name: 'crowd', frames: 40, isFilm: false, minutes: 5, long: 4, poison: [] },
  { name: 'smoke', frames: 30, isFilm: true, minutes: 4, long: 0, poison: [11] },
];
const MORNING_JOB: NightJobPlan = {
  ...{ name: 'retake', frames: 8, isFilm: false, minutes: 2, long: 0, poison: [] },
};

/** One night, told to the farm minute by minute; what is to be explained in the morning gathers in `expected`. */
export class NightScript {
  readonly expected: Expected[] = [];
  readonly jobs = new Map<string, string>();
  readonly cast: Cast;
  readonly #farm: SimFarm;
  readonly #dice: Dice;
  readonly #tell: (deed: Deed) => void;
  /** Of what was planned, what could not be done as planned. */
  gone: Machine | undefined;
  #off: Machine | undefined;

  constructor(farm: SimFarm, tell: (deed: Deed) => void) {
    this.#farm = farm;
    this.#dice = farm.dice.fork('night');
    this.#tell = tell;
    const [submitter, sleeper, rebooter, full, office, artist] = this.#dice.shuffled(farm.machines) as [
      Machine,
      ...Machine[],
    ];
    if (!sleeper || !rebooter || !full || !office || !artist) throw new Error('A night takes six machines.');
    this.cast = { submitter, sleeper, rebooter, full, office, artist };
  }

  /** Plans everything. Times are the evening's, give or take some minutes by the seed. */
  plan(): void {
    const { machines } = this.#farm;
    for (const machine of machines) this.#at(this.#dice.between(0, 0.1), () => machine.start());
    this.#at(2, () => this.#setHours());
    this.#at(5, () => this.#submitAll());
    this.#around(45, () => this.#sleep());
    this.#around(85, () => this.#reboot());
    this.#around(130, () => this.#fillDisk());
    this.#around(165, () => this.#pullCable());
    this.#around(240, () => this.#switchOffCoordinator());
    this.#around(300, () => this.#destroy());
    this.#around(360, () => this.#powerCut());
    this.#around(450, () => this.#artistBack());
    this.#at(460, () => this.#submitInTheMorning());
    this.#at(465, () => this.#switchOnAgain());
  }

  #at(minutes: number, act: () => void): void {
    this.#farm.timeline.after(minutes * MINUTE_MS - this.#farm.timeline.now, act);
  }

  #around(minutes: number, act: () => void): void {
    this.#at(minutes + this.#dice.between(-4, 4), act);
  }

  #later(minutes: number, act: () => void): void {
    this.#farm.timeline.after(minutes * MINUTE_MS, act);
  }

  #expect(expected: Omit<Expected, 'at'> & { at?: number }): void {
    this.expected.push({ at: this.#farm.timeline.now, ...expected });
  }

  #set(at: Machine, change: Parameters<typeof setNode>[2]): void {
    const jobs = at.life?.jobs as JobsComponents | undefined;
    if (jobs === undefined) throw new Error(`${at.name} is off.`);
    setNode(jobs, at.peer, change).catch((error: unknown) => this.#farm.timeline.fail(error));
  }

  /** The office's machine renders until one o'clock and from five on; by its own clock, wherever that is. */
  #setHours(): void {
    const { office } = this.cast;
    const wall = office.host.clock().wallTime();
    const tenOClock = minuteOfWeek(new Date(wall)) - 2;
    const minute = (hours: number): number => (tenOClock + hours * 60 + 10_080) % 10_080;
    this.#set(office, { hours: { spans: [{ start: minute(7), end: minute(3) }] } });
    this.#expect({
      kind: 'off-hours',
      at: 3 * HOUR_MS,
      until: 7 * HOUR_MS,
      machines: [office],
    });
  }

  #submitAll(): void {
    for (const plan of JOBS) this.#submit(plan, this.cast.submitter);
  }

  #submit(plan: NightJobPlan, at: Machine): void {
    const id = submitJob(this.#farm, this.#dice, { ...plan, at, tell: this.#tell });
    this.jobs.set(plan.name, id);
    this.#expect({ kind: 'submitted', machines: [at], job: id });
  }

  #sleep(): void {
    const { sleeper } = this.cast;
    sleeper.suspend();
    const minutes = this.#dice.between(30, 80);
    this.#expect({
      kind: 'asleep',
      until: this.#farm.timeline.now + minutes * MINUTE_MS,
      machines: [sleeper],
    });
    this.#later(minutes, () => sleeper.resume());
  }

  #reboot(): void {
    const { rebooter } = this.cast;
    rebooter.crash(this.#dice.chance(0.5) ? 'killed' : 'power');
    const minutes = this.#dice.between(1.5, 6);
    this.#expect({
      kind: 'rebooted',
      until: this.#farm.timeline.now + minutes * MINUTE_MS,
      machines: [rebooter],
    });
    this.#later(minutes, () => rebooter.start());
  }

  #fillDisk(): void {
    const { full } = this.cast;
    full.disk.faults.full = true;
    const minutes = this.#dice.between(20, 60);
    this.#expect({
      kind: 'disk-full',
      until: this.#farm.timeline.now + minutes * MINUTE_MS,
      machines: [full],
    });
    this.#later(minutes, () => {
      full.disk.faults.full = false;
    });
  }

  #pullCable(): void {
    const loose = this.cast.office;
    const { wire, machines } = this.#farm;
    const others = machines.filter((machine) => machine !== loose);
    const both = (act: (from: string, to: string) => void): void => {
      for (const { peer } of others) {
        act(loose.peer, peer);
        act(peer, loose.peer);
      }
    };
    both((from, to) => wire.cut(from, to));
    const minutes = this.#dice.between(3, 12);
    // Cut off from the rest, and the rest from it, if it led: whoever was many tells of the few.
    this.#expect({
      kind: 'cut-off',
      until: this.#farm.timeline.now + minutes * MINUTE_MS,
      machines: [loose],
    });
    this.#later(minutes, () => both((from, to) => wire.heal(from, to)));
  }

  #switchOffCoordinator(): void {
    const leader = this.#farm.leader();
    if (leader === undefined) throw new Error('Nobody leads the farm at two.');
    this.#off = leader;
    this.#expect({ kind: 'switched-off', machines: [leader] });
    this.#expect({
      kind: 'coordinator',
      machines: [],
      says: new RegExp(`because ${leader.name} was switched off`),
    });
    leader.switchOff().catch((error: unknown) => this.#farm.timeline.fail(error));
  }

  #switchOnAgain(): void {
    this.#off?.start();
  }

  /** Of all machines one that nobody needs as a person: its disk is gone for good. */
  #destroy(): void {
    const { submitter, artist, office } = this.cast;
    const kept = new Set([submitter, artist, office, this.#off]);
    const gone = this.#dice.pick(this.#farm.up().filter((machine) => !kept.has(machine)));
    this.gone = gone;
    const grants = gone.life?.worker.running ?? [];
    this.#expect({ kind: 'lost', machines: [gone] });
    const [running] = grants;
    if (running !== undefined) this.#expect({ kind: 'attempts-lost', machines: [gone], job: running.job });
    gone.destroy();
    this.#farm.lostDisks += 1;
  }

  #powerCut(): void {
    const fallen = this.#farm.up();
    let lastMinutes = 0;
    for (const machine of fallen) {
      machine.crash('power');
      const minutes = this.#dice.between(2, 5);
      lastMinutes = Math.max(lastMinutes, minutes);
      this.#later(minutes, () => machine.start());
    }
    const until = this.#farm.timeline.now + lastMinutes * MINUTE_MS;
    this.#expect({ kind: 'power-cut', until, machines: fallen });
  }

  /** Whoever sits down in the morning: not at the machine that was switched off. */
  get #artist(): Machine {
    const { artist, submitter } = this.cast;
    return artist === this.#off ? submitter : artist;
  }

  #artistBack(): void {
    const artist = this.#artist;
    this.#set(artist, { ownerDesired: 'paused' });
    const minutes = this.#dice.between(12, 25);
    this.#expect({
      kind: 'paused',
      until: this.#farm.timeline.now + minutes * MINUTE_MS,
      machines: [artist],
    });
    this.#later(minutes, () => this.#set(artist, { ownerDesired: 'active' }));
  }

  #submitInTheMorning(): void {
    this.#submit(MORNING_JOB, this.#artist);
  }

  /** What the night's end adds: jobs that ended, and the frame that nobody could render. */
  end(): void {
    const smoke = this.jobs.get('smoke');
    for (const id of this.jobs.values()) this.#expect({ kind: 'job-ended', machines: [], job: id });
    if (smoke !== undefined)
      this.#expect({ kind: 'task-failed', machines: [], job: smoke, says: /^Frame 11 of .*failed/ });
  }
}
