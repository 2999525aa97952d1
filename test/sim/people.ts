import { encode, JOB_ENDS, type JobRecord, type Plan } from '@cuadro/protocol';
import { deleteJob, requeue, setJob, setNode } from '../../node/src/jobs/control.ts';
import type { JobsComponents, Kept } from '../../node/src/jobs/interface.ts';
import { assertStays } from '../../node/src/jobs/leaving.ts';
import { isSetAside } from './checkers/rules.ts';
import type { Dice } from './dice.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { contentOf, has, jobsOn, knowsThatItIsOut, taskOn } from './on-disk.ts';
import { jobRecord, natureOf, planOf, sceneOf, storeScene } from './recipes.ts';
import type { DeedKind } from './tally.ts';
import { weekMinute } from './worker.ts';

/** What somebody did, as the checkers hear of it. */
export type Deed =
  | { readonly kind: 'submitted'; readonly job: string; readonly plan: Plan; readonly at: Machine }
  | { readonly kind: 'accepted'; readonly job: string; readonly at: Machine; readonly kept: Kept }
  | {
      readonly kind: 'requeue';
      readonly job: string;
      readonly at: Machine;
      readonly tasks: readonly string[] | 'all' | 'failed';
    }
  | { readonly kind: 'delete' | 'change'; readonly job: string; readonly at: Machine }
  | {
      readonly kind: 'to leave';
      readonly machine: Machine;
      readonly at: Machine;
      /** How many machines hold that word, as the answer says. */
      readonly machines: number;
    }
  | { readonly kind: 'remove' | 'left'; readonly machine: Machine; readonly at: Machine };

/** How long a door is opened for. */
const DOOR_MS = 600_000;
/** How often somebody looks whether a machine is out. */
const LOOK_MS = 500;

/** The people of a farm: they submit, change their minds, and press buttons on any machine. */
export class People {
  readonly #farm: SimFarm;
  readonly #dice: Dice;
  readonly #tell: (deed: Deed) => void;
  readonly jobs: string[] = [];

  constructor(farm: SimFarm, tell: (deed: Deed) => void) {
    this.#farm = farm;
    this.#dice = farm.dice.fork('people');
    this.#tell = tell;
  }

  /** Somebody does something, somewhere. */
  act(): void {
    const at = this.#someMachine();
    if (at === undefined) return;
    const act = this.#dice.weighted<() => void>([
      [6, () => this.submit(at)],
      [3, () => this.#requeue(at)],
      [2, () => this.#setJob(at)],
      [1, () => this.#delete(at)],
      [2, () => this.#setNode(at)],
      [1, () => this.#setHours(at)],
      [1, () => this.mergeFarms()],
    ]);
    act();
  }

  #someMachine(): Machine | undefined {
    const there = this.#farm.up().filter(({ life, host }) => life !== undefined && !host.isStalled);
    const members = there.filter(({ queries }) => queries?.farmRecord() !== undefined);
    return members.length === 0 ? undefined : this.#dice.pick(members);
  }

  /** What people do may fail (the job is gone, the node ends meanwhile); they see that, and nothing else may happen. */
  #do(at: Machine, what: string, act: (components: JobsComponents) => Promise<unknown>): void {
    const jobs = at.life?.jobs;
    if (jobs === undefined) return;
    act(jobs as JobsComponents).catch((error: unknown) => {
      if ((error as { code?: string }).code === undefined) this.#farm.timeline.fail(error);
    });
    this.#note(at, what);
  }

  #note(at: Machine, what: string): void {
    this.#farm.note(at.peer, 'person', what);
  }

  /** Somebody at one of these has something to render, since little else is. */
  keepBusy(able: readonly Machine[]): void {
    if (able.length > 0) this.#submit(this.#dice.pick(able));
  }

  submit(at: Machine): void {
    if (this.jobs.length < this.#farm.profile.jobs) this.#submit(at);
  }

  #submit(at: Machine): void {
    const dice = this.#dice;
    const { profile, workshop, tally } = this.#farm;
    const id = dice.name(16);
    const plan = planOf(dice);
    const scene = dice.chance(0.4) ? sceneOf(dice) : undefined;
    const priority = dice.whole(1, 100);
    const after = dice.chance(0.25) && this.jobs.length > 0 ? [dice.pick(this.jobs)] : [];
    const known = after.filter((job) => at.queries?.jobRecord(job) !== undefined);
    this.jobs.push(id);
    workshop.natures.set(id, natureOf(dice, plan, profile.taskMs));
    tally.deed(scene === undefined ? 'submit' : 'submit with a bundle');
    if (known.length > 0) tally.deed('submit after another job');
    this.#do(at, `submit ${id}`, async (components) => {
      const { blobs, driver, copies } = components;
      this.#assertStays(components);
      const bundle = scene === undefined ? undefined : await storeScene(components, id, scene);
      const { hash } = await blobs.putBytes(encode(plan), { pin: id });
      try {
        this.#assertStays(components);
      } catch (error) {
        await blobs.unpinOwner(id);
        throw error;
      }
      const record = jobRecord(components, { id, plan, hash, bundle, after: known, priority });
      this.#tell({ kind: 'submitted', job: id, plan, at });
      await driver.merge([record]);
      const kept = await copies.acknowledge(id);
      tally.deed(kept.machines > 1 ? 'accepted on two machines' : 'accepted on one machine');
      this.#tell({ kind: 'accepted', job: id, at, kept });
    });
  }

  /** A node refuses a new job before it stores it and once more after that, as `submitJob` does. */
  #assertStays(components: JobsComponents): void {
    try {
      assertStays(components);
    } catch (error) {
      this.#farm.tally.outcome('job refused by a machine that leaves');
      throw error;
    }
  }

  #someJob(at: Machine): JobRecord | undefined {
    const ids = at.queries?.jobIds().filter((id) => at.queries?.jobRecord(id)?.deleted === undefined) ?? [];
    return ids.length === 0 ? undefined : at.queries?.jobRecord(this.#dice.pick(ids));
  }

  #requeue(at: Machine): void {
    const job = this.#someJob(at);
    if (job === undefined) return;
    const index = this.#dice.whole(0, job.spec.tasks - 1);
    const tasks = this.#dice.weighted<'all' | 'failed' | string[]>([
      [5, [`#${index}`]],
      [2, 'failed'],
      [1, 'all'],
    ]);
    this.#farm.tally.deed(
      tasks === 'all' ? 'requeue all' : tasks === 'failed' ? 'requeue the failed' : 'requeue one task',
    );
    this.#tell({ kind: 'requeue', job: job.id, at, tasks });
    this.#do(at, `requeue ${job.id} ${String(tasks)}`, (components) => requeue(components, job.id, tasks));
  }

  #setJob(at: Machine): void {
    const job = this.#someJob(at);
    if (job === undefined) return;
    type Wanted = Parameters<typeof setJob>[2];
    const [kind, wanted] = this.#dice.weighted<readonly [DeedKind, Wanted]>([
      [2, ['pause', { desired: 'paused' }]],
      [3, ['resume', { desired: 'active' }]],
      [1, ['cancel', { desired: 'canceled' }]],
      [2, ['priority', { priority: this.#dice.whole(1, 100) }]],
      [1, ['machine limit', { machineLimit: this.#dice.whole(0, 2) }]],
    ]);
    this.#farm.tally.deed(kind);
    this.#tell({ kind: 'change', job: job.id, at });
    this.#do(at, `set ${job.id} ${JSON.stringify(wanted)}`, (components) =>
      setJob(components, job.id, wanted),
    );
  }

  #delete(at: Machine): void {
    const job = this.#someJob(at);
    if (job === undefined) return;
    this.#farm.tally.deed('delete');
    this.#tell({ kind: 'delete', job: job.id, at });
    this.#do(at, `delete ${job.id}`, (components) => deleteJob(components, job.id));
  }

  #setNode(at: Machine): void {
    const { tally, machines } = this.#farm;
    const desired = this.#dice.pick(['active', 'active', 'paused', 'draining'] as const);
    if (this.#dice.chance(0.5)) {
      tally.deed('own wish');
      this.#do(at, `own ${desired}`, (components) => setNode(components, at.peer, { ownerDesired: desired }));
      return;
    }
    const other = this.#dice.pick(machines);
    tally.deed("farm's wish");
    this.#do(at, `set ${other.name} ${desired}`, (components) =>
      setNode(components, other.peer, { desired }),
    );
  }

  /** A machine is to sleep a minute or two from now on, by its own clock (SPEC R108), or to run fewer tasks at once. */
  #setHours(at: Machine): void {
    const { tally, machines } = this.#farm;
    const { name, peer, host } = this.#dice.pick(machines);
    if (this.#dice.chance(0.25)) {
      const slots = this.#dice.whole(0, 2);
      tally.deed('slots');
      this.#do(at, `slots of ${name} ${slots}`, (components) => setNode(components, peer, { slots }));
      return;
    }
    const start = weekMinute(host.clock().wallTime());
    const end = weekMinute(host.clock().wallTime() + this.#dice.whole(1, 2) * 60_000);
    tally.deed('hours');
    this.#do(at, `hours of ${name}`, (components) =>
      setNode(components, peer, { hours: { spans: [{ start: end, end: start }] } }),
    );
  }

  /** Somebody takes a machine out of the farm, from another one. */
  remove(machine: Machine): void {
    const others = this.#farm.up().filter((one) => one !== machine && !one.host.isStalled);
    const at = others.length === 0 ? undefined : this.#dice.pick(others);
    const farm = at?.life?.farm;
    if (at === undefined || farm === undefined || machine.isRemoved) return;
    this.#note(at, `remove ${machine.name}`);
    this.#farm.tally.deed('remove a machine');
    const removed = (): void => {
      if (machine.isRemoved) return;
      machine.isRemoved = true;
      this.#tell({ kind: 'remove', machine, at });
    };
    farm.removeMember(machine.peer, 'sold').then(removed, () => undefined);
    this.#lookWhereEnded(at, machine, removed);
  }

  /** A node that was to remove a machine may end once that is written, and before it has answered: it is out all the same. */
  #lookWhereEnded(at: Machine, machine: Machine, removed: () => void): void {
    const { life } = at.host;
    const look = (): void => {
      if (machine.isRemoved) return;
      const hasEnded = !at.isUp || at.host.life !== life;
      const isOut = this.#farm.machines.some((one) => one !== machine && knowsThatItIsOut(one, machine));
      if (hasEnded && isOut) removed();
      else this.#farm.timeline.after(LOOK_MS, look);
    };
    look();
  }

  /** Somebody opens the door for newcomers. */
  openDoor(): void {
    const at = this.#someMachine();
    if (at === undefined) return;
    this.#note(at, 'open the door');
    this.#farm.tally.deed('open the door');
    at.life?.farm.openDoor(DOOR_MS).catch(() => undefined);
  }

  /** Where machines are in several farms: a person of two of them wants these to be one (SPEC R66). */
  mergeFarms(): void {
    const at = (machine: Machine): string | undefined => machine.queries?.farmRecord()?.id;
    const there = this.#farm.up().filter((machine) => at(machine) !== undefined && !machine.host.isStalled);
    const one = there.length === 0 ? undefined : this.#dice.pick(there);
    const others = there.filter((machine) => one !== undefined && at(machine) !== at(one));
    if (one === undefined || others.length === 0) return;
    const other = this.#dice.pick(others);
    this.#farm.tally.deed('merge two farms');
    for (const [machine, farm] of [
      [one, at(other)],
      [other, at(one)],
    ] as const) {
      this.#note(machine, 'merge the farms');
      // It may not have found the other farm yet, or just be about to leave its own.
      machine.life?.farm.mergeFarm(farm).catch((error: unknown) => {
        if ((error as { code?: string }).code === undefined) this.#farm.timeline.fail(error);
      });
    }
  }

  /**
   * Where all machines that are on were set aside for a job, it waits for one that is off, and says so: whoever reads
   * that switches it on. It may still be paused or draining, as its owner last wanted it, and is released as well.
   */
  switchOn(): boolean {
    const off = this.#farm.machines.find(({ isOff }) => isOff);
    const up = this.#farm.up();
    const [at] = up;
    if (off === undefined || at === undefined) return false;
    const waits = jobsOn(at).some((job) => {
      if (JOB_ENDS.has(at.queries?.job(job.id)?.state ?? 'done')) return false;
      const tasks = [...Array(job.spec.tasks).keys()].flatMap((index) => taskOn(at, job.id, index) ?? []);
      return up.every(({ peer }) => isSetAside(peer, job, tasks));
    });
    if (!waits) return false;
    this.#note(off, 'switched on again');
    off.isOff = false;
    off.start();
    return true;
  }

  /** A job that only a destroyed machine could tell of has no use any more. */
  #giveUp(at: Machine): void {
    const { lostDisks, machines } = this.#farm;
    if (lostDisks === 0) return;
    for (const { id, ...job } of jobsOn(at)) {
      const content = contentOf({ id, ...job }, machines);
      if (content.every((hash) => machines.some((machine) => has(machine, hash)))) continue;
      this.#tell({ kind: 'delete', job: id, at });
      this.#do(at, `delete ${id}`, (components) => deleteJob(components, id));
    }
  }

  /**
   * What only machines had that were removed is gone: once nothing else is left to do, whoever reads what the jobs wait
   * for deletes them.
   */
  giveUpRemoved(): void {
    const { machines } = this.#farm;
    const [at] = this.#farm.up();
    // One that has left has taken nothing along.
    if (at === undefined || !machines.some(({ isRemoved, hasLeft }) => isRemoved && !hasLeft)) return;
    const members = machines.filter(({ isRemoved }) => !isRemoved);
    const open = jobsOn(at).filter(({ id }) => {
      const state = at.queries?.job(id)?.state ?? 'done';
      return state !== 'waiting' && !JOB_ENDS.has(state);
    });
    const isGone = (job: JobRecord): boolean =>
      contentOf(job, machines).some((hash) => !members.some((machine) => has(machine, hash)));
    if (!open.every(isGone)) return;
    for (const { id } of open) {
      this.#tell({ kind: 'delete', job: id, at });
      this.#do(at, `delete ${id}`, (components) => deleteJob(components, id));
    }
  }

  /**
   * Whoever comes in the morning lets everything go on. What its owner wants of a machine is said at that machine only
   * (SPEC R37): of one that is off nothing can be taken back before it is on again.
   */
  release(at: Machine): void {
    for (const machine of this.#farm.machines) if (machine.isGone) this.remove(machine);
    if (this.#farm.up().some(({ queries }) => queries?.farmRecord() === undefined)) this.openDoor();
    this.#giveUp(at);
    for (const machine of this.#farm.up()) {
      const fields = at.queries?.nodeRecord(machine.peer)?.fields;
      if (fields?.hours !== undefined || fields?.slots !== undefined)
        this.#do(at, `hours of ${machine.name}`, (components) =>
          setNode(components, machine.peer, { hours: { spans: [] }, slots: 64 }),
        );
      if ((fields?.desired?.value ?? 'active') !== 'active')
        this.#do(at, `release ${machine.name}`, (components) =>
          setNode(components, machine.peer, { desired: 'active' }),
        );
      if ((machine.queries?.nodeRecord(machine.peer)?.fields.ownerDesired?.value ?? 'active') !== 'active')
        this.#do(machine, 'own active', (components) =>
          setNode(components, machine.peer, { ownerDesired: 'active' }),
        );
    }
    for (const id of at.queries?.jobIds() ?? []) {
      if (at.queries?.job(id)?.state === 'paused')
        this.#do(at, `resume ${id}`, (components) => setJob(components, id, { desired: 'active' }));
    }
  }
}
